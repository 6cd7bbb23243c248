"""Retention of runs and of what they leave: journals, deliveries, keys of starts, usage."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from audit.services import record
from audit.types import AuditObject
from foundation.idempotency import KEY_LIFETIME
from foundation.removal import remove_rows
from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import Delivery, DeliveryStatus, Run, WebhookEndpoint
from segments.models import Revision
from tenants.lifecycle.protocols import RetentionRule
from tenants.lifecycle.retention import days_ago, rows_before
from tenants.models import Tenant

BATCH_RUNS: Final = 200
BATCH_EVENTS: Final = 20_000
"""Events of one transaction, at most; a run that has more goes alone."""
UNUSED_INLINE: Final = timedelta(days=1)
DAYS_OF_STARTS: Final = timedelta(days=2)


def sweep_runs() -> int:
    """Remove one batch of runs whose time is over, each with all that hangs on it; never the half of a run.

    Runs that still have a callback to deliver are left for another time.
    """
    for tenant_id, before in _bounds():
        with unscoped("retention of runs"):
            pending = Delivery.objects.filter(run=OuterRef("pk"), status=DeliveryStatus.PENDING)
            old = Run.objects.filter(~Exists(pending), tenant_id=tenant_id, ended_at__lt=before).order_by("ended_at")
            found = list(old.select_for_update(skip_locked=True).values_list("id", "last_seq")[:BATCH_RUNS])
            run_ids = bounded(found)
            removed = remove_rows(Run, run_ids)
            if removed:
                _record(tenant_id, before, len(run_ids))
        if removed:
            return removed
    return 0


def _record(tenant_id: UUID, before: datetime, runs: int) -> None:
    """Tell the audit that runs of before a time may be gone: so its entries about them are still sound."""
    about = AuditObject("tenant", str(tenant_id), tenant_id)
    record("runs.removed", about, actor="system", after={"ended_before": before.isoformat(), "runs": runs})


def sweep_inline_revisions() -> int:
    """Remove definitions that came with a start and that no run refers to any more.

    A start that takes one up at that moment is refused by its foreign key, and begins again.
    """
    with unscoped("retention of what runs brought along"):
        used = Run.objects.filter(revision=OuterRef("pk"))
        unused = Revision.objects.filter(~Exists(used), segment=None, created_at__lt=utc_now() - UNUSED_INLINE)
        found = unused.select_for_update(skip_locked=True).values_list("id", flat=True)[:BATCH_RUNS]
        return remove_rows(Revision, list(found))


def sweep_deliveries() -> int:
    """Remove one batch of deliveries that are over for long enough."""
    return _SWEEP_OF_CALLBACKS() or _SWEEP_OF_ENDPOINTS()


def sweep_endpoints() -> int:
    """Remove endpoints that were deleted and have no deliveries any more."""
    with unscoped("retention of webhook endpoints"):
        told = Delivery.objects.filter(endpoint=OuterRef("pk"))
        gone = WebhookEndpoint.objects.filter(~Exists(told), deleted_at__isnull=False)
        found = gone.select_for_update(skip_locked=True).values_list("id", flat=True)[:BATCH_RUNS]
        return remove_rows(WebhookEndpoint, list(found))


def bounded(runs: list[tuple[UUID, int]]) -> list[UUID]:
    """Take as many as have not too many events together, and one at least."""
    events = 0

    def has_room(run: tuple[UUID, int]) -> bool:
        nonlocal events
        events += run[1]
        return events <= BATCH_EVENTS

    return [run_id for run_id, _ in takewhile(has_room, runs)] or [run_id for run_id, _ in runs[:1]]


def _bounds() -> Iterator[tuple[UUID, datetime]]:
    """Give each tenant that does not keep its runs for ever, and the moment before which they go."""
    with unscoped("retention of runs"):
        tenants = list(Tenant.objects.values_list("id", "retention_days"))
    for tenant_id, own in tenants:
        days = settings.RUN_RETENTION_DAYS if own is None else own
        if days:
            yield tenant_id, utc_now() - timedelta(days=days)


_SWEEP_OF_CALLBACKS: Final = rows_before(
    "runs.Delivery",
    "ended_at",
    days_ago("DELIVERY_RETENTION_DAYS"),
    only=lambda: ~Q(status=DeliveryStatus.PENDING) & Q(endpoint=None),
)
_SWEEP_OF_ENDPOINTS: Final = rows_before(
    "runs.Delivery",
    "ended_at",
    days_ago("WEBHOOK_RETENTION_DAYS"),
    only=lambda: ~Q(status=DeliveryStatus.PENDING) & Q(endpoint__isnull=False),
)
RULES: Final = (
    RetentionRule(
        "runs",
        ("runs.Run", "runs.RunEvent", "runs.Signal", "runs.RunCallback", "runs.SuspendedRun"),
        "`RUN_RETENTION_DAYS` after their end, or as many days as the tenant has; with their journals, tasks, "
        "decisions, mails and deliveries. Runs that are not over are kept, and those with a callback still to deliver.",
        since="ended_at",
        sweep=sweep_runs,
    ),
    RetentionRule(
        "deliveries",
        ("runs.Delivery", "runs.DeliveryAttempt"),
        "`DELIVERY_RETENTION_DAYS` after they ended, or as long as their run; of webhook endpoints "
        "`WEBHOOK_RETENTION_DAYS`.",
        sweep=sweep_deliveries,
    ),
    RetentionRule(
        "webhook_endpoints",
        ("runs.WebhookEndpoint", "runs.WebhookFeed"),
        "Until removed, and then until their last delivery is.",
        sweep=sweep_endpoints,
    ),
    RetentionRule(
        "idempotency_keys",
        ("runs.IdempotencyKey",),
        "24 hours.",
        sweep=rows_before("runs.IdempotencyKey", "created_at", lambda: utc_now() - KEY_LIFETIME),
    ),
    RetentionRule(
        "stream_tickets",
        ("runs.StreamTicket",),
        "30 seconds, or until they are used.",
        since="expires_at",
        sweep=rows_before("runs.StreamTicket", "expires_at", utc_now),
    ),
    RetentionRule(
        "usage_entries",
        ("runs.UsageEntry",),
        "`USAGE_RETENTION_DAYS` after the call; they outlive their run.",
        since="at",
        sweep=rows_before("runs.UsageEntry", "at", days_ago("USAGE_RETENTION_DAYS")),
    ),
    RetentionRule(
        "usage_days",
        ("runs.UsageDay",),
        "`USAGE_DAY_RETENTION_DAYS`.",
        since="day",
        sweep=rows_before("runs.UsageDay", "day", days_ago("USAGE_DAY_RETENTION_DAYS")),
    ),
    RetentionRule(
        "starts_of_days",
        ("runs.StartsOfDay",),
        "Two days.",
        since="day",
        sweep=rows_before("runs.StartsOfDay", "day", lambda: utc_now() - DAYS_OF_STARTS),
    ),
    RetentionRule(
        "storage_parts",
        ("runs.StoragePart",),
        "Until the next recount, hourly: it takes the rows of processes into one a tenant.",
        since="",
    ),
    RetentionRule(
        "budget_holds",
        ("runs.BudgetHold",),
        "While an attempt is in flight; released with its outcome, or with its host.",
        since="",
    ),
    RetentionRule("prices", ("runs.ModelPrice",), "For ever: they say what old usage cost."),
    RetentionRule(
        "notification_targets",
        ("runs.NotificationTarget",),
        "Until removed: at most one per tenant.",
        since="updated_at",
    ),
    RetentionRule(
        "hosts", ("runs.Worker",), "While the process is there; others remove it when it is dead.", since="started_at"
    ),
    RetentionRule(
        "inline_revisions",
        ("segments.Revision",),
        "Those that came with a start until no run refers to them, and a day; those of a segment as long as it.",
        sweep=sweep_inline_revisions,
    ),
    RetentionRule(
        "segments",
        ("segments.Segment", "segments.PromptTemplate", "segments.PromptVersion"),
        "Until the tenant is deleted, archived ones too; people save them.",
    ),
)
