"""Probes are answered whatever the request threads do, whoever asks, by whatever name."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from llmteam import health
from llmteam.web.probes import with_probes
from tests.support.raw_http import ask
from tests.support.server import ServerProcess, running_server

ALL_OK = {"database": "ok", "migrations": "ok", "redis": "ok"}


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def caller_of(check_parts: Callable[[], dict[str, str]]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=with_probes(nothing_else, check_parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://probes") as caller:
        yield caller


@pytest.mark.django_db(transaction=True)
async def test_healthz_asks_nobody_and_readyz_asks_all() -> None:
    async with caller_of(health.check_parts) as caller:
        assert (await caller.get("/healthz")).json() == {"status": "ok"}
        answer = await caller.get("/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "parts": ALL_OK})
        assert (await caller.get("/healthz/x")).status_code == 404


@pytest.mark.django_db(transaction=True)
async def test_readyz_names_the_part_that_is_away(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    async with caller_of(health.check_parts) as caller:
        answer = await caller.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]) == (503, {**ALL_OK, "redis": "away"})


async def test_a_hundred_probes_cost_one_look_and_a_later_one_another() -> None:
    looks = []

    def look() -> dict[str, str]:
        looks.append(threading.current_thread().name)
        return {"part": "ok" if len(looks) == 1 else "away"}

    async with caller_of(look) as caller:
        answers = await asyncio.gather(*(caller.get("/readyz") for _ in range(100)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(looks) == 1
        await asyncio.sleep(1.1)
        assert (await caller.get("/readyz")).status_code == 503
    assert len(looks) == 2


async def test_a_look_that_hangs_is_told_in_time_and_healthz_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmteam.web.probes.READY_SECONDS", 0.3)
    hung = threading.Event()

    def look() -> dict[str, str]:
        hung.wait(30)
        return {}

    async with caller_of(look) as caller:
        waiting = asyncio.create_task(caller.get("/readyz"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        assert (await caller.get("/healthz")).status_code == 200
        assert time.monotonic() - began < 0.2
        answer = await waiting
        hung.set()
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
