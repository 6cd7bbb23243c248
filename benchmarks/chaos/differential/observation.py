"""One run through the API: started, perhaps paused and resumed, and read when it is over."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from benchmarks.chaos.differential.variants import Outcome
from benchmarks.chaos.load import Accepted, Client
from tests.reference.interpreter import Result
from tests.reference.schedules import Label

LOOK_SECONDS = 0.25
END_SECONDS = 120.0
FIRST_PAUSE_SECONDS, PAUSE_SECONDS = 0.6, 0.5
"""Until when a run is paused after its start, and for how long at most."""
MOST_PAUSES = 4
"""So often a run is asked to pause until it truly does."""
OUTCOMES = {"step.completed", "step.failed"}
ENDED = {"completed", "failed", "cancelled", "stalled", "timed_out"}
PAGE = 250


@dataclass(frozen=True, slots=True)
class Observed:
    """A run that is over: how it ended, the order in which its steps did, whether it was truly paused."""

    run_id: UUID
    result: Result
    finished: list[Label]
    paused: bool

    @property
    def outcome(self) -> Outcome:
        """The result without the activations."""
        return outcome_of(self.result)


def outcome_of(result: Result) -> Outcome:
    """Leave the activations out."""
    return result.status, result.output, result.error


class Observer:
    """Starts runs, and watches them to their end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.accepted = Accepted()
        self.started: list[UUID] = []

    async def run(self, segment: Mapping[str, Any], run_input: Any, *, key: str, pauses: Random | None) -> Observed:
        """Run a segment; with a random, pause and resume it at moments of its choice.

        Raises:
            RuntimeError: It is refused.
            TimeoutError: It does not end.
        """
        started = await self._client.start_inline(segment, run_input, key=key, accepted=self.accepted)
        return await self._watch(started, pauses)

    async def replay(self, run_id: UUID, activation: Label, *, key: str) -> Observed:
        """Replay a run from an activation; raises as ``run``."""
        step_id, number = activation
        label = f"{step_id}#{number}"
        return await self._watch(await self._client.replay(run_id, label, key=key, accepted=self.accepted), None)

    async def _watch(self, run_id: UUID | None, pauses: Random | None) -> Observed:
        if run_id is None:
            raise RuntimeError(self.accepted.refused[-1])
        self.started.append(run_id)
        try:
            async with asyncio.timeout(END_SECONDS):
                if pauses is not None:
                    await self._pause(run_id, pauses)
                run = await self._until(run_id, ENDED)
                return self._observed(run_id, run, await self._journal(run_id))
        except TimeoutError:
            await self._client.cancel(run_id, accepted=self.accepted)
            raise

    async def _pause(self, run_id: UUID, random: Random) -> None:
        """Pause and resume until the run was truly paused once, or is over."""
        for _ in range(MOST_PAUSES):
            await asyncio.sleep(random.uniform(0, FIRST_PAUSE_SECONDS))
            if not await self._client.command("pause", run_id, accepted=self.accepted):
                return
            if (await self._until(run_id, ENDED | {"paused"}))["status"] != "paused":
                return
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS))
            await self._client.command("resume", run_id, accepted=self.accepted)
            if random.random() < 0.5:
                return

    async def _until(self, run_id: UUID, statuses: set[str]) -> Mapping[str, Any]:
        while True:
            run: Mapping[str, Any] = await self._client.read(f"/api/v1/runs/{run_id}")
            if run["status"] in statuses:
                return run
            await asyncio.sleep(LOOK_SECONDS)

    async def _journal(self, run_id: UUID) -> list[Mapping[str, Any]]:
        events: list[Mapping[str, Any]] = []
        while True:
            after = events[-1]["seq"] if events else 0
            page = await self._client.read(f"/api/v1/runs/{run_id}/events?limit={PAGE}&after={after}")
            events += page["data"]
            if len(page["data"]) < PAGE:
                return events

    def _observed(self, run_id: UUID, run: Mapping[str, Any], journal: list[Mapping[str, Any]]) -> Observed:
        finished = [(event["step_id"], event["activation"]) for event in journal if event["event_type"] in OUTCOMES]
        error = run.get("error")
        result = Result(
            run["status"],
            run["output"],
            (error["code"], error["step_id"]) if error else None,
            dict(Counter(step_id for step_id, _ in finished)),
        )
        paused = any(event["event_type"] == "segment.paused" for event in journal)
        return Observed(run_id, result, finished, paused)
