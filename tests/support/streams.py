"""Readers of streams, as callers write them."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.server import ServerProcess

PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Sent:
    """One event of a stream; ``id`` as the stream gave it, empty where it gave none."""

    id: str
    data: dict[str, Any]


class EventReader:
    """Reads server-sent events. Comments are kept apart."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.comments: list[str] = []
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[Sent]:
        event_id = data = ""
        for line in self._lines:
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line.startswith("id: "):
                event_id = line[4:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and data:
                yield Sent(event_id, json.loads(data))
                event_id = data = ""

    def take(self, count: int) -> list[Sent]:
        found: list[Sent] = []
        for sent in self:
            found.append(sent)
            if len(found) == count:
                return found
        raise AssertionError(f"the stream ended after {len(found)} of {count}: {self.comments}")


@contextlib.contextmanager
def event_stream(server: ServerProcess, key: str, path: str, **headers: str) -> Iterator[EventReader]:
    """Open a stream over HTTP."""
    with (
        server.caller(key, Accept="text/event-stream", **headers) as caller,
        caller.stream("GET", f"/api/v1{path}") as response,
    ):
        yield EventReader(response)


@contextlib.contextmanager
def websocket(
    server: ServerProcess, path: str, *, key: str = "", origin: str | None = None
) -> Iterator[ClientConnection]:
    """Open a WebSocket."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with connect(
        f"{server.url.replace('http', 'ws')}{path}",
        additional_headers=headers,
        origin=origin,  # type: ignore[arg-type]  # any text, also a wrong one
        proxy=None,
        max_size=None,
    ) as socket:
        yield socket


def message(socket: ClientConnection) -> dict[str, Any]:
    """The next message."""
    found: dict[str, Any] = json.loads(socket.recv(timeout=PATIENCE_SECONDS))
    return found


def until_closed(socket: ClientConnection) -> tuple[list[dict[str, Any]], int]:
    """Everything up to the end, and the code it was closed with."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            found.append(message(socket))
        except ConnectionClosed as closed:
            return found, 1006 if closed.rcvd is None else closed.rcvd.code
