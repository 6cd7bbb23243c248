"""The last use of a key: noted without a statement, written a minute later by a thread, at most once a minute."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.ids import new_id
from tenants.access.key_uses import AT_ONCE, KeyUses, key_uses, write_uses
from tenants.access.known_callers import known_callers
from tenants.models import ApiKey
from tests.conftest import Customer
from tests.support.api_clients import key_client
from tests.support.server import running_server

Api = Callable[[Customer], APIClient]


@pytest.fixture(autouse=True)
def nothing_is_noted(acme: Customer) -> Iterator[None]:
    key_uses.take()
    yield
    key_uses.take()
    known_callers.forget(acme.tenant.id)


def last_use(customer: Customer) -> Any:
    with tenant_scope(customer.tenant.id):
        return ApiKey.objects.get().last_used_at


def test_a_request_notes_it_without_a_statement(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert client.get("/api/v1/me").status_code == 200
    before = utc_now()
    key_uses.take()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get("/api/v1/me").status_code == 200
    assert list(asked) == [], "the caller is remembered, and nothing is written"
    (noted,) = key_uses.take().values()
    assert before <= noted <= utc_now()
    assert last_use(acme) is None


def test_a_refused_key_and_a_token_s_key(acme: Customer, api: Api) -> None:
    wrong = acme.key[:-1] + ("x" if acme.key[-1] != "x" else "y")
    assert key_client(wrong).get("/api/v1/me").status_code == 401
    assert key_uses.take() == {}
    token = api(acme).post("/api/v1/tokens", {"scopes": ["runs:read"]}).json()["token"]
    key_uses.take()
    assert key_client(token).get("/api/v1/me").status_code == 200
    assert len(key_uses.take()) == 1, "what a token does is a use of its key"


def test_what_was_noted_is_written_and_shown(acme: Customer, api: Api) -> None:
    client = api(acme)
    assert client.get("/api/v1/me").status_code == 200
    uses = key_uses.take()
    assert write_uses(uses) == 1
    assert last_use(acme) == next(iter(uses.values()))
    (shown,) = client.get("/api/v1/keys").json()["data"]
    assert shown["last_used_at"] is not None


def test_it_is_written_once_a_minute_whichever_process_has_seen_it(acme: Customer) -> None:
    with tenant_scope(acme.tenant.id):
        key_id = ApiKey.objects.get().id
    first = utc_now() - timedelta(minutes=5)
    said = [write_uses({key_id: first + timedelta(seconds=seconds)}) for seconds in (0, 1, 59, 60, 61, 30)]
    assert said == [1, 0, 0, 1, 0, 0]
    assert last_use(acme) == first + timedelta(seconds=60)


def test_many_keys_take_few_statements_and_unknown_ones_none(acme: Customer) -> None:
    now = utc_now()
    with tenant_scope(acme.tenant.id):
        rows = [
            ApiKey(tenant=acme.tenant, name="k", public_id=f"{number:016}", secret_hash=b"-", scopes=[])
            for number in range(AT_ONCE)
        ]
        ApiKey.objects.bulk_create(rows)
    with CaptureQueriesContext(connection) as asked:
        assert write_uses({**{row.id: now for row in rows}, new_id(): now}) == AT_ONCE
    assert sum(query["sql"].startswith("UPDATE") for query in asked) <= 2


@pytest.mark.django_db(transaction=True)
def test_processes_that_write_the_same_keys_at_once_do_not_fail(acme: Customer, globex: Customer) -> None:
    now, ids = utc_now(), []
    for customer in (acme, globex):
        with tenant_scope(customer.tenant.id):
            ids.append(ApiKey.objects.get().id)

    def write(number: int) -> int:
        try:
            order = ids if number % 2 else ids[::-1]
            return write_uses(dict.fromkeys(order, now + timedelta(minutes=number // 8)))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(32))) >= 2
    assert last_use(acme) == last_use(globex)


def test_a_process_notes_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenants.access.key_uses.MAX_NOTED", 2)
    uses, ids = KeyUses(), [new_id() for _ in range(3)]
    for each in (*ids, ids[0]):
        uses.note(each)
    assert set(uses.take()) == set(ids[:2])
    uses.note(ids[2])
    assert set(uses.take()) == {ids[2]}


@pytest.mark.django_db(transaction=True)
def test_a_web_process_writes_at_its_end_what_it_has_noted(acme: Customer) -> None:
    with running_server() as server, server.caller(acme.key) as caller:
        assert caller.get("/api/v1/me").status_code == 200
        assert last_use(acme) is None, "not in the request"
    assert utc_now() - last_use(acme) < timedelta(minutes=5)
