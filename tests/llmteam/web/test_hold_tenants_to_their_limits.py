"""Requests a minute, open streams and waiting requests end at the number that holds for their tenant."""

import concurrent.futures
import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect as open_websocket

from foundation.scope import unscoped
from runs.models import Run
from tenants.limits.services import set_limits
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.process_ends import eventually
from tests.support.raw_http import connect
from tests.support.server import ServerProcess, running_server

pytestmark = pytest.mark.django_db(transaction=True)

ME, LIMITS = "/api/v1/me", "/api/v1/tenant/limits"
MINUTE = re.compile(r'"requests_per_minute";r=(\d+);t=(\d+)')
INLINE = {"segment": steps_in_a_row("input"), "input": 1}
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def other_process(django_db_setup: None) -> Iterator[ServerProcess]:
    with running_server() as other:
        yield other


def limit(customer: Customer, **limits: int | None) -> None:
    set_limits(tenant=customer.tenant, actor="operator", limits=limits)


def standing(server: ServerProcess, customer: Customer, name: str) -> dict[str, Any]:
    with server.caller(customer.key) as caller:
        rows = caller.get(LIMITS).json()["data"]
    return next(row for row in rows if row["limit"] == name)


def minute(answer: httpx.Response) -> tuple[int, int]:
    """What is left of the minute, and for how many seconds."""
    found = MINUTE.fullmatch(answer.headers["RateLimit"])
    assert found is not None, answer.headers
    return int(found[1]), int(found[2])


def test_a_minute_is_told_with_every_answer_and_ends_at_its_number(
    server: ServerProcess, acme: Customer, globex: Customer
) -> None:
    limit(acme, requests_per_minute=4)
    with server.caller(acme.key) as caller, server.caller(globex.key) as other:
        answers = [caller.get(path) for path in (ME, "/api/v1/no_such_route", LIMITS, ME, ME, ME)]
        assert [one.status_code for one in answers] == [200, 404, 200, 200, 429, 429]
        assert [minute(one)[0] for one in answers] == [3, 2, 1, 0, 0, 0]
        assert {one.headers["RateLimit-Policy"] for one in answers} == {'"requests_per_minute";q=4;w=60'}
        refused = answers[-1]
        left, seconds = minute(refused)
        assert (left, int(refused.headers["Retry-After"])) == (0, seconds)
        assert 1 <= seconds <= 60
        facts = {name: refused.json()[name] for name in ("code", "limit", "used", "cap", "unit")}
        assert facts == {
            "code": "TOO_MANY_REQUESTS", "limit": "requests_per_minute", "used": 4, "cap": 4, "unit": "requests",
        }  # fmt: skip
        assert refused.json()["resets_at"].endswith("Z")
        assert "operator" in refused.json()["raised_by"]
        assert "4 requests a minute" in refused.json()["detail"]
        row = next(row for row in answers[2].json()["data"] if row["limit"] == "requests_per_minute")
        assert (row["used"], row["cap"], row["source"]) == ("3", "4", "override")
        assert row["resets_at"]
        assert other.get(ME).status_code == 200
        assert caller.get("/inbox/").status_code != 429, "pages are not the API"


def test_an_address_is_not_told_how_it_stands(server: ServerProcess, acme: Customer) -> None:
    with server.caller(acme.key) as caller, server.caller("llm_wrong") as stranger:
        assert "RateLimit" in caller.get(ME).headers
        answer = stranger.get(ME)
    assert answer.status_code == 401
    assert "RateLimit" not in answer.headers


def test_a_body_is_not_read_of_who_has_no_request_left(server: ServerProcess, acme: Customer, globex: Customer) -> None:
    limit(acme, requests_per_minute=1)
    with server.caller(acme.key) as caller:
        assert [caller.get(ME).status_code for _ in range(2)] == [200, 429]
    for customer, expected in ((globex, b"HTTP/1.1 100 Continue"), (acme, b"HTTP/1.1 429 Too Many Requests")):
        with server.caller(customer.key) as caller:
            caller.get(ME)
        with connect(server.port) as line:
            head = f"POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {customer.key}\r\n"
            line.sendall(head.encode() + b"Content-Length: 500000\r\nExpect: 100-continue\r\n\r\n")
            first = line.recv(65_536)
        assert first.startswith(expected), first
    assert b'RateLimit: "requests_per_minute";r=0;t=' in first
    assert b"Retry-After: " in first


@pytest.mark.parametrize(("most", "status"), [(None, 200), (0, 429)])
def test_without_a_number_nothing_is_counted_and_zero_is_zero(
    server: ServerProcess, acme: Customer, most: int | None, status: int
) -> None:
    limit(acme, requests_per_minute=most)
    with server.caller(acme.key) as caller:
        caller.get(ME)  # a key that is not known yet counts for its address
        answers = [caller.get(ME) for _ in range(3)]
    assert {one.status_code for one in answers} == {status}
    assert {"RateLimit" in one.headers for one in answers} == {most is not None}


def test_another_number_holds_within_five_seconds(server: ServerProcess, acme: Customer) -> None:
    limit(acme, requests_per_minute=1)
    with server.caller(acme.key) as caller:
        assert [caller.get(ME).status_code for _ in range(2)] == [200, 429]
        limit(acme, requests_per_minute=1_000)
        assert eventually(lambda: caller.get(ME).status_code == 200, seconds=6)


@contextlib.contextmanager
def streams(server: ServerProcess, customer: Customer, number: int) -> Iterator[None]:
    """Hold so many streams open, of both kinds."""
    address = f"ws://127.0.0.1:{server.port}/ws/v1/events/"
    with contextlib.ExitStack() as held:
        for turn in range(number):
            if turn % 2:
                held.enter_context(open_websocket(address, additional_headers={"X-API-Key": customer.key}))
            else:
                caller = held.enter_context(server.caller(customer.key))
                answer = held.enter_context(caller.stream("GET", "/api/v1/events", headers=EVENTS))
                assert answer.status_code == 200
        yield


def test_streams_end_at_their_number_in_all_processes_together(
    server: ServerProcess, other_process: ServerProcess, acme: Customer, globex: Customer
) -> None:
    limit(acme, open_streams=3)
    with streams(server, acme, 3), server.caller(acme.key) as caller, server.caller(globex.key) as other:
        assert standing(server, acme, "open_streams")["used"] == "3"
        refused = caller.get("/api/v1/events", headers=EVENTS)
        assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_STREAMS")
        facts = {name: refused.json()[name] for name in ("limit", "used", "cap", "unit", "resets_at")}
        assert facts == {"limit": "open_streams", "used": 3, "cap": 3, "unit": "streams", "resets_at": None}
        assert "operator" in refused.json()["raised_by"]
        address = f"ws://127.0.0.1:{server.port}/ws/v1/events/"
        with open_websocket(address, additional_headers={"X-API-Key": acme.key}) as told:
            assert "TOO_MANY_STREAMS" in told.recv()
        with other.stream("GET", "/api/v1/events", headers=EVENTS) as answer:
            assert answer.status_code == 200
        assert eventually(lambda: standing(other_process, acme, "open_streams")["used"] == "3", seconds=5)
        with other_process.caller(acme.key) as elsewhere:
            assert elsewhere.get("/api/v1/events", headers=EVENTS).status_code == 429
    assert eventually(lambda: standing(other_process, acme, "open_streams")["used"] == "0", seconds=15)
    with streams(other_process, acme, 3):
        assert standing(other_process, acme, "open_streams")["used"] == "3"


def started(customer: Customer) -> int:
    with unscoped("counting"):
        return Run.objects.filter(tenant=customer.tenant).count()


def test_who_waits_for_a_run_ends_at_its_number_before_a_run_is_started(
    server: ServerProcess, acme: Customer, globex: Customer
) -> None:
    limit(acme, waiting_requests=2)
    with server.caller(acme.key) as caller, server.caller(globex.key) as other:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            # All come at once, with a key that the process has not seen: none of them is known when it is let in.
            answers = [pool.submit(caller.post, "/api/v1/runs?wait=3", json=INLINE) for _ in range(6)]
            assert eventually(lambda: standing(server, acme, "waiting_requests")["used"] == "2", seconds=3)
            refused = caller.get("/api/v1/runs?limit=1")
            assert refused.status_code == 200, "who does not wait is served"
            preferring = caller.post("/api/v1/runs", json=INLINE, headers={"Prefer": "wait=3"})
            assert preferring.status_code == 429
            assert other.post("/api/v1/runs?wait=0.1", json=INLINE).status_code == 202
            told = Counter(one.result().status_code for one in answers)
        assert told == {202: 2, 429: 4}
        assert started(acme) == 2
        told_why = next(one.result() for one in answers if one.result().status_code == 429).json()
        facts = {name: told_why[name] for name in ("code", "limit", "used", "cap", "unit")}
        assert facts == {
            "code": "TOO_MANY_WAITING", "limit": "waiting_requests", "used": 2, "cap": 2, "unit": "requests",
        }  # fmt: skip
        assert caller.post("/api/v1/runs?wait=0.1", json=INLINE).status_code == 202
