"""Queries of callbacks and deliveries."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery

from foundation.pages import newest_page
from foundation.scope import reading_scope
from kernel.paging import Page
from runs.models import Delivery, DeliveryAttempt, DeliveryTarget, NotificationTarget, Run, RunCallback
from runs.selectors import get_run
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class CallbackRecord:
    """The callback of a run; ``state`` is its newest delivery's, None before there is any."""

    host: str
    events: list[str]
    state: str | None


def callbacks_of(runs: Iterable[Run]) -> dict[UUID, CallbackRecord]:
    """Read the callbacks of runs of one tenant, of those that have one; runs without cost nothing."""
    having = {run.id: run for run in runs if run.callback_events is not None}
    if not having:
        return {}
    tenant_id = next(iter(having.values())).tenant_id
    with reading_scope(tenant_id):
        own = Delivery.objects.filter(run_id=OuterRef("run_id"), target=DeliveryTarget.CALLBACK)
        newest = own.order_by("-seq").values("status")[:1]
        rows = RunCallback.objects.filter(run_id__in=having).annotate(state=Subquery(newest))
        return {
            run_id: CallbackRecord(host, list(having[run_id].callback_events or ()), state)
            for run_id, host, state in rows.values_list("run_id", "host", "state")
        }


def list_deliveries(
    *, tenant: Tenant, cursor: str | None, limit: int, status: str | None = None, run: UUID | None = None
) -> Page[Delivery]:
    """Read one page of deliveries with their tries, newest first. Filters add up.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    wanted: dict[str, Any] = {name: value for name, value in (("status", status), ("run_id", run)) if value}
    with reading_scope(tenant.id):
        return newest_page(deliveries_with_log().filter(**wanted), cursor=cursor, limit=limit)


def list_run_deliveries(*, tenant: Tenant, run_id: UUID, cursor: str | None, limit: int) -> Page[Delivery]:
    """Read one page of a run's deliveries; as ``list_deliveries``.

    Raises:
        RunNotFound: The tenant has no such run.
        CursorRefused: Not a cursor of ours.
    """
    run = get_run(tenant=tenant, run_id=run_id)
    return list_deliveries(tenant=tenant, cursor=cursor, limit=limit, run=run.id)


def find_notifications(*, tenant: Tenant) -> NotificationTarget | None:
    """Read where a tenant is told what becomes of its human tasks; None where it has not said."""
    with reading_scope(tenant.id):
        return NotificationTarget.objects.filter(tenant=tenant).first()


def deliveries_with_log() -> QuerySet[Delivery]:
    """Read deliveries with their tries, without what is sent; in the scope that is open."""
    log = Prefetch("log", queryset=DeliveryAttempt.objects.order_by("number"))
    return Delivery.objects.defer("body").prefetch_related(log)
