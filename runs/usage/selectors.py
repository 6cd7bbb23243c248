"""Queries of usage, and of tenants' use of their limits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import F, Q, Sum

from foundation.scope import tenant_scope
from kernel.clock import utc_now
from runs.errors import UsageTooDetailed
from runs.models import BudgetHold, Run, UsageDay
from runs.usage.amounts import money
from runs.usage.budgets import resets_at
from tenants.models import Tenant

MAX_ROWS: Final = 10_000
OPERATOR: Final = "The operator of the installation, on the tenant's page of the console."
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


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a tenant; numbers are exact decimal texts, None where there is none."""

    limit: str
    unit: str
    cap: str | None
    used: str | None = None
    held: str | None = None
    resets_at: datetime | None = None
    raised_by: str = OPERATOR


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


def list_limits(*, tenant: Tenant) -> list[Limit]:
    """Tell each limit of a tenant, with what is used of it now."""
    with tenant_scope(tenant.id):
        present = Tenant.objects.get(id=tenant.id)
        return [limit for limits_of in LIMITS for limit in limits_of(present)]


def _limits_of_runs(tenant: Tenant) -> Iterable[Limit]:
    running = Run.objects.filter(owner__isnull=False).count()
    yield Limit("concurrent_runs", "runs", str(tenant.max_concurrent_runs), str(running))
    yield Limit("run_tokens", "tokens", _text(tenant.run_token_budget))
    yield Limit("run_cost", "USD", _text(tenant.run_cost_budget))


def _limits_of_the_day(tenant: Tenant) -> Iterable[Limit]:
    today = utc_now().date()
    spent = UsageDay.objects.filter(day=today).aggregate(
        tokens=Sum(F("input_tokens") + F("output_tokens"), default=0), cost=Sum("cost", default=Decimal(0))
    )
    held = BudgetHold.objects.aggregate(tokens=Sum("tokens", default=0), cost=Sum("cost", default=Decimal(0)))
    for limit, unit, key, cap in (
        ("daily_tokens", "tokens", "tokens", tenant.daily_token_budget),
        ("daily_cost", "USD", "cost", tenant.daily_cost_budget),
    ):
        yield Limit(limit, unit, _text(cap), _text(spent[key]), _text(held[key]), resets_at(today))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Give the sums the names of what they are sums of, which the query cannot."""
    return {name.removeprefix(_SUM): value for name, value in row.items()}


def _text(number: Decimal | int | None) -> str | None:
    return None if number is None else money(Decimal(number))


LIMITS: Final = (_limits_of_runs, _limits_of_the_day)
"""Readers of limits; each is called in the tenant's scope."""
