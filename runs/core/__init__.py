"""The rules of a run, pure: no clock, no I/O, no randomness. Same events, same state."""

from runs.core.apply import apply, apply_in_pieces
from runs.core.decide import decide
from runs.core.events import (
    Command,
    Complete,
    Event,
    EventType,
    Fail,
    Ref,
    Reject,
    Skip,
    Start,
    emitted,
    failed_payload,
)
from runs.core.retries import next_retry
from runs.core.routing import emit_ports, route, route_error
from runs.core.scope import Scope
from runs.core.state import Activation, Phase, RunFacts, State, input_values, new_state

__all__ = [
    "Activation",
    "Command",
    "Complete",
    "Event",
    "EventType",
    "Fail",
    "Phase",
    "Ref",
    "Reject",
    "RunFacts",
    "Scope",
    "Skip",
    "Start",
    "State",
    "apply",
    "apply_in_pieces",
    "decide",
    "emit_ports",
    "emitted",
    "failed_payload",
    "input_values",
    "new_state",
    "next_retry",
    "route",
    "route_error",
]
