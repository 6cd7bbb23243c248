"""The facts of a run, as the journal holds them, and the commands the core answers with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from kernel.types import Json


class EventType(StrEnum):
    """Every event type a journal may hold."""

    SEGMENT_STARTED = "segment.started"
    SEGMENT_COMPLETED = "segment.completed"
    SEGMENT_FAILED = "segment.failed"
    SEGMENT_CANCELLED = "segment.cancelled"
    SEGMENT_PAUSED = "segment.paused"
    SEGMENT_RESUMED = "segment.resumed"
    STEP_STARTED = "step.started"
    STEP_COMPLETED = "step.completed"
    STEP_FAILED = "step.failed"
    STEP_SKIPPED = "step.skipped"
    STEP_RETRYING = "step.retrying"
    STEP_WAITING = "step.waiting"
    HUMAN_TASK_CREATED = "human.task_created"
    HUMAN_TASK_ASSIGNED = "human.task_assigned"
    HUMAN_TASK_ESCALATED = "human.task_escalated"
    HUMAN_TASK_COMPLETED = "human.task_completed"
    ACTION_STARTED = "action.started"
    ACTION_COMPLETED = "action.completed"
    ACTION_FAILED = "action.failed"


TASK_NEWS = frozenset({EventType.HUMAN_TASK_ASSIGNED, EventType.HUMAN_TASK_ESCALATED, EventType.HUMAN_TASK_COMPLETED})
"""Events that may become of a human task once it is there."""
OF_TASKS = TASK_NEWS | {EventType.HUMAN_TASK_CREATED}
USAGE = "usage"
"""Member of an outcome's payload: what model calls of the attempt took."""
REPLAYED_FROM = "replayed_from"
"""Member of a copied event's payload: which event of which run it repeats."""


class Event(NamedTuple):
    """One fact. ``attempt`` counts the starts of an activation from 1; ``at`` is when, in seconds since 1970.

    Payloads: ``segment.started {input}``; ``step.started {inputs: {port: ref | [ref]}}``;
    ``step.completed {ports: {port: value}, edges: [index]}`` or, when every port carries the same value,
    ``{ports: [port], value, edges, items?}``, in both with ``edge_error`` when the condition of an edge failed;
    ``step.failed {error, edges, edge_error?}``, with it when the condition of an error edge failed: none took it;
    ``step.skipped {reason, effect}``;
    ``step.retrying {error?, reason, retry_at, consumed}``;
    ``step.waiting {kind, until}``, of a call with ``place`` and ``resume_url``;
    ``segment.completed {output, warnings?}``; ``segment.failed {error}``; ``segment.cancelled {reason}``;
    ``human.task_created {task_id, until, url, ...}``, and the other events of a human task likewise, with ``until``
    when its step is looked at next (null: never). Outcomes of steps may have ``usage``, ends of actions ``cookies``.
    A ref is ``{seq, port, item?}``: which event a value came from.
    """

    seq: int
    type: EventType
    payload: Mapping[str, Json]
    step_id: str | None = None
    activation: int | None = None
    attempt: int | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Ref:
    """Place of a value: the port of an event, and the item of a split."""

    seq: int
    port: str
    item: int | None = None

    def to_dict(self) -> dict[str, Json]:
        """Write the reference as the journal holds it."""
        written: dict[str, Json] = {"seq": self.seq, "port": self.port}
        if self.item is not None:
            written["item"] = self.item
        return written


@dataclass(frozen=True, slots=True)
class Start:
    """Append ``step.started`` with ``inputs``, apply it, then execute the attempt."""

    step_id: str
    activation: int
    attempt: int
    inputs: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Skip:
    """Cancel the attempt (if one is in flight), append ``step.skipped``."""

    step_id: str
    activation: int
    attempt: int
    reason: str
    effect_unknown: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """Append ``step.failed`` with these members: the activation failed by rule, no handler is called."""

    step_id: str
    activation: int
    attempt: int
    error: Mapping[str, Json]
    edges: tuple[int, ...]
    edge_error: Mapping[str, Json] | None = None

    @property
    def payload(self) -> dict[str, Json]:
        """The payload of the event."""
        return failed_payload(self.error, self.edges, self.edge_error)


@dataclass(frozen=True, slots=True)
class Complete:
    """Append ``segment.completed``."""

    output: Json


@dataclass(frozen=True, slots=True)
class Fail:
    """Append ``segment.failed``."""

    error: Mapping[str, Json]


Command = Start | Skip | Reject | Complete | Fail


def failed_payload(
    error: Mapping[str, Json], edges: Sequence[int], edge_error: Mapping[str, Json] | None
) -> dict[str, Json]:
    """Write the payload of a ``step.failed``."""
    payload: dict[str, Json] = {"error": dict(error), "edges": list(edges)}
    return payload if edge_error is None else {**payload, "edge_error": dict(edge_error)}


def emitted(payload: Mapping[str, Json]) -> dict[str, Json]:
    """Read the values by port out of a ``step.completed`` payload, in either of its two forms."""
    ports = payload["ports"]
    if isinstance(ports, list):
        return {str(port): payload["value"] for port in ports}
    if isinstance(ports, dict):
        return ports
    raise TypeError("ports of step.completed is an object or a list")
