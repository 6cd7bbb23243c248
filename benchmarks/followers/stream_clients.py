"""Callers that follow streams, are cut off, and come again where they were."""

import asyncio
import contextlib
import json
import random
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK


class Follower:
    """One caller. It counts an event as seen once it has all of its records, and comes again behind the last one."""

    def __init__(self, base_url: str, key: str, run_id: str, start: str = "") -> None:
        self.address = urlsplit(base_url)
        self.key = key
        self.run_id = run_id
        self.cursor = start
        self.seen: list[str] = []
        self.delays: list[float] = []
        self.delays_of_missed: list[float] = []
        """Of what was written while it was away: its own absence is in them."""
        self.opened_at = 0.0
        self.is_over = False
        self.cuts = 0
        self.opened = asyncio.Event()
        self._pending: list[str] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._task = asyncio.create_task(self._follow())

    async def cut(self) -> None:
        """Lose the connection without a word, and come again a little later."""
        if not self.is_over:
            self.cuts += 1
            await self.stop()
            await asyncio.sleep(random.uniform(0.2, 2))  # noqa: S311 - spreads callers
            self.start()

    async def stop(self) -> None:
        """Lose the connection without a word."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def finished(self) -> None:
        """Return when the stream has ended by itself."""
        if self._task is not None:
            await self._task

    def _open(self) -> None:
        self.opened_at = time.time()
        self.opened.set()

    async def _follow(self) -> None:
        raise NotImplementedError  # each kind of follower reads in its own way

    def _take(self, record: dict[str, Any], cursor: str | None) -> None:
        if "event_id" not in record:
            return
        written = datetime.fromisoformat(record["timestamp"]).timestamp()
        (self.delays if written >= self.opened_at else self.delays_of_missed).append(time.time() - written)
        self._pending.append(record["event_id"])
        if cursor is not None:
            self.cursor = cursor
            self.seen += self._pending
            self._pending = []
        self.is_over = self.is_over or record["event_type"] in {"segment.completed", "segment.failed"}


class WebSocketFollower(Follower):
    """Over a WebSocket."""

    async def _follow(self) -> None:
        self._pending = []
        path, name = (f"/ws/v1/runs/{self.run_id}/", "after") if self.run_id else ("/ws/v1/events/", "cursor")
        socket = await connect(
            f"ws://{self.address.netloc}{path}?{name}={self.cursor}",
            additional_headers={"X-API-Key": self.key},
            proxy=None,
            compression=None,
            open_timeout=60,
        )
        self._open()
        try:
            with contextlib.suppress(ConnectionClosedOK):
                while True:
                    record = json.loads(await socket.recv())
                    self._take(record, record.get("cursor"))
        except ConnectionClosed as closed:
            raise RuntimeError(f"the stream broke: {closed}") from closed
        finally:
            socket.transport.abort()


class EventFollower(Follower):
    """By server-sent events."""

    async def _follow(self) -> None:
        self._pending = []
        reader, writer = await asyncio.open_connection(self.address.hostname, self.address.port)
        path = f"/api/v1/runs/{self.run_id}/events" if self.run_id else "/api/v1/events"
        cursor = f"Last-Event-ID: {self.cursor}\r\n" if self.cursor else ""
        head = f"Host: {self.address.netloc}\r\nX-API-Key: {self.key}\r\nAccept: text/event-stream\r\n{cursor}"
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in answer[:20]:
                raise RuntimeError(f"no stream: {answer!r}")
            self._open()
            await self._read(reader)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        event_id: str | None = None
        rest = b""
        while size := int(await reader.readline() or b"0", 16):
            chunk = rest + (await reader.readexactly(size + 2))[:-2]
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                if line.startswith(b"id: "):
                    event_id = line[4:].decode()
                elif line.startswith(b"data: "):
                    self._take(json.loads(line[6:]), event_id)
                    event_id = None
