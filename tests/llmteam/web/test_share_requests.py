"""Requests, streams and threads are shared by tenant, and by address among those who show no key."""

import concurrent.futures
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from django.db import connection
from websockets.sync.client import connect as open_websocket

from devserver.processes import free_port
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.process_ends import eventually
from tests.support.raw_http import ask, connect
from tests.support.server import NO_TLS, ServerProcess, running_server

pytestmark = pytest.mark.django_db(transaction=True)

A_MINUTE, A_MINUTE_ANONYMOUS, IN_FLIGHT, IN_FLIGHT_ANONYMOUS, STREAMS, STREAMS_ANONYMOUS = 40, 20, 10, 5, 6, 3
RATES = {
    "REQUESTS_PER_MINUTE_PER_TENANT": f"{A_MINUTE}",
    "REQUESTS_PER_MINUTE_PER_ADDRESS": f"{A_MINUTE_ANONYMOUS}",
}
PLACES = {
    "REQUESTS_IN_FLIGHT_PER_TENANT": f"{IN_FLIGHT}",
    "REQUESTS_IN_FLIGHT_PER_ADDRESS": f"{IN_FLIGHT_ANONYMOUS}",
    "STREAMS_PER_TENANT": f"{STREAMS}",
    "STREAMS_PER_ADDRESS": f"{STREAMS_ANONYMOUS}",
}
ME = "/api/v1/me"
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(scope="module")
def few_a_minute(django_db_setup: None) -> Iterator[ServerProcess]:
    with running_server(**RATES) as server:
        yield server


@pytest.fixture(scope="module")
def few_at_once(django_db_setup: None) -> Iterator[ServerProcess]:
    with running_server(**PLACES) as server:
        yield server


def accepted(server: ServerProcess, key: str, attempts: int) -> tuple[int, httpx.Response]:
    """Send one request after the other; tell how many were not refused as too many, and the last answer."""
    with server.caller(key) as caller:
        answers = [caller.get(ME) for _ in range(attempts)]
    return sum(answer.status_code != 429 for answer in answers), answers[-1]


def test_a_tenant_s_minute_ends_at_its_bound_and_nobody_else_s_with_it(
    few_a_minute: ServerProcess, acme: Customer, globex: Customer
) -> None:
    passed, refused = accepted(few_a_minute, acme.key, A_MINUTE + 5)
    assert passed == A_MINUTE
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["X-Request-Id"] == refused.json()["request_id"]
    assert refused.json()["cap"] == A_MINUTE
    assert accepted(few_a_minute, globex.key, A_MINUTE)[0] == A_MINUTE


def test_strangers_use_up_their_address_s_minute_and_no_key_s_behind_it(
    few_a_minute: ServerProcess, acme: Customer
) -> None:
    source = {"transport": httpx.HTTPTransport(local_address="127.0.0.9", verify=NO_TLS), "base_url": few_a_minute.url}
    with httpx.Client(**source, headers={"X-API-Key": "llm_wrong"}) as stranger:  # type: ignore[arg-type]  # a dict of both
        statuses = [stranger.get(ME).status_code for _ in range(A_MINUTE_ANONYMOUS + 5)]
        assert statuses == [401] * A_MINUTE_ANONYMOUS + [429] * 5
        assert stranger.get(ME, headers={"X-API-Key": acme.key}).status_code == 429, "not known yet"
    assert ask(few_a_minute.port, source="127.0.0.9").status == 200, "probes are nobody's"
    passed, _ = accepted(few_a_minute, acme.key, 2)
    with httpx.Client(**source, headers={"X-API-Key": acme.key}) as known:  # type: ignore[arg-type]  # as above
        assert (passed, known.get(ME).status_code) == (2, 200), "a known key is its tenant's wherever it calls from"


def test_live_keys_cost_their_address_nothing(few_a_minute: ServerProcess, acme: Customer) -> None:
    from tenants.services import create_api_key  # noqa: PLC0415 - used by this test only

    keys = [create_api_key(tenant=acme.tenant, name=f"{number}").text for number in range(A_MINUTE_ANONYMOUS + 5)]
    source = {"transport": httpx.HTTPTransport(local_address="127.0.0.10", verify=NO_TLS), "base_url": few_a_minute.url}
    with httpx.Client(**source) as platform:  # type: ignore[arg-type]  # as above
        statuses = [platform.get(ME, headers={"X-API-Key": key}).status_code for key in keys]
    assert set(statuses) == {200}


@pytest.mark.soak
def test_processes_count_together_in_redis_and_each_for_itself_without(
    few_a_minute: ServerProcess, acme: Customer, globex: Customer
) -> None:
    with running_server(**RATES) as other:
        assert accepted(few_a_minute, acme.key, A_MINUTE // 2)[0] == A_MINUTE // 2
        assert accepted(other, acme.key, A_MINUTE)[0] == A_MINUTE // 2
    away = {**RATES, "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    with running_server(**away) as one, running_server(**away) as other:
        for server in (one, other):
            assert accepted(server, globex.key, A_MINUTE + 5)[0] == A_MINUTE


@contextlib.contextmanager
def waiting(server: ServerProcess, customer: Customer, number: int) -> Iterator[None]:
    """Hold so many requests in flight: they wait for runs that nobody executes."""
    with server.caller(customer.key) as caller, concurrent.futures.ThreadPoolExecutor(number) as pool:
        caller.put("/api/v1/segments/row", json=steps_in_a_row("input"))
        began = [pool.submit(caller.post, "/api/v1/segments/row/runs?wait=4", json={"input": 1}) for _ in range(number)]
        # The scrape is in flight, too.
        assert eventually(lambda: metric(server, "llmteam_http_requests_in_flight") > number, seconds=5)
        yield
        assert {one.result().status_code for one in began} == {202}


def metric(server: ServerProcess, name: str) -> float:
    with server.caller() as caller:
        lines = caller.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))


def test_requests_in_flight_have_a_bound_for_a_tenant_and_others_are_served(
    few_at_once: ServerProcess, acme: Customer, globex: Customer
) -> None:
    with few_at_once.caller(acme.key) as caller, few_at_once.caller(globex.key) as other:
        with waiting(few_at_once, acme, IN_FLIGHT):
            refused = caller.get(ME)
            assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS_IN_FLIGHT")
            assert refused.headers["Retry-After"] == "1"
            assert other.get(ME).status_code == 200
        assert caller.get(ME).status_code == 200


def open_stream(server: ServerProcess, key: str) -> Any:
    """Open a stream on a connection of its own; give it with its first bytes."""
    line = connect(server.port)
    headers = f"Host: localhost\r\nX-API-Key: {key}\r\nAccept: text/event-stream\r\n\r\n"
    line.sendall(b"GET /api/v1/events HTTP/1.1\r\n" + headers.encode())
    return line, line.recv(65_536)


def test_streams_have_a_bound_for_a_tenant_whatever_their_protocol(
    few_at_once: ServerProcess, acme: Customer, globex: Customer
) -> None:
    address = f"ws://127.0.0.1:{few_at_once.port}/ws/v1/events/"
    with contextlib.ExitStack() as held:
        for _ in range(STREAMS // 2):
            line, first = open_stream(few_at_once, acme.key)
            held.enter_context(line)
            assert b" 200 OK" in first
            held.enter_context(open_websocket(address, additional_headers={"X-API-Key": acme.key}))
        line, first = open_stream(few_at_once, acme.key)
        held.enter_context(line)
        assert b" 429 " in first
        assert b"TOO_MANY_STREAMS" in first
        with open_websocket(address, additional_headers={"X-API-Key": acme.key}) as refused:
            assert "TOO_MANY_STREAMS" in refused.recv()
            with contextlib.suppress(Exception):
                refused.recv()
            assert refused.close_code == 4429
        line, first = open_stream(few_at_once, globex.key)
        held.enter_context(line)
        assert b" 200 OK" in first
        assert metric(few_at_once, "llmteam_streams") == STREAMS + 1
    assert eventually(lambda: metric(few_at_once, "llmteam_streams") == 0, seconds=15)
    line, first = open_stream(few_at_once, acme.key)
    line.close()
    assert b" 200 OK" in first


@contextlib.contextmanager
def locked_segments(customer: Customer) -> Iterator["psycopg.Connection[Any]"]:
    """Hold the rows of a tenant's segments until the transaction is rolled back."""
    told = connection.settings_dict
    login = {"host": told["HOST"], "port": told["PORT"], "user": told["USER"], "password": told["PASSWORD"]}
    with psycopg.connect(**login, dbname=told["NAME"]) as blocker:
        query = "select id from segments_segment where tenant_id = %s for update"
        assert blocker.execute(query, [customer.tenant.id]).fetchall()
        yield blocker


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.soak
def test_one_tenant_s_slow_requests_leave_a_thread_for_others(
    server: ServerProcess, acme: Customer, globex: Customer
) -> None:
    """Acme's requests wait for a row of acme's that is locked; as many as may do so hold a thread each.

    That is two beside requests of others, and five where these were longer ago.
    """
    with server.caller(acme.key) as caller, server.caller(globex.key) as other:
        path, other_content = "/api/v1/segments/row", steps_in_a_row("input", "1")
        caller.put(path, json=steps_in_a_row("input"))
        with locked_segments(acme) as blocker, concurrent.futures.ThreadPoolExecutor(40) as pool:
            saved = [pool.submit(caller.put, path, json=other_content) for _ in range(40)]
            assert eventually(lambda: waiting_for_locks() >= 2, seconds=10), waiting_for_locks()
            assert metric(server, 'llmteam_request_threads_waiting{pool="request"}') > 20
            began = time.monotonic()
            for _ in range(20):
                assert other.get("/api/v1/segments").status_code == 200
            took = time.monotonic() - began
            assert waiting_for_locks() in range(2, 6)
            blocker.rollback()
            assert {one.result().status_code for one in saved} <= {200, 201, 409, 412}
    print(f"20 requests of another tenant took {took:.2f} s while one tenant's 40 stood still")
    assert took < 4


HEAVY = {"document": steps_in_a_row(*[f"input + {number}" for number in range(120)])}
"""Of less than 16 KiB: validated in a request thread, in some tens of milliseconds."""
LOOKS = 40


def answered_beside(other: Customer, customer: Customer, share: str) -> int:
    """Tell how many requests of one customer that compute much are answered while another asks now and then."""
    with (
        running_server(REQUESTS_SHARE_BESIDE_OTHERS=share) as server,
        server.caller(customer.key) as heavy,
        server.caller(other.key) as light,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        assert light.get(ME).status_code == heavy.get(ME).status_code == 200
        is_over = threading.Event()
        answers: list[int] = []

        def compute() -> None:
            while not is_over.is_set():
                answers.append(heavy.post("/api/v1/segments/validate", json=HEAVY).status_code)

        computing = pool.submit(compute)
        for _ in range(LOOKS):
            assert light.get(ME).status_code == 200
            is_over.wait(0.1)
        is_over.set()
        computing.result()
    assert set(answers) == {200}
    return len(answers)


@pytest.fixture
def short_of_processors() -> Iterator[None]:
    """Have other programs fill all processors."""
    busy = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(busy) for _ in os.sched_getaffinity(0)]
    yield
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.soak
@pytest.mark.usefixtures("short_of_processors")
def test_a_tenant_that_computes_much_rests_while_another_computes_less(acme: Customer, globex: Customer) -> None:
    assert answered_beside(globex, acme, share="0.01") < answered_beside(globex, acme, share="1") / 3
