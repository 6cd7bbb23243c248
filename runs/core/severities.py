"""Severities of events, as followers and webhook endpoints are told them. Pure."""

from collections.abc import Mapping
from typing import Any, Final

SEVERITIES: Final = ("info", "warning", "error")
"""From the least to the greatest."""
_OF_TYPES: Final = {
    "segment.failed": "error",
    "step.failed": "error",
    "action.failed": "error",
    "step.retrying": "warning",
    "segment.cancelled": "warning",
    "segment.paused": "warning",
}


def severity_of(event_type: str, payload: Mapping[str, Any] | None) -> str:
    """Tell how much an event is to be looked at.

    Args:
        event_type: Its type.
        payload: Its payload; None where it is too large to be read.
    """
    payload = payload or {}
    has_remark = event_type == "action.completed" and "remark" in payload
    if has_remark or "warnings" in payload:
        return "warning"
    return _OF_TYPES.get(event_type, "info")
