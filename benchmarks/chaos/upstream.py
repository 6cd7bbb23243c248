"""Another system on loopback that remembers every call it gets, with its key."""

import asyncio
import json
import random
import threading
import time
from dataclasses import dataclass

from benchmarks.chaos.documents import FLAKY, HELD

SHORTEST_SECONDS, LONGEST_SECONDS = 0.05, 0.6


@dataclass(slots=True)
class Call:
    """One request.

    Attributes:
        at: When it arrived, by the steady clock.
        status: What it was answered with; 0 while it is not.
    """

    key: str
    run: str
    step: str
    at: float
    status: int = 0


class Upstream:
    """Answers ``{"n": n}`` with ``{"n": n + 1}`` after a while. Serves in the event loop that starts it.

    ``calls`` is only appended to, so that any thread may read it. ``hold`` keeps all answers back until ``release``.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.url = ""
        self._rng = random.Random(1)  # noqa: S311 - spreads answers
        self._loop: asyncio.AbstractEventLoop
        self._open = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._held: set[int] = set()
        self._answered: set[str] = set()
        self._lock = threading.Lock()

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._loop = asyncio.get_running_loop()
        self._open.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def hold(self) -> None:
        """Keep answers back from now on; callable from any thread."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def release(self) -> None:
        """Let go of the answers, and wait until they are sent; callable from any other thread."""
        asyncio.run_coroutine_threadsafe(self._release(), self._loop).result(10)

    def held(self) -> list[Call]:
        """The calls whose answers are kept back by ``hold``."""
        with self._lock:
            return [self.calls[number] for number in self._held]

    async def _release(self) -> None:
        self._open.set()
        if self._held:
            self._all_sent.clear()
            await self._all_sent.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass  # callers that are killed are what this is for
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        call = Call(fields["idempotency-key"], body["run"], body["step"], time.monotonic())
        with self._lock:
            number = len(self.calls)
            self.calls.append(call)
        if call.step.startswith(HELD):
            await reader.read(1)
            raise ConnectionResetError
        await asyncio.sleep(self._rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
        await self._wait_while_held(number)
        status = 503 if call.step.startswith(FLAKY) and call.key not in self._answered else 200
        self._answered.add(call.key)
        content = json.dumps({"n": body["n"] + (status == 200)}).encode()
        call.status = status
        writer.write(
            f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        with self._lock:
            self._held.discard(number)
        if not self._held:
            self._all_sent.set()
        await writer.drain()

    async def _wait_while_held(self, number: int) -> None:
        if self._open.is_set():
            return
        with self._lock:
            self._held.add(number)
        await self._open.wait()
