"""What no HTTP library would send, over a real socket to a real server: no 500, and the server goes on."""

import contextlib
import re
import socket

import pytest

from tests.conftest import Customer
from tests.support.raw_http import read_to_end
from tests.support.server import ServerProcess

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = {
    "NUL in the path": "GET /api/v1/runs/a%00b HTTP/1.1",
    "broken percent": "GET /api/v1/segments/%E0%A4%A HTTP/1.1",
    "not UTF-8": "GET /api/v1/segments/%ff%fe HTTP/1.1",
    "dots": "GET /api/v1/../../etc/passwd HTTP/1.1",
    "encoded slash": "GET /api/v1/segments/a%2f..%2fb HTTP/1.1",
    "two slashes": "GET //api/v1/me HTTP/1.1",
    "broken query": "GET /api/v1/runs?limit=%zz&cursor=%ff HTTP/1.1",
    "unknown method": "BREW /api/v1/runs HTTP/1.1",
    "absolute address": "GET http://127.0.0.1/api/v1/nothing HTTP/1.1",
    "odd length": "POST /api/v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: x",
    "negative length": "POST /api/v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -5",
    "odd trace": "GET /api/v1/nothing HTTP/1.1\r\ntraceparent: \xff\x01",
    "odd key": "POST /api/v1/runs HTTP/1.1\r\nContent-Type: application/json\r\n"
    "Content-Length: 2\r\nIdempotency-Key: \xff",
}


def send(server: ServerProcess, customer: Customer, head: str, body: bytes = b"{}") -> tuple[int, bytes]:
    lines = f"{head}\r\nHost: 127.0.0.1\r\nX-API-Key: {customer.key}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        with contextlib.suppress(ConnectionError):  # the server reads no further once it has refused
            line.sendall(lines.encode("latin-1") + (body if head.startswith("POST") else b""))
        answer = read_to_end(line)
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return (int(found[1]), answer) if found else (0, answer)


def test_nothing_on_the_wire_is_a_500(acme: Customer, server: ServerProcess) -> None:
    assert send(server, acme, "GET /api/v1/me HTTP/1.1")[0] == 200
    for name, head in REQUESTS.items():
        status, answer = send(server, acme, head)
        assert status == 0 or 400 <= status < 500, (name, answer[:300])
    assert send(server, acme, "GET /api/v1/me HTTP/1.1")[0] == 200


def test_a_body_in_pieces_is_bounded_too(acme: Customer, server: ServerProcess) -> None:
    head = "POST /api/v1/segments/validate HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
    small = b'6\r\n{"colo\r\n9\r\nur": "a"}\r\n0\r\n\r\n'
    status, answer = send(server, acme, head, small)
    assert status == 200
    assert b"colour" in answer, "the pieces were read as one body"
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    status, answer = send(server, acme, head, piece * 17 + b"0\r\n\r\n")
    assert status == 413
    assert b'"code":"TOO_LARGE"' in answer


def test_a_body_of_ten_mebibytes_is_a_413(acme: Customer, server: ServerProcess) -> None:
    body = b" " * 10 * 1024 * 1024
    head = f"POST /api/v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    assert send(server, acme, head, body)[0] == 413
