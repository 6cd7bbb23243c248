"""A folded state in plain JSON: what can be compared, exported and read by people."""

from kernel.types import Json
from runs.core.state import State, TokenPlace


def summarise(state: State) -> dict[str, Json]:
    """Write where a run stands: what it did, what is in flight, what waits, and the output so far."""
    return {
        "over": state.over,
        "failure": None if state.failure is None else dict(state.failure),
        "activations": state.activations,
        "running": state.running,
        "counts": dict(state.counts),
        "latest": dict(state.latest),
        "active": [
            {
                "step_id": one.step_id,
                "activation": one.activation,
                "attempt": one.attempt,
                "attempts_consumed": one.consumed,
                "phase": one.phase.value,
                "started_seq": one.started_seq,
                "cancelled_by": state.to_cancel.get(key),
            }
            for key, one in state.active.items()
        ],
        "ready": [token.step_id for token in state.ready if token.place is TokenPlace.READY],
        "gathering": [
            {
                "step_id": gathering.step_id,
                "arrived": sum(len(queue) for queue in gathering.queues.values()),
                "succeeded": gathering.succeeded,
            }
            for gathering in state.gatherings.values()
        ],
        "output": state.output(),
    }
