"""Payloads of events by type, as the API describes them. Members may be added; large values are links."""

from collections.abc import Mapping
from typing import Any, Final

from kernel.types import Json
from runs.core.events import EventType

_ANY: Final[dict[str, Json]] = {}
_TEXT: Final[dict[str, Json]] = {"type": "string"}
_MAYBE: Final[dict[str, Json]] = {"type": ["string", "null"]}
_NUMBER: Final[dict[str, Json]] = {"type": "integer"}
_FLAG: Final[dict[str, Json]] = {"type": "boolean"}
_TIME: Final[dict[str, Json]] = {"type": ["string", "null"], "format": "date-time"}
_OBJECT: Final[dict[str, Json]] = {"type": "object", "additionalProperties": {}}
_EDGES: Final[dict[str, Json]] = {
    "type": "array", "items": {"type": "integer"}, "description": "Edges that fired, by index."
}  # fmt: skip
_USAGE: Final[dict[str, Json]] = {"type": "array", "items": _OBJECT, "description": "What model calls took."}
_COOKIES: Final[dict[str, Json]] = {
    **_OBJECT, "description": "Of a connection that keeps cookies: how many are kept now, and, sealed, what changed."
}  # fmt: skip
_PORTS: Final[dict[str, Json]] = {
    "oneOf": [_OBJECT, {"type": "array", "items": {"type": "string"}}],
    "description": "Values by output port; or the ports that all carry `value`.",
}
_FAILURE: Final[dict[str, Json]] = {"$ref": "#/components/schemas/Failure"}
_ASKED: Final[dict[str, Any]] = {"reason": _TEXT, "actor": _TEXT}


_RESULT: Final[dict[str, Any]] = {
    "status": _ANY,
    "duration_ms": _NUMBER,
    "cookies": _COOKIES,
    "redirects": {"type": "array", "items": _OBJECT, "description": "Those followed: `status`, then `method`, `url`."},
    "remark": {**_TEXT, "description": "What to know of it, such as that a redirect turned a POST into a GET."},
}


def _object_of(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": True,
    }


PAYLOADS: Final[Mapping[str, dict[str, Any]]] = {
    EventType.SEGMENT_STARTED: _object_of({"input": _ANY}),
    EventType.SEGMENT_COMPLETED: _object_of({"output": _ANY}),
    EventType.SEGMENT_FAILED: _object_of({"error": _FAILURE}),
    EventType.SEGMENT_CANCELLED: _object_of({}, _ASKED),
    EventType.SEGMENT_PAUSED: _object_of({}, _ASKED),
    EventType.SEGMENT_RESUMED: _object_of({}, _ASKED),
    EventType.STEP_STARTED: _object_of(
        {"inputs": {**_OBJECT, "description": "By input port: which event a value is of."}}
    ),
    EventType.STEP_COMPLETED: _object_of(
        {"ports": _PORTS, "edges": _EDGES},
        {"value": _ANY, "items": _ANY, "edge_error": _FAILURE, "usage": _USAGE},
    ),
    EventType.STEP_FAILED: _object_of({"error": _FAILURE, "edges": _EDGES}, {"edge_error": _FAILURE, "usage": _USAGE}),
    EventType.STEP_SKIPPED: _object_of({"reason": _TEXT, "effect": _TEXT}),
    EventType.STEP_RETRYING: _object_of(
        {"reason": _TEXT, "retry_at": _TIME, "consumed": _FLAG},
        {"error": _FAILURE, "waits_for": _OBJECT, "usage": _USAGE},
    ),
    EventType.STEP_WAITING: _object_of({"kind": _TEXT, "until": _TIME}, {"place": _TEXT, "resume_url": _TEXT}),
    EventType.HUMAN_TASK_CREATED: _object_of({"task_id": _TEXT, "until": _TIME}, {"url": _TEXT, "title": _TEXT}),
    EventType.HUMAN_TASK_ASSIGNED: _object_of({"task_id": _TEXT}, {"by": _ANY}),
    EventType.HUMAN_TASK_ESCALATED: _object_of({"task_id": _TEXT, "level": _NUMBER}, {"until": _TIME}),
    EventType.HUMAN_TASK_COMPLETED: _object_of(
        {"task_id": _TEXT, "decision": _MAYBE}, {"choice": _ANY, "comment": _MAYBE, "timed_out": _FLAG}
    ),
    EventType.ACTION_STARTED: _object_of(
        {}, {"method": _TEXT, "url": _TEXT, "connection": _TEXT, "idempotency_key": _TEXT}
    ),
    EventType.ACTION_COMPLETED: _object_of({}, _RESULT),
    EventType.ACTION_FAILED: _object_of({}, {"code": _TEXT, **_RESULT}),
    "data.produced": _object_of({"port": _TEXT, "value": _ANY}),
}
