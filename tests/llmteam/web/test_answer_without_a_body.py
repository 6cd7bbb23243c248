"""Answers that have no body leave nothing behind that the next caller on the connection would read."""

import pytest

from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import queue_run
from tests.support.live_runs import LiveRun
from tests.support.raw_http import GET, Answer, connect, read_answer
from tests.support.server import ServerProcess

pytestmark = pytest.mark.django_db(transaction=True)

PIECE = 64 * 1024
"""Longer answers are written in several pieces."""
SHORT = "/api/v1/catalog"


def answer_and_next(server: ServerProcess, method: str, path: str, key: str) -> tuple[bytes, Answer]:
    """Give the head of an answer, and what is read behind it of a second request on the connection."""
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
    with connect(server.port) as connection:
        connection.sendall(request.encode())
        received = bytearray()
        while not received.endswith(b"\r\n\r\n"):
            received += connection.recv(1)
        connection.sendall(GET)
        return bytes(received), read_answer(connection)


@pytest.mark.parametrize("path", [SHORT, "/api/v1/runs/{run}", "/api/v1/runs/{run}/snapshot"])
def test_head_is_answered_without_a_body_however_long_it_would_be(
    server: ServerProcess, acme: Customer, path: str
) -> None:
    run_id = queue_run(acme.tenant, steps_in_a_row("input"), input=["x" * 1_000] * 150, wake_at=None)
    path = path.format(run=run_id)
    with server.caller(acme.key) as caller:
        whole = caller.get(path)
    assert whole.status_code == 200
    assert path == SHORT or len(whole.content) > PIECE

    head, following = answer_and_next(server, "HEAD", path, acme.key)

    assert head.startswith(b"HTTP/1.1 200 ")
    assert (following.status, following.json()) == (200, {"status": "ok"})


def test_a_204_tells_no_length(server: ServerProcess, acme: Customer) -> None:
    run = LiveRun(acme.tenant)
    run.write("segment.started", "segment.completed")

    head, following = answer_and_next(server, "GET", f"/api/v1/runs/{run.id}/events/stream?after=2", acme.key)

    assert head.startswith(b"HTTP/1.1 204 ")
    assert b"content-length" not in head.lower()
    assert following.status == 200
