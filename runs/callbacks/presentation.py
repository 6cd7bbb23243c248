"""Callbacks and deliveries as callers see them: what fills the shapes of ``runs.callbacks.serializers``."""

from datetime import datetime
from typing import Any

from runs.callbacks.payload import TASKS
from runs.callbacks.selectors import CallbackRecord
from runs.callbacks.serializers import NOTHING_YET
from runs.models import Delivery, DeliveryAttempt, NotificationTarget


def callback_body(callback: CallbackRecord) -> dict[str, Any]:
    """Fill a ``CallbackShape``."""
    return {"host": callback.host, "events": callback.events, "state": callback.state or NOTHING_YET}


def delivery_body(delivery: Delivery) -> dict[str, Any]:
    """Fill a ``DeliveryShape``. The delivery came with its log."""
    return {
        "delivery_id": delivery.id,
        "webhook_id": delivery.webhook_id,
        "run_id": delivery.run_id,
        "event_type": delivery.type,
        "target": delivery.target,
        "endpoint_id": delivery.endpoint_id,
        "sequence": delivery.sequence,
        "seq": delivery.seq,
        "host": delivery.host,
        "status": delivery.status,
        "next_attempt_at": delivery.next_at,
        "created_at": delivery.created_at,
        "ended_at": delivery.ended_at,
        "attempts": [attempt_body(attempt) for attempt in delivery.log.all()],
    }


def notification_body(row: NotificationTarget | None) -> dict[str, Any]:
    """Fill a ``NotificationShape``."""
    return {
        "host": None if row is None else row.host,
        "events": [event.value for event in TASKS],
        "updated_at": None if row is None else row.updated_at,
    }


def attempt_body(attempt: DeliveryAttempt) -> dict[str, Any]:
    """Fill a ``DeliveryAttemptShape``."""
    return {
        "number": attempt.number,
        "at": attempt.at,
        "duration_ms": attempt.duration_ms,
        "status_code": attempt.status_code,
        "error_code": attempt.error_code or None,
        "response": attempt.response,
    }


def secret_body(created_at: datetime | None, before_until: datetime | None) -> dict[str, Any]:
    """Fill a ``CallbackSecretShape``."""
    return {"created_at": created_at, "previous_until": before_until}
