"""Rows of the app: runs and their journals, callbacks and deliveries, usage of models."""

from runs.models.callbacks import (
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    DeliveryTarget,
    NotificationTarget,
    RunCallback,
)
from runs.models.runs import (
    OVER,
    IdempotencyKey,
    Run,
    RunEvent,
    RunStatus,
    Signal,
    SignalKind,
    StreamTicket,
    TransactionIdField,
    Worker,
)
from runs.models.usage import DECIMAL_PLACES, MAX_DIGITS, BudgetHold, ModelPrice, UsageDay, UsageEntry

__all__ = [
    "DECIMAL_PLACES",
    "MAX_DIGITS",
    "OVER",
    "BudgetHold",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryStatus",
    "DeliveryTarget",
    "IdempotencyKey",
    "ModelPrice",
    "NotificationTarget",
    "Run",
    "RunCallback",
    "RunEvent",
    "RunStatus",
    "Signal",
    "SignalKind",
    "StreamTicket",
    "TransactionIdField",
    "UsageDay",
    "UsageEntry",
    "Worker",
]
