"""Who is not signed in leaves little behind, however often they come."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.access.rate_limits import per_seconds
from tenants.sign_in import anonymous_limits
from tenants.tasks import sweep_retention
from tests.conftest import Customer
from tests.support.issuer import Issuer
from tests.support.server import ServerProcess

BOGUS = "/oidc/callback/?state=nobodys&code=made-up"


def entries() -> int:
    with unscoped("looking at what was written"):
        return Entry.objects.filter(action="sign_in.refused").count()


def sessions() -> list[Session]:
    with unscoped("looking at what was written"):
        return list(Session.objects.all())


def bogus(address: str, path: str = BOGUS) -> int:
    return int(Client(REMOTE_ADDR=address).get(path).status_code)


def test_bogus_answers_write_one_entry_a_minute_from_an_address(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {bogus("192.0.2.1") for _ in range(20)} == {400}
    assert entries() == 1
    assert bogus("192.0.2.2") == 400
    assert entries() == 2, "another address"
    assert {bogus(f"2001:db8::{number}") for number in range(1, 9)} == {400}
    assert entries() == 3, "a network of IPv6 is one"
    assert not sessions()
    monkeypatch.setattr(anonymous_limits, "_REFUSALS_WRITTEN", per_seconds("a shorter minute", 1, 1))
    bogus("192.0.2.1")
    time.sleep(1.1)
    bogus("192.0.2.1")
    assert entries() == 5, "the next minute"


def test_another_kind_is_told_as_well(db: None, settings: Any) -> None:
    bogus("192.0.2.1")
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = "http://127.0.0.1:1", "c", "s"
    for _ in range(5):
        assert bogus("192.0.2.1", "/oidc/login/") >= 400
    with unscoped("looking at what was written"):
        codes = Counter(entry.after["code"] for entry in Entry.objects.filter(action="sign_in.refused"))
    assert codes == {"STATE_REFUSED": 1, "PROVIDER_FAILED": 1}


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_written(server: ServerProcess) -> None:
    with server.caller() as caller, ThreadPoolExecutor(20) as pool:
        said = Counter(answer.status_code for answer in pool.map(lambda _: caller.get(BOGUS), range(500)))
    assert said == {400: 500}
    assert entries() == 1


def test_sign_ins_begun_are_bounded_and_end(acme: Customer, issuer: Issuer) -> None:
    said = Counter(bogus("192.0.2.1", "/oidc/login/") for _ in range(40))
    assert said == {302: 30, 429: 10}
    assert bogus("192.0.2.2", "/oidc/login/") == 302
    begun = sessions()
    assert len(begun) == 31
    assert max(session.expire_date for session in begun) <= utc_now() + timedelta(minutes=10)
    sweep_retention()
    assert len(sessions()) == 31
    with unscoped("ten minutes later"):
        Session.objects.update(expire_date=utc_now() - timedelta(seconds=1))
    sweep_retention()
    assert not sessions()
