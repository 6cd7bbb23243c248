"""Recovery of attempts that an earlier owner left without an outcome."""

from collections.abc import Iterator
from enum import Enum, auto

from runs.core import Phase, State
from runs.core.state import ActivationKey
from segments.catalog import Effect
from segments.plan import OnUnknown

LOST = "The worker was lost before the outcome of the call was recorded."


class RecoveryAction(Enum):
    """Actions on an attempt without an outcome."""

    EXECUTE = auto()
    TRY_AGAIN = auto()
    FAIL = auto()
    ASK = auto()


def recovery_actions(state: State, *, answered_seq: int) -> Iterator[tuple[ActivationKey, RecoveryAction]]:
    """Say what becomes of each: pure ones are simply executed, of others their step says what.

    Args:
        state: The run as it was left; may change while this is read.
        answered_seq: About attempts begun before this event somebody was asked, and said to try again.
    """
    for key, activation in list(state.active.items()):
        if activation.phase is not Phase.RUNNING or key in state.to_cancel:
            continue
        step = state.plan.steps[key[0]]
        if step.effect is Effect.PURE:
            yield key, RecoveryAction.EXECUTE
        elif step.on_unknown is OnUnknown.FAIL:
            yield key, RecoveryAction.FAIL
        elif step.on_unknown is OnUnknown.ASK and activation.started_seq > answered_seq:
            yield key, RecoveryAction.ASK
        else:
            yield key, RecoveryAction.TRY_AGAIN
