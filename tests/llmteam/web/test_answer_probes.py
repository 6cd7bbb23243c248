"""Probes are answered whatever the request threads do, whoever asks, by whatever name."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from llmteam import health
from llmteam.web.probes import PartStates, Readiness, with_probes
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.sealing import key_ring
from tests.support.engine import make_tenant
from tests.support.processes.login import LOGIN, PASSWORD
from tests.support.raw_http import ask
from tests.support.server import ServerProcess, running_server

ALL_OK = {"database": "ok", "migrations": "ok", "roles": "ok", "keys": "ok", "redis": "ok", "walls": "ok"}


@pytest.fixture
def as_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections opened from now on be those of a process's login; the tests' own is a superuser."""
    monkeypatch.setitem(connection.settings_dict, "USER", LOGIN)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", PASSWORD)


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def caller_of(check_parts: Callable[[], PartStates]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=with_probes(nothing_else, check_parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://probes") as caller:
        yield caller


@pytest.mark.usefixtures("as_a_process")
@pytest.mark.django_db(transaction=True)
async def test_healthz_asks_nobody_and_readyz_asks_all() -> None:
    async with caller_of(health.check_parts) as caller:
        assert (await caller.get("/healthz")).json() == {"status": "ok"}
        answer = await caller.get("/readyz")
        told = answer.json()
        assert (answer.status_code, told["status"], told["parts"]) == (200, "ok", ALL_OK)
        assert told["tables_with_tenant"] == told["tables_with_policy"] > 25
        assert (await caller.get("/healthz/x")).status_code == 404


@pytest.mark.usefixtures("as_a_process")
@pytest.mark.django_db(transaction=True)
async def test_readyz_names_the_part_that_is_away(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    async with caller_of(health.check_parts) as caller:
        answer = await caller.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded"), "everything goes on without Redis"
    assert answer.json()["parts"] == {**ALL_OK, "redis": "degraded"}


def cannot_open(settings: Any, key_id: str) -> None:
    """Give this process another key than the one that sealed the secrets."""
    settings.SECRET_KEYS = {key_id: bytes(32)}
    key_ring.cache_clear()


def lose_a_migration() -> None:
    applied_last().delete()


def applied_last() -> Any:
    return MigrationRecorder.Migration.objects.filter(app="runs").order_by("-name")[0]


def leave_the_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("create role outsider login; set session authorization outsider")


def read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("set session characteristics as transaction read only")


@pytest.fixture
def whole_afterwards(transactional_db: None) -> Iterator[None]:
    """Mend what a test broke."""
    last = applied_last().name
    yield
    key_ring.cache_clear()
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("drop role if exists outsider")
    if applied_last().name != last:
        MigrationRecorder(connection).record_applied("runs", last)


@pytest.mark.usefixtures("whole_afterwards")
@pytest.mark.parametrize(
    ("part", "state", "broken"),
    [
        ("keys", "wrong", lambda settings: cannot_open(settings, "development")),
        ("keys", "wrong", lambda settings: cannot_open(settings, "another")),
        ("migrations", "behind", lambda _settings: lose_a_migration()),
        ("roles", "behind", lambda _settings: leave_the_role()),
        ("database", "away", lambda _settings: read_only()),
    ],
    ids=["another key", "none of that id", "a migration", "a role", "read only"],
)
def test_what_the_process_needs_and_has_not_makes_it_unready(
    settings: Any, part: str, state: str, broken: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = make_tenant()
    spec = ConnectionSpec(kind="http", base_url="https://crm.example", auth="bearer")
    save_connection(tenant=tenant, actor="system", ref="crm", spec=spec, secret="a-secret-of-theirs")
    monkeypatch.setattr(connection, "close", lambda: None)
    assert health.check_parts().parts == {**ALL_OK, "walls": "open"}, "the tests' own login is a superuser"
    broken(settings)
    found = health.check_parts()
    monkeypatch.undo()
    assert found.parts[part] == state
    assert asyncio.run(Readiness(lambda: found).answer())[0] == 503


async def test_a_hundred_probes_cost_one_look_and_a_later_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmteam.web.probes.FRESH_SECONDS", 60)
    looks = []

    def look() -> PartStates:
        looks.append(threading.current_thread().name)
        return PartStates({"part": "ok" if len(looks) == 1 else "away"})

    async with caller_of(look) as caller:
        answers = await asyncio.gather(*(caller.get("/readyz") for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(looks) == 1
        monkeypatch.undo()
        await asyncio.sleep(1.1)
        assert (await caller.get("/readyz")).status_code == 503
    assert len(looks) == 2


async def test_a_look_that_hangs_is_told_in_time_and_healthz_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmteam.web.probes.READY_SECONDS", 30.0)
    hung = threading.Event()

    def look() -> PartStates:
        hung.wait(60)
        return PartStates({})

    async with caller_of(look) as caller:
        waiting = asyncio.create_task(caller.get("/readyz"))
        await asyncio.sleep(0.05)
        assert (await caller.get("/healthz")).status_code == 200
        assert not waiting.done()
        monkeypatch.setattr("llmteam.web.probes.READY_SECONDS", 1.0)
        answer = await caller.get("/readyz")
        assert not waiting.done()
        hung.set()
        await waiting
    assert (answer.status_code, answer.json()["parts"]) == (503, {"readiness": "silent"})


@pytest.fixture(scope="module")
def production(django_db_setup: None) -> Any:
    """As a balancer finds it: HTTPS wanted, one name allowed."""
    with running_server(HTTPS="1", ALLOWED_HOSTS="llmteam.example", SECRET_KEY="x1Y2z3" * 12) as server:
        yield server


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["healthz", "readyz"])
def test_a_balancer_may_probe_by_address_where_the_api_wants_its_name(production: ServerProcess, path: str) -> None:
    by_address = f"HTTP/1.1\r\nHost: 10.1.2.3:{production.port}\r\n\r\n".encode()
    assert ask(production.port, f"GET /{path} ".encode() + by_address).status == 200
    assert ask(production.port, f"GET /{path} HTTP/1.0\r\n\r\n".encode()).status == 200
    assert ask(production.port, b"GET /api/v1/me " + by_address).status == 400
