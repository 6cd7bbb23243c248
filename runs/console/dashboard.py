"""Figures of the console's home page: what needs attention, and how runs of today and of seven days went."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.urls import reverse

from foundation.console import changelist_url
from kernel.bounded_cache import BoundedCache
from kernel.clock import utc_now
from runs.circuits.listing import list_circuits
from runs.console.timeline import duration_words
from runs.errors import CircuitsUnknown
from runs.models import Delivery, DeliveryStatus, Run, RunStatus, UsageDay, Worker
from runs.usage.amounts import money
from tenants.models import Tenant

DAYS: Final = 7
MAX_LINES: Final = 10
MAX_TIMED: Final = 10_000
"""Runs, the newest that ended, whose durations are told."""
MANY_RUNS: Final = 50_000
"""Runs in seven days from which on figures are kept."""
KEPT_SECONDS: Final = 60
DEAD: Final = (DeliveryStatus.EXHAUSTED, DeliveryStatus.BLOCKED, DeliveryStatus.REFUSED)
_FAILED: Final = (RunStatus.FAILED, RunStatus.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class DashboardTile:
    """One number, and the address of the list of exactly what it counts."""

    name: str
    count: int
    address: str


@dataclass(frozen=True, slots=True)
class PeriodFigures:
    """Runs that were made in a period: how many by state, how many failed, how long they took, what they cost."""

    name: str
    tiles: Sequence[DashboardTile]
    failure_rate: str
    p50: str
    p95: str
    usage: DashboardTile
    cost: str


@dataclass(frozen=True, slots=True)
class TenantLine:
    """Runs of one segment of one tenant, and how many of them failed."""

    tenant: str
    segment_id: str
    runs: DashboardTile
    failed: DashboardTile


@dataclass(frozen=True, slots=True)
class HomeFigures:
    """Figures over all runs of seven days, and when they were counted."""

    periods: Sequence[PeriodFigures]
    busiest: Sequence[TenantLine]
    counted_at: datetime


_KEPT: Final[BoundedCache[str, HomeFigures]] = BoundedCache(1)


def home_figures() -> HomeFigures:
    """Count the runs of today and of seven days; figures of very many are kept for a minute, as counting takes long."""
    found = _KEPT.get("home")
    if found is None:
        periods = [period("Runs started today (UTC)", 1), period("Runs started in seven days (UTC)", DAYS)]
        found = HomeFigures(periods, busiest(), utc_now())
        if sum(tile.count for tile in periods[-1].tiles) >= MANY_RUNS:
            _KEPT.put("home", found, until=time.monotonic() + KEPT_SECONDS)
    return found


def attention() -> list[DashboardTile]:
    """Count what needs somebody, as far as runs go; what is not there is left out."""
    week = _day(DAYS - 1)
    dead = Delivery.objects.filter(status__in=DEAD, created_at__gte=week).order_by()
    by_status = dict(dead.values_list("status").annotate(Count("id")))
    stalled = Run.objects.filter(status=RunStatus.STALLED).count()
    gone = Worker.objects.filter(lease_until__lte=utc_now()).count()
    since = {"created_at_from": week.date().isoformat()}
    tiles = [DashboardTile("Stalled runs", stalled, changelist_url("runs.run", status__exact=RunStatus.STALLED.value))]
    tiles += [
        DashboardTile(
            f"Deliveries {status.label.lower()}, {DAYS} days",
            by_status.get(status.value, 0),
            changelist_url("runs.delivery", status__exact=status.value, **since),
        )
        for status in DEAD
    ]
    tiles.append(DashboardTile("Open circuits", _open_circuits(), reverse("admin:tenants_connection_circuits")))
    tiles.append(DashboardTile("Workers gone", gone, changelist_url("runs.worker", alive="no")))
    return [tile for tile in tiles if tile.count]


def queue_words() -> str:
    """Say for how long the run that is due longest has waited."""
    free = Run.objects.filter(owner__isnull=True, wake_at__lte=utc_now())
    oldest = free.aggregate(first=Min("wake_at"))["first"]
    if oldest is None:
        return "No run waits for a worker."
    return f"The run that is due longest waits for {duration_words((utc_now() - oldest).total_seconds())}."


def period(name: str, days: int) -> PeriodFigures:
    """Sum up the runs that were made in the last days, today's (UTC) included."""
    first = _day(days - 1)
    since = first.date().isoformat()
    rows = Run.objects.filter(id__gte=_first_id(first)).order_by()
    counts: dict[str, int] = dict(rows.values_list("status").annotate(Count("id")))
    over = sum(counts.get(status, 0) for status in (RunStatus.COMPLETED, *_FAILED))
    failed = sum(counts.get(status, 0) for status in _FAILED)
    p50, p95 = _durations(rows)
    used = UsageDay.objects.filter(day__gte=first.date()).aggregate(calls=Sum("calls"), cost=Sum("cost"))
    return PeriodFigures(
        name=name,
        tiles=[
            DashboardTile(
                status.label,
                counts[status],
                changelist_url("runs.run", status__exact=status.value, created_at_from=since),
            )
            for status in RunStatus
            if status in counts
        ],
        failure_rate=f"{100 * failed / over:.1f} %" if over else "-",
        p50=p50,
        p95=p95,
        usage=DashboardTile("Model calls", used["calls"] or 0, changelist_url("runs.usageday", day_from=since)),
        cost=money(used["cost"] or Decimal(0)),
    )


def busiest() -> list[TenantLine]:
    """List the segments with most runs in seven days."""
    first = _day(DAYS - 1)
    rows = Run.objects.filter(id__gte=_first_id(first)).order_by()
    bad = Count("id", filter=Q(status=RunStatus.FAILED))
    grouped = rows.values("tenant_id", "segment_id").annotate(n=Count("id"), bad=bad)
    lines = list(grouped.order_by("-n", "segment_id")[:MAX_LINES])
    names = {tenant.id: str(tenant) for tenant in Tenant.objects.filter(id__in={line["tenant_id"] for line in lines})}
    return [_line(line, names, first.date().isoformat()) for line in lines]


def _line(line: Mapping[str, Any], names: dict[UUID, str], since: str) -> TenantLine:
    which: dict[str, Any] = {
        "tenant__id__exact": line["tenant_id"], "segment_id__exact": line["segment_id"], "created_at_from": since,
    }  # fmt: skip
    return TenantLine(
        tenant=names[line["tenant_id"]],
        segment_id=line["segment_id"],
        runs=DashboardTile("Runs", line["n"], changelist_url("runs.run", **which)),
        failed=DashboardTile("Failed", line["bad"], changelist_url("runs.run", status__exact="failed", **which)),
    )


def _durations(rows: QuerySet[Run]) -> tuple[str, str]:
    """Tell the median and the 95th percentile of how long the newest runs took that completed."""
    ended = rows.filter(status=RunStatus.COMPLETED, started_at__isnull=False).order_by("-id")
    sql, params = ended.values("started_at", "ended_at")[:MAX_TIMED].query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "select percentile_cont(array[0.5, 0.95]) within group"  # noqa: S608 - the part inside is Django's own
            f" (order by extract(epoch from ended_at - started_at)) from ({sql}) as ended",
            params,
        )
        (found,) = cursor.fetchone()
    return ("-", "-") if found is None or found[0] is None else tuple(map(duration_words, found))  # type: ignore[return-value]  # two of them


def _open_circuits() -> int:
    try:
        return len(list_circuits())
    except CircuitsUnknown:
        return 0


def _day(ago: int) -> datetime:
    """Return a midnight in UTC."""
    return utc_now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=ago)


def _first_id(moment: datetime) -> UUID:
    """Return the least id of runs made from then on: ids begin with the time, so only that part of a table is read."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
