"""Skipped activations of one run: cancelled or withdrawn before they have an outcome."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from kernel.types import Json
from runs.core import EventType, Phase, Skip
from runs.engine.run.in_flight import AttemptsInFlight
from runs.engine.run.parked import ParkedSteps
from runs.engine.run.recorder import RunRecorder
from segments.catalog import Effect


@dataclass(frozen=True, slots=True)
class Skips:
    """Ends activations. ``in_background`` lets handlers clean up without anybody waiting for it."""

    recorder: RunRecorder
    flights: AttemptsInFlight
    parked: ParkedSteps
    in_background: Callable[[Coroutine[Any, Any, None]], None]

    async def skip(self, command: Skip) -> None:
        """End one activation; whether its attempt's effect is known is recorded."""
        key = command.step_id, command.activation
        if self.recorder.state.active[key].phase is Phase.PARKED:
            await self.parked.withdraw(key)
        attempt = self.flights.get(key)
        is_unknown = command.effect_unknown and (attempt is None or attempt.task is not None)
        if attempt is not None:
            self.flights.cancel(attempt)
            self.in_background(attempt.abandon())
        payload: dict[str, Json] = {"reason": command.reason, "effect": "unknown" if is_unknown else "none"}
        usage = attempt.usage if attempt else ()
        self.recorder.record(EventType.STEP_SKIPPED, payload, key, command.attempt, usage)

    async def skip_all(self, reason: str) -> None:
        """End every activation of the run."""
        state = self.recorder.state
        for key, activation in list(state.active.items()):
            is_pure = state.plan.steps[key[0]].effect is Effect.PURE
            is_unknown = not is_pure and activation.phase is Phase.RUNNING
            await self.skip(Skip(*key, activation.attempt, reason, is_unknown))
