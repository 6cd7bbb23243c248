"""Queries of usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db.models import Q, Sum

from foundation.scope import tenant_scope
from runs.errors import UsageTooDetailed
from runs.models import UsageDay
from tenants.models import Tenant

MAX_ROWS: Final = 10_000
GROUPS: Final = {"day": ("day",), "segment": ("segment_id",), "model": ("provider", "model")}
"""Names by which usage can be told apart, with the columns that takes."""
_SUM: Final = "sum_"
_SUMS: Final = {
    f"{_SUM}{name}": Sum(name, default=0)
    for name in ("calls", "input_tokens", "output_tokens", "unpriced_calls", "estimated_calls")
} | {
    f"{_SUM}cost": Sum("cost", default=Decimal(0)),
    f"{_SUM}tests": Sum("calls", filter=Q(is_test=True), default=0),
}


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Sums by what was asked for, and over all of it."""

    rows: list[dict[str, Any]]
    totals: dict[str, Any]


def read_usage(
    *,
    tenant: Tenant,
    first: date,
    last: date,
    by: Sequence[str],
    segment: str | None = None,
    model: str | None = None,
) -> UsageReport:
    """Add up what a tenant's model calls took from one day to another, both included; days are UTC.

    Args:
        tenant: Whose usage.
        first: The first day.
        last: The last day.
        by: What the rows tell apart: any of ``GROUPS``; they are sorted by it.
        segment: Only of this ``segment_id``.
        model: Only of this model.

    Raises:
        UsageTooDetailed: There would be more than ``MAX_ROWS`` rows.
    """
    wanted = Q(day__gte=first, day__lte=last)
    if segment is not None:
        wanted &= Q(segment_id=segment)
    if model is not None:
        wanted &= Q(model=model)
    columns = [column for group in by for column in GROUPS[group]]
    with tenant_scope(tenant.id):
        days = UsageDay.objects.filter(wanted)
        totals = days.aggregate(**_SUMS)
        rows = list(days.values(*columns).annotate(**_SUMS).order_by(*columns)[: MAX_ROWS + 1]) if columns else []
    if len(rows) > MAX_ROWS:
        raise UsageTooDetailed(extra={"limit": MAX_ROWS})
    return UsageReport([_plain(row) for row in rows], _plain(totals))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Give the sums the names of what they are sums of, which the query cannot."""
    return {name.removeprefix(_SUM): value for name, value in row.items()}
