"""The HTTP server: one event loop, however many callers."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from types import ModuleType, TracebackType
from typing import Any, Self

from examples.model_server import chat_completions, messages
from examples.model_server.script import Asked, Problem, Reply, Script, echo

_FORMATS: dict[str, ModuleType] = {"/chat/completions": chat_completions, "/messages": messages}
_BACKLOG = 1024
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


class ModelServer:
    """A server on loopback; a context manager that serves from a thread, or `serve` in a loop of one's own.

    Attributes:
        script: What it answers; may be replaced while it runs.
        key: The one key it takes; None takes any.
        models: The models it has; None has any.
        lacks: Parameters it refuses, as lesser servers and some models do: ``temperature``, ``max_tokens``,
            ``max_completion_tokens``, ``stream_options``, ``json_schema``, ``json_object``, ``tool_choice``.
        latency_seconds: Waited before each answer.
        asked: Every call that was understood, in order of arrival.
        calls: How many calls arrived.
        connections: How many connections were accepted.
        abandoned: How many callers went away before their answer was complete.
        most_at_once: The most calls that were in flight at a time.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        key: str | None = None,
        models: Set[str] | None = None,
        lacks: Iterable[str] = (),
        latency_seconds: float = 0.0,
        port: int = 0,
    ) -> None:
        self.script = script
        self.key = key
        self.models = models
        self.lacks = frozenset(lacks)
        self.latency_seconds = latency_seconds
        self.port = port
        self.asked: list[Asked] = []
        self.connections = 0
        self.abandoned = 0
        self.most_at_once = 0
        self._in_flight = 0
        self.calls = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address, without a slash at the end: Anthropic's base address; OpenAI's is ``{url}/v1``."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, ready: Callable[[], object] = lambda: None) -> None:
        """Serve until cancelled or stopped; `ready` is called once the port is bound."""
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve_connection, "127.0.0.1", self.port, backlog=_BACKLOG)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        try:
            await self._stopping.wait()
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready.set)), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("The model server did not start.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(10)

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in one
        self._connections.add(task)
        try:
            while await self._serve_request(reader, writer):
                pass
        except _Abandoned:
            self.abandoned += 1
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the caller went away between two requests, or the server stops: either way this task ends here
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _serve_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tells whether the connection is fit for another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = head.rstrip("\r\n").split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        self._in_flight += 1
        self.most_at_once = max(self.most_at_once, self._in_flight)
        try:
            return await self._answer(_Exchange(reader, writer), method, target, headers, content)
        finally:
            self._in_flight -= 1

    async def _answer(
        self, exchange: "_Exchange", method: str, target: str, headers: dict[str, str], content: bytes
    ) -> bool:
        path = target.partition("?")[0]
        wire = next((module for end, module in _FORMATS.items() if path.endswith(end)), None)
        if method != "POST" or wire is None:
            return await exchange.send(404, {"detail": "Not Found"}, {})
        self.calls += 1
        name = f"{self.calls:08d}"
        own = {wire.REQUEST_ID: f"req_{name}"}
        asked, outcome = self._outcome(wire, headers, target, content)
        if isinstance(outcome, Problem):
            if outcome.amid_stream and asked is not None:
                return await exchange.stream(
                    [next(iter(wire.events(asked, Reply("Hm"), name))), wire.problem_event(outcome)], own
                )
            status, body = wire.problem_body(outcome)
            return await exchange.send(status, body, own | _retry_after(outcome))
        latency = self.latency_seconds if outcome.latency_seconds is None else outcome.latency_seconds
        await exchange.wait(latency)
        exchange.breaks_after, exchange.stalls_after = outcome.breaks_after, outcome.stalls_after
        if outcome.raw is not None:
            return await exchange.send(200, outcome.raw, own)
        if asked is not None and asked.streamed:
            return await exchange.stream(wire.events(asked, outcome, name), own)
        return await exchange.send(200, wire.plain(asked, outcome, name), own)

    def _outcome(
        self, wire: ModuleType, headers: dict[str, str], target: str, content: bytes
    ) -> tuple[Asked | None, Reply | Problem]:
        if self.key is not None and wire.key_of(headers) != self.key:
            return None, Problem("unauthorised")
        asked = wire.read(json.loads(content), headers, target, self.lacks)
        if isinstance(asked, Problem):
            return None, asked
        self.asked.append(asked)
        if self.models is not None and asked.model not in self.models:
            return asked, Problem("model_unknown")
        return asked, self.script(asked)


class _Abandoned(Exception):
    """The caller went away."""


class _Exchange:
    """One request's answer on its way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sent = 0
        self.breaks_after: int | None = None
        self.stalls_after: int | None = None

    async def wait(self, seconds: float | None) -> None:
        """Wait, unless the caller goes away."""
        if seconds == 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                with suppress(ConnectionError):  # one who leaves with something unread resets the connection
                    await self._reader.read(1)
                raise _Abandoned

    async def send(self, status: int, body: Any, headers: dict[str, str]) -> bool:
        """Send a whole answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = {"content-type": "application/json", "content-length": str(len(content))}
        self._writer.write(_head(status, headers | length))
        if not await self._write(content):
            return False
        await self._drain()
        return True

    async def stream(self, events: Iterable[bytes], headers: dict[str, str]) -> bool:
        """Send an answer in pieces."""
        kind = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}
        self._writer.write(_head(200, headers | kind))
        for event in events:
            if not await self._write(event, chunked=True):
                return False
            await self._drain()
        self._writer.write(b"0\r\n\r\n")
        await self._drain()
        return True

    async def _write(self, content: bytes, *, chunked: bool = False) -> bool:
        ends = [place for place in (self.breaks_after, self.stalls_after) if place is not None]
        left = min(ends) - self._sent if ends else len(content)
        piece = content[:left]
        self._sent += len(piece)
        if piece:
            self._writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if len(piece) == len(content):
            return True
        await self._drain()
        if self.breaks_after is None:
            await self.wait(None)
        return False

    async def _drain(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:
            raise _Abandoned from None


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _retry_after(problem: Problem) -> dict[str, str]:
    return {} if problem.retry_after is None else {"retry-after": problem.retry_after}
