"""Metrics of attempts: their number, their duration, and the tokens models took in them."""

import asyncio
import time
from typing import Any

from prometheus_client import Counter

from runs.metrics import ATTEMPT_SECONDS, ATTEMPTS, DEFERRED, MODEL_COST, MODEL_TOKENS, model_labels
from runs.step_api.base import Defer, Emit, Next, StepCall, Usage, Wait
from runs.usage.amounts import record_of


class Metrics:
    """Knows each type's counters, as finding one by its labels costs more than counting."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str], Counter] = {}
        self._seconds: dict[str, Any] = {}

    async def __call__(self, call: StepCall, run: Next) -> Emit | Wait:
        """Count one attempt, however it ends."""
        began = time.monotonic()
        outcome = "failed"
        try:
            answer = await run(call)
            outcome = "completed"
        except Defer as deferred:
            outcome = "deferred"
            DEFERRED.labels(deferred.reason).inc()
            raise
        except asyncio.CancelledError:
            is_late = call.deadline is not None and time.monotonic() >= call.deadline
            outcome = "timed_out" if is_late else "cancelled"
            raise
        finally:
            self._count(call.type_id, outcome, time.monotonic() - began)
            if call.usage:
                _count_usage(call.usage)
        return answer

    def _count(self, type_id: str, outcome: str, seconds: float) -> None:
        ended = self._ended.get((type_id, outcome))
        if ended is None:
            ended = self._ended[type_id, outcome] = ATTEMPTS.labels(type_id, outcome)
            self._seconds.setdefault(type_id, ATTEMPT_SECONDS.labels(type_id))
        ended.inc()
        self._seconds[type_id].observe(seconds)


def _count_usage(usage: list[Usage]) -> None:
    """Count what the books count: whatever was said, made a count or left out."""
    for used in map(record_of, usage):
        provider, model = model_labels(str(used["provider"]), str(used["model"]))
        for direction in ("input", "output"):
            MODEL_TOKENS.labels(provider, model, direction).inc(float(str(used[f"{direction}_tokens"])))
        if used["cost"] is not None:
            MODEL_COST.labels(provider, model).inc(float(str(used["cost"])))
