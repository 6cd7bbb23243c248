"""Bodies of callbacks. Pure: the same facts always give the same bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from kernel.types import Json
from runs.core import EventType
from runs.core.events import OF_TASKS

MAX_BYTES: Final = 20_000
"""A body is shorter."""
MAX_MESSAGE_LENGTH: Final = 500
ENDS: Final = (EventType.SEGMENT_COMPLETED, EventType.SEGMENT_FAILED, EventType.SEGMENT_CANCELLED)
TASKS: Final = tuple(sorted(OF_TASKS))
EVENTS: Final = (
    *(EventType.SEGMENT_STARTED, *ENDS, EventType.SEGMENT_PAUSED, EventType.SEGMENT_RESUMED),
    *(EventType.STEP_WAITING, *TASKS),
)

_STATUSES: Final = {
    EventType.SEGMENT_STARTED: "running",
    EventType.SEGMENT_COMPLETED: "completed",
    EventType.SEGMENT_FAILED: "failed",
    EventType.SEGMENT_CANCELLED: "cancelled",
    EventType.SEGMENT_PAUSED: "paused",
    EventType.SEGMENT_RESUMED: "running",
    EventType.STEP_WAITING: "waiting",
    **dict.fromkeys(TASKS, "waiting"),
    EventType.HUMAN_TASK_COMPLETED: "running",
}


@dataclass(frozen=True, slots=True)
class DeliveredFact:
    """An event of a run, and what its callback is told of the run.

    ``payload`` is the event's; None where it is too large to be read, let alone told.
    """

    run_id: UUID
    segment_id: str
    client_reference: str
    metadata: Json
    event_type: str
    at: datetime
    payload: dict[str, Json] | None
    runs_url: str
    step_id: str | None = None
    activation: int | None = None


def write_body(fact: DeliveredFact, *, most: int = MAX_BYTES) -> str:
    """Write the body, shorter than so many bytes.

    What does not fit is left out, first the output, then the details of an error or the end of a comment, then the
    metadata, then all of a task but its id; ``output_url`` says where the whole run can be read.
    """
    for body in _from_whole_to_least(fact):
        text = orjson.dumps(body)
        if len(text) < most:
            break
    return text.decode()


def _from_whole_to_least(fact: DeliveredFact) -> Iterator[dict[str, Json]]:
    payload = fact.payload
    head = _head(fact)
    address: dict[str, Json] = {"output_url": f"{fact.runs_url}/{fact.run_id}"}
    metadata: dict[str, Json] = {"metadata": fact.metadata}
    if fact.event_type == EventType.SEGMENT_COMPLETED:
        if payload is not None:
            warnings = {"warnings": payload["warnings"]} if "warnings" in payload else {}
            yield {**head, **metadata, "output": payload.get("output"), **warnings}
        yield {**head, **metadata, **address}
    elif fact.event_type == EventType.SEGMENT_FAILED:
        if payload is not None:
            yield {**head, **metadata, "error": payload.get("error")}
        head["error"] = _short_error(payload)
        yield {**head, **metadata, **address}
    elif fact.event_type == EventType.STEP_WAITING:
        yield {**head, **metadata, "wait": payload}
        yield {**head, **address, "wait": payload}
    elif fact.event_type in OF_TASKS:
        yield from _of_task(payload, head, metadata, address)
    else:
        # Of steps the payload is told: webhook endpoints may ask for them, callbacks may not.
        if payload is not None and fact.event_type not in EVENTS:
            yield {**head, **metadata, "payload": payload}
        yield {**head, **metadata}
    yield {**head, **address}


def _of_task(
    payload: dict[str, Json] | None, head: dict[str, Json], metadata: dict[str, Json], address: dict[str, Json]
) -> Iterator[dict[str, Json]]:
    yield {**head, **metadata, "task": payload}
    head["task"] = _short_task(payload)
    yield {**head, **metadata}
    yield {**head, **address}
    head["task"] = {"task_id": (payload or {}).get("task_id")}
    yield {**head, **metadata}


def _head(fact: DeliveredFact) -> dict[str, Json]:
    head: dict[str, Json] = {
        "type": fact.event_type,
        "timestamp": fact.at.isoformat().replace("+00:00", "Z"),
        "run_id": str(fact.run_id),
        "segment_id": fact.segment_id,
        "status": _status(fact),
        "client_reference": fact.client_reference or None,
    }
    if fact.step_id is not None:
        head |= {"step_id": fact.step_id, "activation": fact.activation}
    if fact.event_type in (EventType.SEGMENT_PAUSED, EventType.SEGMENT_RESUMED, EventType.SEGMENT_CANCELLED):
        head["reason"] = (fact.payload or {}).get("message") or (fact.payload or {}).get("reason")
    return head


def _status(fact: DeliveredFact) -> str:
    """Say where the event leaves the run, in the words of a run's status."""
    payload = fact.payload or {}
    error = payload.get("error")
    if isinstance(error, dict) and error.get("code") == "RUN_TIMED_OUT":
        return "timed_out"
    if fact.event_type == EventType.SEGMENT_PAUSED and payload.get("reason") == "stalled":
        return "stalled"
    return _STATUSES.get(EventType(fact.event_type), "running")


def _short_task(payload: dict[str, Json] | None) -> dict[str, Json]:
    """Keep all but the end of a comment."""
    short = dict(payload or {})
    if isinstance(short.get("comment"), str):
        short["comment"] = str(short["comment"])[:MAX_MESSAGE_LENGTH]
    return short


def _short_error(payload: dict[str, Json] | None) -> Json:
    """Keep of an error what names it."""
    error = (payload or {}).get("error")
    if not isinstance(error, dict):
        return {"code": "ERROR_TOO_LARGE", "message": "The error is too large for this message."}
    short = {name: error.get(name) for name in ("code", "step_id", "activation", "attempts")}
    return {**short, "message": str(error.get("message"))[:MAX_MESSAGE_LENGTH]}
