"""Pure work given to the compute pool of this process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

import orjson

from kernel.clock import utc_now
from kernel.compute.errors import ComputeBusy, ComputeLimit, ComputeUnavailable
from kernel.compute.frames import MAX_BYTES
from kernel.compute.shared import compute_pool
from kernel.json_text import JsonText
from kernel.turns.lines import Lines, TooLongInLine
from kernel.types import Json
from runs.core.scope import Scope
from runs.step_api.base import Defer, Found, StepFailed
from runs.work.errors import read_error
from runs.work.functions import WHAT
from segments.expressions import Draws

FUNCTION: Final = "step_work"
COMPUTE: Final = "compute"
PATIENCE_SECONDS: Final = 5.0
"""Longest time an attempt waits here for room in the pool before it is put off."""
AGAIN_SECONDS: Final = 0.1
DEFER_SECONDS: Final = 1.0
TURN_SECONDS: Final = 0.005
PLACES: Final = 16
"""Of one tenant's attempts in a worker, how many have work in the pool at a time; it does one after the other."""
_LEVELS: Final = {"inputs": 1, "run": 1, "tenant": 1, "steps": 2, "item": 0}
"""Levels of objects of a scope's facts that are ours; below stand values."""


_lines = Lines(PLACES)


async def compute(
    tenant: Hashable,
    function: str,
    arguments: Mapping[str, Any],
    scope: Scope,
    found: Found | None,
    *,
    draws: Draws | None = None,
) -> Json:
    """Do a piece of work in another process; the event loop goes on meanwhile.

    Args:
        tenant: Whose turn it takes.
        function: One of ``runs.work.functions.FUNCTIONS``.
        arguments: Its arguments.
        scope: The names it may use.
        found: More names, which win.
        draws: What it may draw from clock and chance.

    Raises:
        ExpressionError: As the function; LlmteamError as well.
        StepFailed: COMPUTE_LIMIT.
        Defer: The pool has no room.
    """
    try:
        answer = orjson.loads(await _in_line(tenant, partial(_packed, function, arguments, scope, found, draws)))
    except ComputeLimit as error:
        raise StepFailed(error.code, f"{WHAT[function]} too much: {error.detail}") from error
    if "error" in answer:
        raise read_error(answer["error"])
    value: Json = answer["value"]
    return value


async def _in_line(tenant: Hashable, pack: Callable[[], Awaitable[bytes]]) -> bytes:
    ends = time.monotonic() + PATIENCE_SECONDS
    try:
        async with _lines.place(tenant, patience_seconds=PATIENCE_SECONDS):
            return await _patiently(tenant, await pack(), ends)
    except (TooLongInLine, ComputeBusy, ComputeUnavailable) as error:
        raise Defer(utc_now() + timedelta(seconds=DEFER_SECONDS), COMPUTE) from error


async def _patiently(tenant: Hashable, payload: bytes, ends: float) -> bytes:
    """Ask again while other work of the tenant in this process, on bodies and schemas, has taken the room."""
    while True:
        try:
            return await compute_pool().run(tenant, FUNCTION, payload)
        except (ComputeBusy, ComputeUnavailable):
            if time.monotonic() > ends:
                raise
        await asyncio.sleep(AGAIN_SECONDS)


async def _packed(
    function: str,
    arguments: Mapping[str, Any],
    scope: Scope,
    found: Found | None,
    draws: Draws | None = None,
) -> bytes:
    """Write all the work needs as one JSON text, value by value, with turns for others in between.

    Raises:
        ComputeLimit: It is too large.
    """
    writer = _Writer()
    texts = {key: value for key, value in arguments.items() if key != "values"}
    source = orjson.dumps(texts).decode()
    facts = {name: await writer.write(fact, levels=_LEVELS[name]) for name, fact in scope.carried(source).items()}
    written = {**texts, "values": [await writer.write(value) for value in arguments.get("values", ())]}
    others = await writer.write(found or {}, levels=1)
    drawn = None if draws is None else draws.to_json()
    return orjson.dumps({"function": function, "arguments": written, "scope": facts, "found": others, "draws": drawn})


class _Writer:
    """Writes values one by one, and lets others have their turn in between."""

    def __init__(self) -> None:
        self._room = MAX_BYTES
        self._ends = time.monotonic() + TURN_SECONDS

    async def write(self, value: Any, *, levels: int = 0) -> Any:
        """Write a value as one piece; each one below some levels of objects on its own."""
        if levels and isinstance(value, dict):
            return {key: await self.write(inner, levels=levels - 1) for key, inner in value.items()}
        text = value.text if isinstance(value, JsonText) else orjson.dumps(value)
        self._room -= len(text)
        if self._room < 0:
            raise ComputeLimit(f"What it reads takes more than {MAX_BYTES} bytes.")
        if time.monotonic() >= self._ends:
            await asyncio.sleep(0)
            self._ends = time.monotonic() + TURN_SECONDS
        return orjson.Fragment(text)
