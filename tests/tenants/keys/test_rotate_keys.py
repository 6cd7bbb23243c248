"""A rotation: the next secret works at once, the one before for a stated time or until it is ended, and no third."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from runs.events.tickets import issue_ticket, use_ticket
from tenants.access.known_callers import known_callers
from tenants.errors import KeyRefused
from tenants.models import ApiKey
from tenants.selectors import find_caller, scopes_of_live_keys
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.api_clients import key_client

Api = Callable[[Customer], APIClient]
KEYS = "/api/v1/keys"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def nobody_is_known(acme: Customer) -> Iterator[None]:
    yield
    known_callers.forget(acme.tenant.id)


@pytest.fixture
def made(acme: Customer, api: Api) -> dict[str, Any]:
    answer: dict[str, Any] = api(acme).post(KEYS, {"name": "n8n", "scopes": ["runs:read"]}).json()
    return answer


def rotate(client: APIClient, key: dict[str, Any], **more: Any) -> Any:
    return client.post(f"{KEYS}/{key['id']}/rotate", more)


def status_of(text: str) -> int:
    return key_client(text).get("/api/v1/runs").status_code


def end_now(acme: Customer, key: dict[str, Any]) -> None:
    """Have the time of the old secret be over, as it is for a process that asks again."""
    with tenant_scope(acme.tenant.id):
        ApiKey.objects.filter(id=key["id"]).update(old_secret_ends_at=utc_now())
    known_callers.forget(acme.tenant.id)


def test_both_secrets_work_until_the_stated_time_then_the_new_one(acme: Customer, api: Api, made: Any) -> None:
    assert status_of(made["secret"]) == 200
    answer = rotate(api(acme), made, old_secret_seconds=3_600)
    new = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert {name: new[name] for name in ("id", "public_id", "name", "scopes", "created_at")} == {
        name: made[name] for name in ("id", "public_id", "name", "scopes", "created_at")
    }, "it is the same key"
    assert new["secret"] != made["secret"]
    left = datetime.fromisoformat(new["old_secret_ends_at"]) - utc_now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert (status_of(made["secret"]), status_of(new["secret"])) == (200, 200)
    end_now(acme, made)
    assert (status_of(made["secret"]), status_of(new["secret"])) == (401, 200)
    assert api(acme).get(f"{KEYS}/{made['id']}").json()["old_secret_ends_at"] is None


def test_a_remembered_caller_with_the_old_secret_ends_with_it(acme: Customer, api: Api, made: Any) -> None:
    rotate(api(acme), made)
    assert status_of(made["secret"]) == 200
    caller = known_callers.find(made["secret"])
    assert caller is not None
    assert caller.api_key is not None
    assert caller.is_live()
    caller.api_key.old_secret_ends_at = utc_now()
    assert not caller.is_live(), "no look-up is needed for that"


def test_the_old_secret_can_be_ended_at_once(acme: Customer, api: Api, made: Any) -> None:
    new = rotate(api(acme), made).json()
    for _ in range(2):
        answer = api(acme).post(f"{KEYS}/{made['id']}/end-old-secret")
        assert (answer.status_code, answer.json()["old_secret_ends_at"]) == (200, None)
    assert (status_of(made["secret"]), status_of(new["secret"])) == (401, 200)
    with tenant_scope(acme.tenant.id):
        assert ApiKey.objects.get(id=made["id"]).old_secret_hash is None
        assert Entry.objects.filter(action="api_key.old_secret_ended").count() == 1


def test_a_secret_that_leaked_is_replaced_in_one_call(acme: Customer, api: Api, made: Any) -> None:
    new = rotate(api(acme), made, old_secret_seconds=0).json()
    assert new["old_secret_ends_at"] is None
    assert (status_of(made["secret"]), status_of(new["secret"])) == (401, 200)


def test_two_secrets_work_at_most(acme: Customer, api: Api, made: Any) -> None:
    second = rotate(api(acme), made).json()
    refused = rotate(api(acme), made)
    assert (refused.status_code, refused.json()["code"]) == (409, "KEY_HAS_TWO_SECRETS")
    assert refused.json()["old_secret_ends_at"] == second["old_secret_ends_at"]
    end_now(acme, made)
    third = rotate(api(acme), made).json()
    assert [status_of(key["secret"]) for key in (made, second, third)] == [401, 200, 200]


def test_a_key_that_has_ended_is_not_rotated(acme: Customer, api: Api, made: Any) -> None:
    assert rotate(api(acme), made).status_code == 201
    api(acme).delete(f"{KEYS}/{made['id']}")
    refused = rotate(api(acme), made)
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (409, "KEY_ENDED", "revoked")
    assert status_of(made["secret"]) == 401


def test_a_token_ends_with_the_secret_that_made_it(acme: Customer, api: Api, made: Any) -> None:
    def token_of(secret: str) -> str:
        return str(key_client(secret).post("/api/v1/tokens", {"scopes": ["runs:read"]}).json()["token"])

    first = token_of(made["secret"])
    new = rotate(api(acme), made).json()
    old, young = token_of(made["secret"]), token_of(new["secret"])
    assert [status_of(token) for token in (first, old, young)] == [200] * 3
    api(acme).post(f"{KEYS}/{made['id']}/end-old-secret")
    assert [status_of(token) for token in (first, old, young)] == [401, 401, 200]


def test_streams_and_tickets_end_with_the_secret_that_opened_them(acme: Customer, api: Api, made: Any) -> None:
    new = rotate(api(acme), made).json()
    old, young = find_caller(key_text=made["secret"]), find_caller(key_text=new["secret"])
    passes = [old.key_secret, young.key_secret]
    assert None not in passes
    assert set(scopes_of_live_keys([one for one in passes if one])) == set(passes)
    tickets = [issue_ticket(caller=caller).text for caller in (old, young, old)]
    assert use_ticket(text=tickets[2]).key_secret == old.key_secret
    api(acme).post(f"{KEYS}/{made['id']}/end-old-secret")
    assert set(scopes_of_live_keys([one for one in passes if one])) == {young.key_secret}
    assert use_ticket(text=tickets[1]).key_secret == young.key_secret
    with pytest.raises(KeyRefused):
        use_ticket(text=tickets[0])


def test_nobody_takes_a_key_s_rights_by_rotating_it(acme: Customer, api: Api, made: Any) -> None:
    scopes = ["keys:read", "keys:write", "runs:read"]
    manager = key_client(create_api_key(tenant=acme.tenant, name="manager", scopes=scopes).text)
    wide = api(acme).post(KEYS, {"name": "wide", "scopes": ["runs:read", "tenant:write"]}).json()
    assert rotate(manager, made).status_code == 201
    refused = rotate(manager, wide)
    assert (refused.status_code, refused.json()["code"], refused.json()["scope"]) == (
        403,
        "SCOPE_MISSING",
        "tenant:write",
    )
    assert status_of(wide["secret"]) == 200


def test_a_rotation_gives_a_new_end_but_none_behind_the_caller_s(acme: Customer, api: Api, made: Any) -> None:
    ends = (utc_now() + 5 * DAY).replace(microsecond=0)
    mortal = key_client(create_api_key(tenant=acme.tenant, name="mortal", expires_at=ends).text)
    assert rotate(mortal, made).json()["code"] == "KEY_OUTLIVES_CALLER", "it has no end"
    first = rotate(api(acme), made, expires_at=ends.isoformat(), old_secret_seconds=0).json()
    assert datetime.fromisoformat(first["expires_at"]) == ends
    assert rotate(mortal, made, old_secret_seconds=0).status_code == 201
    later = rotate(mortal, made, expires_at=(ends + DAY).isoformat())
    assert (later.status_code, later.json()["code"]) == (403, "KEY_OUTLIVES_CALLER")
    past = rotate(api(acme), made, expires_at="2020-01-01T00:00:00Z")
    assert (past.status_code, past.json()["code"]) == (422, "KEY_INVALID")


def test_a_key_rotates_itself_but_gives_itself_no_later_end(acme: Customer) -> None:
    ends = (utc_now() + 5 * DAY).replace(microsecond=0)
    own = create_api_key(tenant=acme.tenant, name="own", scopes=["keys:write", "runs:read"], expires_at=ends)
    key, client = {"id": own.api_key.id}, key_client(own.text)
    refused = rotate(client, key, expires_at=(ends + DAY).isoformat())
    assert (refused.status_code, refused.json()["code"]) == (403, "KEY_OUTLIVES_CALLER")
    new = rotate(client, key, old_secret_seconds=0).json()
    assert (status_of(own.text), status_of(new["secret"])) == (401, 200)


def test_a_repeated_rotation_makes_one_secret(acme: Customer, api: Api, made: Any) -> None:
    once: Any = {"headers": {"Idempotency-Key": "r-1"}}
    address = f"{KEYS}/{made['id']}/rotate"
    first, again = api(acme).post(address, {}, **once), api(acme).post(address, {}, **once)
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert again.json() == {**first.json(), "secret": None}
    assert status_of(first.json()["secret"]) == 200
    other = api(acme).post(address, {"old_secret_seconds": 5}, **once)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


def test_the_audit_tells_of_it_and_not_the_secret(acme: Customer, api: Api, made: Any) -> None:
    new = rotate(api(acme), made).json()
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="api_key.rotated")
    assert (entry.object_id, entry.after["secret_number"]) == (made["id"], 2)
    assert new["secret"].split("_")[2] not in str(entry.after)


@pytest.mark.parametrize("wrong", [{"old_secret_seconds": -1}, {"old_secret_seconds": 2_592_001}, {"grace": 5}])
def test_what_cannot_be_is_refused(acme: Customer, api: Api, made: Any, wrong: dict[str, Any]) -> None:
    assert rotate(api(acme), made, **wrong).status_code == 422
    assert rotate(api(acme), made, old_secret_seconds=2_592_000).status_code == 201
