"""Log line of each attempt: its id, its outcome, its duration. Never its input or output."""

import asyncio
import logging
import time
from typing import Final

from runs.step_api.base import Defer, Emit, Next, StepCall, StepFailed, StepType, Wait
from segments.catalog import Effect

log = logging.getLogger("llmteam.attempts")

_LINE: Final = (
    "run %(run)s step %(step)s#%(activation)d (%(step_type)s) attempt %(attempt)d: %(outcome)s, %(duration_ms)d ms"
)


class AttemptLog:
    """A line at INFO for each attempt that reached out; at DEBUG for pure ones and what was only put off.

    The logger is ``llmteam.attempts``. The record's fields are those of the line, for formatters that write JSON.
    """

    def __init__(self) -> None:
        self._pure: set[str] = set()

    def wants(self, step_type: StepType) -> bool:
        """Whether a line would be written at all."""
        if step_type.effect is not Effect.PURE:
            return log.isEnabledFor(logging.INFO)
        self._pure.add(step_type.type_id)
        return log.isEnabledFor(logging.DEBUG)

    async def __call__(self, call: StepCall, run: Next) -> Emit | Wait:
        """Write the line of one attempt, however it ends."""
        began = time.monotonic()
        outcome = "crashed"
        level = logging.DEBUG if call.type_id in self._pure else logging.INFO
        try:
            answer = await run(call)
            outcome = "completed"
        except StepFailed as failure:
            outcome = failure.code
            raise
        except Defer as deferred:
            outcome, level = f"deferred:{deferred.reason}", logging.DEBUG
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            _write(level, call, outcome, began)
        return answer


def _write(level: int, call: StepCall, outcome: str, began: float) -> None:
    if not log.isEnabledFor(level):
        return
    fields = {
        "run": str(call.run_id),
        "step": call.step_id,
        "step_type": call.type_id,
        "activation": call.activation,
        "attempt": call.attempt,
        "outcome": outcome,
        "duration_ms": round((time.monotonic() - began) * 1000),
    }
    log.log(level, _LINE, fields, extra=fields)
