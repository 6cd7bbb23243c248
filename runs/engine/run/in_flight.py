"""Attempts of one run that are in flight."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from runs.core.state import ActivationKey
from runs.engine.loop_scheduler import LoopScheduler
from runs.engine.run.attempts import Attempt
from runs.engine.run.outcomes import Outcome
from segments.catalog import Effect

LAUNCHED_AT_ONCE: Final = 16
"""Attempts that begin in one turn of the event loop."""


class AttemptsInFlight:
    """Attempts by activation, each in a task of its own; what becomes of them is fetched by the run.

    Args:
        wake: Called when there is an outcome to fetch.
        scheduler: The turns of the event loop; an attempt waits for one before it begins.
        tenant_id: Whose they are.
    """

    def __init__(self, wake: Callable[[], None], scheduler: LoopScheduler, tenant_id: UUID) -> None:
        self._wake = wake
        self._scheduler = scheduler
        self._tenant_id = tenant_id
        self._attempts: dict[ActivationKey, Attempt] = {}
        self._to_launch: list[Attempt] = []
        self._outcomes: list[tuple[Attempt, Outcome]] = []

    def __bool__(self) -> bool:
        return bool(self._attempts)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(list(self._attempts.values()))

    @property
    def wait_for_launch(self) -> bool:
        """Whether some have not begun."""
        return bool(self._to_launch)

    def get(self, key: ActivationKey) -> Attempt | None:
        """Return the attempt of an activation, if one is in flight."""
        return self._attempts.get(key)

    def add(self, attempt: Attempt) -> None:
        """Take an attempt that is to be launched with the others."""
        self._attempts[attempt.key] = attempt
        self._to_launch.append(attempt)

    def launch_now(self, attempt: Attempt) -> None:
        """Take an attempt and let it begin."""
        self._attempts[attempt.key] = attempt
        attempt.task = asyncio.create_task(self._execute(attempt))

    async def launch(self) -> None:
        """Let those begin that wait for it and were not cancelled."""
        attempts, self._to_launch = self._to_launch, []
        for number, attempt in enumerate(attempts, start=1):
            if not attempt.cancelled:
                attempt.task = asyncio.create_task(self._execute(attempt, had_turn=number == 1))
            if not number % LAUNCHED_AT_ONCE:
                await asyncio.sleep(0)

    def landed(self) -> Iterator[tuple[Attempt, Outcome]]:
        """Give those that have ended, each once; one that is cancelled before it was given is left out."""
        outcomes, self._outcomes = self._outcomes, []
        for attempt, outcome in outcomes:
            if self._attempts.get(attempt.key) is attempt:
                del self._attempts[attempt.key]
                yield attempt, outcome

    def cancel(self, attempt: Attempt) -> None:
        """End an attempt; its outcome is dropped."""
        attempt.cancelled = True
        if attempt.call is not None:
            attempt.call.abandoned.set()
        if attempt.task is not None:
            attempt.task.cancel()
        self._attempts.pop(attempt.key, None)

    def cancel_pure(self) -> None:
        """End attempts that do pure work; whoever makes them again comes to the same."""
        for attempt in self:
            if attempt.step.plan_step.effect is Effect.PURE:
                self.cancel(attempt)

    async def _execute(self, attempt: Attempt, *, had_turn: bool = False) -> None:
        if self._scheduler.is_shared and self._scheduler.must_wait(self._tenant_id, had_turn=had_turn):
            await self._scheduler.wait(self._tenant_id)
        outcome = await attempt.execute()
        if not attempt.step.cleans_up:
            # Of many attempts that end at once none keeps its call until the run has had its turn.
            attempt.forget()
        self._outcomes.append((attempt, outcome))
        self._wake()
