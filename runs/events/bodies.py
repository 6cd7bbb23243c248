"""Events of runs as callers see them."""

from collections.abc import Mapping
from typing import Any

from runs.core.severities import severity_of
from runs.journals.records import EventRecord
from runs.models import Run


def event_body(run: Run, step_types: Mapping[str, str], record: EventRecord) -> dict[str, Any]:
    """Fill an ``EventShape``."""
    event = record.event
    return {
        "event_id": record.event_id,
        "seq": event.seq,
        "event_type": record.event_type,
        "timestamp": event.created_at,
        "tenant_id": run.tenant_id,
        "run_id": run.id,
        "segment_id": run.segment_id,
        "step_id": event.step_id,
        "step_type": step_types.get(event.step_id or ""),
        "activation": event.activation,
        "attempt": event.attempt,
        "severity": severity_of(record.event_type, record.payload),
        "correlation_id": run.client_reference or str(run.id),
        "payload": record.payload,
        "duration_ms": record.duration_ms,
        **error_member(record.payload.get("error") if record.event_type == event.type else None),
    }


def step_types_of(run: Run) -> dict[str, str]:
    """Read each step's type out of the run's revision."""
    return {step["step_id"]: step["type"] for step in run.revision.definition["steps"]}


def error_member(error: Any) -> dict[str, Any]:
    """Return the member ``error`` of an answer, if there is an error.

    Callers such as n8n take the presence of the key for a failure, whatever its value, and repeat what has succeeded.
    """
    return {"error": error} if error else {}
