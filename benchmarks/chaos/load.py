"""A careful client of the load: starts each run with a key, and again with that key until one start is accepted."""

import asyncio
import json
import random
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from benchmarks.caller import Caller, CallFailed
from benchmarks.chaos import documents

PATIENCE_SECONDS = 90.0
CALL_SECONDS = 5.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 2.0
ASKED_TWICE = 0.2
"""Share of the accepted starts that are sent once more, with their key."""
TRANSIENT = (OSError, TimeoutError, asyncio.IncompleteReadError, CallFailed)


@dataclass(slots=True)
class Accepted:
    """The API's answers to one batch of starts.

    Attributes:
        outputs: What each accepted run is to end with.
        failures: How many tries got no answer, or one that asks for another try.
        doubled: Keys that were answered with two runs.
        refused: Answers that no retry mends.
    """

    outputs: dict[UUID, int] = field(default_factory=dict)
    failures: int = 0
    doubled: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Client:
    """Calls the API; all methods run in the event loop of the load."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key
        self._rng = random.Random(2)  # noqa: S311 - spreads retries

    async def save(self, document: dict[str, Any]) -> None:
        """Save a segment.

        Raises:
            CallFailed: It is refused.
        """
        status, content = await self._call("PUT", f"/api/v1/segments/{document['segment_id']}", document)
        if status not in {200, 201}:
            raise CallFailed(f"{document['segment_id']} is refused: {content[:500]!r}")

    async def start(self, segment_id: str, n: int, *, key: str, accepted: Accepted) -> UUID | None:
        """Start one run, whatever it takes; None when it is refused for good, or nobody answers for long."""
        path, headers = f"/api/v1/segments/{segment_id}/runs", {"Idempotency-Key": key}
        return await self._until_accepted(path, {"input": {"n": n}}, headers=headers, accepted=accepted)

    async def start_inline(self, segment: Any, run_input: Any, *, key: str, accepted: Accepted) -> UUID | None:
        """Start a run of a segment that is not saved, as patiently."""
        body, headers = {"segment": segment, "input": run_input}, {"Idempotency-Key": key}
        return await self._until_accepted("/api/v1/runs", body, headers=headers, accepted=accepted)

    async def replay(self, run_id: UUID, activation: str, *, key: str, accepted: Accepted) -> UUID | None:
        """Replay a run from an activation (``step_id#n``), as patiently."""
        path, headers = f"/api/v1/runs/{run_id}/replay", {"Idempotency-Key": key}
        body = {"from_activation": activation}
        return await self._until_accepted(path, body, headers=headers, accepted=accepted)

    async def read(self, path: str) -> Any:
        """Read what the API shows, until it answers.

        Raises:
            CallFailed: It refuses.
            TimeoutError: Nobody answers for long.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(*TRANSIENT):
                    status, content = await self._call("GET", path, None)
                    if status == 200:
                        return json.loads(content)
                    if 400 <= status < 500 and status != 429:
                        break
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
        raise CallFailed(f"{path}: {status} {content[:200]!r}")

    async def cancel(self, run_id: UUID, *, accepted: Accepted) -> bool:
        """Cancel a run, as patiently; return False when it is over already."""
        return await self.command("cancel", run_id, accepted=accepted)

    async def command(self, name: str, run_id: UUID, *, accepted: Accepted) -> bool:
        """Cancel, pause or resume a run, as patiently; return False when it is in no state for that."""
        path = f"/api/v1/runs/{run_id}/{name}"
        answer = await self._until_accepted(path, {}, headers={}, accepted=accepted, final=frozenset({409}))
        return answer is not None

    async def start_many(
        self, count: int, *, seconds: float, prefix: str, stopped: threading.Event | None = None
    ) -> Accepted:
        """Start runs of the load in turn, spread evenly, until stopped; some starts are sent twice."""
        accepted = Accepted()

        async def one(number: int) -> None:
            left = number * seconds / count
            while left > 0 and not (stopped is not None and stopped.is_set()):
                await asyncio.sleep(min(left, 1.0))
                left -= 1.0
            if stopped is not None and stopped.is_set():
                return
            segment, _, output = documents.LOAD[number % len(documents.LOAD)]
            segment_id, key = segment("")["segment_id"], f"{prefix}-{number}"
            run_id = await self.start(segment_id, number, key=key, accepted=accepted)
            if run_id is None:
                return
            accepted.outputs[run_id] = output(number)
            if self._rng.random() < ASKED_TWICE:
                again = await self.start(segment_id, number, key=key, accepted=accepted)
                if again != run_id:
                    accepted.doubled.append(key)

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(number))
        return accepted

    async def _until_accepted(
        self,
        path: str,
        body: Any,
        *,
        headers: dict[str, str],
        accepted: Accepted,
        final: frozenset[int] = frozenset(),
    ) -> UUID | None:
        """Post until the answer is a run (its id), one of the final statuses (None), or a refusal (None, noted)."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                status, content = await self._call("POST", path, body, headers)
            except TRANSIENT:
                status, content = 0, b""
            if status in {200, 202}:
                return UUID(json.loads(content)["run_id"])
            if status in final:
                return None
            if 400 <= status < 500 and status not in {409, 429}:
                accepted.refused.append(f"{path}: {status} {content[:200]!r}")
                return None
            accepted.failures += 1
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.5))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        accepted.refused.append(f"{path}: nobody accepted it")
        return None

    async def _call(
        self, method: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        async with asyncio.timeout(CALL_SECONDS), Caller(self._base_url, self._key) as caller:
            return await caller.call(method, path, body, headers)
