"""The tenant beside an attack: small runs and probes at a steady pace, however long those before them take."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.caller import Caller, CallFailed
from benchmarks.chaos.neighbours.names import QUICK
from benchmarks.figures import percentile

RUNS_A_SECOND = 10
PROBES_A_SECOND = 10
PATIENCE_SECONDS = 20.0
SEGMENT = "neighbour"
INPUT = {"input": {"n": 1}}
OUTPUT = {"n": 3}
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"n": 2}'


@dataclass
class Seen:
    """Times the neighbour measured, in seconds; what failed counts with the time it took to fail."""

    runs: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Sum it up, in milliseconds."""
        return {
            "runs": len(self.runs),
            "run_p50_ms": _ms(self.runs, 50),
            "run_p99_ms": _ms(self.runs, 99),
            "healthz_p99_ms": _ms(self.probes, 99),
            "healthz_max_ms": _ms(self.probes, 100),
            "failures": len(self.failures),
        }


class Neighbour:
    """One tenant with a segment that calls a system of its own by name, between two transforms."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key
        self._port = 0

    async def __aenter__(self) -> "Neighbour":
        server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=512)
        self._port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing: the server ends with the event loop."""

    async def save(self) -> None:
        """Save the segment; raises CallFailed where it is refused."""
        document = _document(f"http://{QUICK}:{self._port}/")
        async with Caller(self._base_url, self._key) as caller:
            status, content = await caller.call("PUT", f"/api/v1/segments/{SEGMENT}", document)
        if status not in {200, 201}:
            raise CallFailed(f"the neighbour's segment is refused: {content[:300]!r}")

    async def watch(self, seconds: float) -> Seen:
        """Run and probe for so long."""
        seen = Seen()
        await asyncio.gather(
            _steadily(RUNS_A_SECOND, seconds, lambda: self._timed(seen, seen.runs, self._run)),
            _steadily(PROBES_A_SECOND, seconds, lambda: self._timed(seen, seen.probes, self._probe)),
        )
        return seen

    async def _timed(self, seen: Seen, into: list[float], act: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await act()
        except (OSError, TimeoutError, EOFError, CallFailed) as error:
            seen.failures.append(f"{type(error).__name__}: {error}"[:200])
        into.append(loop.time() - began)

    async def _run(self) -> None:
        async with Caller(self._base_url, self._key) as caller:
            path = f"/api/v1/segments/{SEGMENT}/runs?wait={PATIENCE_SECONDS:g}"
            body = await caller.expect(200, "POST", path, INPUT)
        if body["output"] != OUTPUT:
            raise CallFailed(f"the run ended {body['status']}: {body['error']}")

    async def _probe(self) -> None:
        async with Caller(self._base_url, "") as caller:
            await caller.expect(200, "GET", "/healthz")


async def _steadily(pace: float, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(round(pace * seconds)):
            await asyncio.sleep(max(0.0, began + number / pace - loop.time()))
            group.create_task(act())  # type: ignore[arg-type]  # an async function's


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()


def _ms(seconds: list[float], percent: float) -> float:
    return round(percentile(seconds, percent) * 1e3, 1) if seconds else 0.0


def _document(url: str) -> dict[str, Any]:
    steps = [
        {"step_id": "before", "type": "transform", "config": {"expression": "input.n + 0"}},
        {"step_id": "call", "type": "http_action", "config": {"method": "GET", "url": url}},
        {"step_id": "after", "type": "transform", "config": {"mapping": {"n": "input.n + 1"}}},
    ]
    edges = [
        {"from": "before", "to": "call"},
        {"from": "call", "from_port": "response", "to": "after"},
    ]
    return {
        "version": "1.0",
        "segment_id": SEGMENT,
        "name": "A small run of a neighbour",
        "entrypoint": "before",
        "steps": steps,
        "edges": edges,
    }
