"""Connections on which a test writes its own bytes, as no HTTP client would."""

import json
import socket
import time
from dataclasses import dataclass
from typing import Any

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """One answer, as far as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def connect(port: int, *, source: str = "127.0.0.1", seconds: float = 30.0) -> socket.socket:
    """Open a connection; other addresses of the loopback stand for other callers."""
    connection = socket.socket()
    connection.bind((source, 0))
    connection.settimeout(seconds)
    connection.connect(("127.0.0.1", port))
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the server closes, or resets, the connection."""
    received = bytearray()
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionError:
        pass
    return bytes(received)


def read_answer(connection: socket.socket) -> Answer:
    """Read one answer that declares its length."""
    received = bytearray()
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += _more(connection)
    return Answer(int(first.split()[1]), headers, body)


def ask(port: int, request: bytes = GET, *, source: str = "127.0.0.1") -> Answer:
    """Send one request on a connection of its own."""
    with connect(port, source=source) as connection:
        connection.sendall(request)
        return read_answer(connection)


def seconds_until_closed(connection: socket.socket, since: float) -> float:
    """Wait until the server ends the connection; tell how long after ``since`` (monotonic) that was."""
    read_to_end(connection)
    return time.monotonic() - since


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65_536)
    assert piece, "the server closed the connection before its answer was complete"
    return piece
