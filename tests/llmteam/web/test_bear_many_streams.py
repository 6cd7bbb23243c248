"""Three thousand streams asked for with one key: those over its bound are refused, and others do not notice."""

import contextlib
import selectors
import socket
import statistics
import time
from collections.abc import Callable
from functools import partial

import httpx
import pytest
from django.conf import settings

from tests.conftest import Customer
from tests.support.live_runs import LiveRun
from tests.support.raw_http import connect
from tests.support.server import running_server

ASKED, BOUND = 3_000, 500


@pytest.mark.django_db(transaction=True)
@pytest.mark.soak
def test_three_thousand_streams_on_one_key_end_at_its_bound_and_leave_others_alone(
    acme: Customer, globex: Customer
) -> None:
    with running_server() as server, server.caller(globex.key) as neighbour, contextlib.ExitStack() as held:
        idle = measure(neighbour)
        opened = [
            held.enter_context(connect(server.port, source=f"127.0.0.{2 + number % 4}")) for number in range(ASKED)
        ]
        began = time.monotonic()
        request = f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {acme.key}\r\n"
        for line in opened:
            line.sendall(f"{request}Accept: text/event-stream\r\n\r\n".encode())
        first = read_first(opened)
        took = time.monotonic() - began
        assert first.count(b"HTTP/1.1 200") == BOUND
        assert first.count(b"HTTP/1.1 429") == ASKED - BOUND
        run = LiveRun(acme.tenant)
        run.write("segment.started")
        crowded = measure(neighbour, meanwhile=partial(advance, run))
    print(f"{ASKED} asked, {BOUND} open after {took:.1f} s; another's p50 {idle:.1f} ms idle, {crowded:.1f} ms then")
    assert crowded < max(3 * idle, 50)


def advance(run: LiveRun) -> None:
    """Have every stream of the tenant told of four events."""
    run.steps(2)
    run.tell(settings.REDIS_URL)


def measure(caller: httpx.Client, meanwhile: Callable[[], None] | None = None) -> float:
    """The median of 60 calls, in ms, with something done every few of them."""
    took = []
    for number in range(60):
        if meanwhile is not None and number % 6 == 0:
            meanwhile()
        began = time.monotonic()
        assert caller.get("/api/v1/me").status_code == 200
        took.append(1000 * (time.monotonic() - began))
    return statistics.median(took)


def read_first(connections: list[socket.socket]) -> list[bytes]:
    """Read the status line of every answer, in the order they come."""
    looking = selectors.DefaultSelector()
    for connection in connections:
        looking.register(connection, selectors.EVENT_READ)
    first: list[bytes] = []
    deadline = time.monotonic() + 60
    while looking.get_map() and time.monotonic() < deadline:
        for key, _ in looking.select(1):
            assert isinstance(key.fileobj, socket.socket)
            first.append(key.fileobj.recv(65_536)[:12])
            looking.unregister(key.fileobj)
    return first
