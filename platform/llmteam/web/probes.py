"""``/healthz`` and ``/readyz``, answered on the event loop: no request thread is needed, no Host header looked at."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson

from foundation.asgi import Application, Receive, Scope, Send

READY_SECONDS: Final = 3.0
"""Longest time a probe waits for the parts to be looked at."""
FRESH_SECONDS: Final = 1.0
"""Time for which a finding is told again: probes, of whomever, cost one look a second."""
DEGRADED: Final = "degraded"
"""The state of a part that is away and without which requests are served still."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PartStates:
    """Findings of one look at the parts.

    Attributes:
        parts: Of each part ``ok`` or what it is instead.
        figures: Numbers that are told beside them.
    """

    parts: Mapping[str, str]
    figures: Mapping[str, int] = field(default_factory=dict)


class Readiness:
    """Looks at the parts in a thread of its own. Those who ask at the same time share one look.

    Args:
        check_parts: Blocks; tells of each part ``ok`` or what it is instead.
    """

    def __init__(self, check_parts: Callable[[], PartStates]) -> None:
        self._check_parts = check_parts
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._look: asyncio.Future[PartStates] | None = None
        self._looked_at = 0.0

    async def answer(self) -> tuple[int, Body]:
        """Answer 200 when all parts are there, or there is a way without those that are not; else 503 and which."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                found = await asyncio.shield(self._present_look())
        except TimeoutError:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unavailable", "parts": {"readiness": "silent"}}
        states, told = {*found.parts.values()}, {"parts": found.parts, **found.figures}
        if states - {"ok", DEGRADED}:
            return HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unavailable", **told}
        return HTTPStatus.OK, {"status": DEGRADED if DEGRADED in states else "ok", **told}

    def _present_look(self) -> asyncio.Future[PartStates]:
        loop = asyncio.get_running_loop()
        is_old = self._look is None or (self._look.done() and loop.time() - self._looked_at > FRESH_SECONDS)
        if self._look is None or is_old:
            self._looked_at = loop.time()
            self._look = loop.run_in_executor(self._thread, self._check_parts)
        return self._look


def with_probes(application: Application, check_parts: Callable[[], PartStates]) -> Application:
    """Answer the two probes, and pass everything else on."""
    readiness = Readiness(check_parts)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path") if scope["type"] == "http" else None
        if path == "/healthz":
            await _answer(send, HTTPStatus.OK, {"status": "ok"})
        elif path == "/readyz":
            await _answer(send, *await readiness.answer())
        else:
            await application(scope, receive, send)

    return served


async def _answer(send: Send, status: int, body: Body) -> None:
    content = orjson.dumps(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": content})
