"""A key looked up is remembered for a moment; what is revoked meanwhile is refused in time."""

import time
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.access.known_callers import MAX_REMEMBERED, REMEMBERED_SECONDS, KnownCallers, known_callers
from tenants.errors import KeyRefused
from tenants.models import ApiKey, Tenant
from tenants.selectors import find_caller
from tenants.services import create_api_key, revoke_api_key
from tenants.types import Caller
from tests.conftest import Customer
from tests.support.best_tries import least_of
from tests.support.process_ends import eventually
from tests.support.server import ServerProcess


def someone() -> Caller:
    tenant = Tenant(slug="acme", name="Acme")
    return Caller(tenant=tenant, api_key=ApiKey(tenant=tenant, public_id="p"))


@pytest.mark.django_db(transaction=True)
def test_a_key_revoked_elsewhere_is_refused_within_five_seconds(acme: Customer, server: ServerProcess) -> None:
    def seconds_until_refused() -> float:
        made = create_api_key(tenant=acme.tenant, name="to be revoked")
        with server.caller(made.text) as caller, server.caller(acme.key) as other:
            assert caller.get("/api/v1/me").status_code == 200
            revoke_api_key(tenant=acme.tenant, api_key_id=made.api_key.id)
            began = time.monotonic()
            # It goes on asking all the while: being used does not keep a key alive.
            assert eventually(lambda: caller.get("/api/v1/me").status_code == 401, seconds=60)
            seconds = time.monotonic() - began
            assert other.get("/api/v1/me").status_code == 200
            return seconds

    least_of(seconds_until_refused, below=5)


@pytest.mark.django_db(transaction=True)
def test_an_inactive_tenants_keys_are_refused_within_five_seconds(
    acme: Customer, globex: Customer, server: ServerProcess
) -> None:
    with server.caller(acme.key) as caller, server.caller(globex.key) as other:
        assert caller.get("/api/v1/me").status_code == other.get("/api/v1/me").status_code == 200

        def seconds_until_refused() -> float:
            Tenant.objects.filter(id=acme.tenant.id).update(is_active=True)
            assert eventually(lambda: caller.get("/api/v1/me").status_code == 200, seconds=60)
            Tenant.objects.filter(id=acme.tenant.id).update(is_active=False)
            began = time.monotonic()
            assert eventually(lambda: caller.get("/api/v1/me").status_code == 401, seconds=60)
            return time.monotonic() - began

        least_of(seconds_until_refused, below=5)
        assert other.get("/api/v1/me").status_code == 200


def test_a_key_remembered_is_refused_as_soon_as_it_has_expired(acme: Customer) -> None:
    made = create_api_key(tenant=acme.tenant, name="short", expires_at=utc_now() + timedelta(seconds=2))
    assert find_caller(key_text=made.text).tenant == acme.tenant
    time.sleep(2.1)
    with pytest.raises(KeyRefused):
        find_caller(key_text=made.text)


def test_the_database_is_asked_once_for_many_requests(
    acme: Customer, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    find_caller(key_text=acme.key)
    with django_assert_num_queries(0):
        assert find_caller(key_text=acme.key).tenant == acme.tenant


def test_a_refused_key_is_not_remembered_and_may_work_a_moment_later(acme: Customer) -> None:
    made = create_api_key(tenant=acme.tenant, name="late")
    with unscoped("the test changes the row"):
        ApiKey.objects.filter(id=made.api_key.id).update(expires_at=utc_now())
    with pytest.raises(KeyRefused):
        find_caller(key_text=made.text)
    with unscoped("the test changes the row"):
        ApiKey.objects.filter(id=made.api_key.id).update(expires_at=None)
    assert find_caller(key_text=made.text).api_key == made.api_key


def test_no_key_is_held_in_clear(acme: Customer) -> None:
    caller = find_caller(key_text=acme.key)
    assert known_callers.find(acme.key) is caller
    kept = repr(vars(known_callers._by_hash))
    assert "Caller(" in kept
    assert acme.key not in kept + repr(vars(known_callers)) + repr(vars(caller.api_key))


def test_no_more_are_remembered_than_there_is_room_for_and_the_oldest_goes() -> None:
    known, caller = KnownCallers(), someone()
    for number in range(MAX_REMEMBERED + 1):
        known.remember(str(number), caller, known.begin())
    assert known.find("0") is None
    assert known.find("1") is known.find(str(MAX_REMEMBERED)) is caller


def test_a_look_up_that_began_before_a_revocation_is_not_remembered() -> None:
    known, caller = KnownCallers(), someone()
    begun = known.begin()
    known.forget(caller.tenant.id)
    known.remember("key", caller, begun)
    assert known.find("key") is None
    known.remember("key", caller, known.begin())
    assert known.find("key") is caller


def test_another_tenants_callers_are_not_forgotten() -> None:
    known, caller, other = KnownCallers(), someone(), someone()
    known.remember("key", caller, known.begin())
    known.remember("other", other, known.begin())
    known.forget(caller.tenant.id)
    assert (known.find("key"), known.find("other")) == (None, other)


def test_remembering_ends_in_time_for_the_promise_of_five_seconds() -> None:
    known, caller = KnownCallers(), someone()
    until, forgets = known.begin()
    assert until - time.monotonic() <= REMEMBERED_SECONDS < 5
    known.remember("key", caller, (time.monotonic() - 0.001, forgets))
    assert known.find("key") is None
