"""Queries of a tenant's limits, and of what is used of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import F, Sum

from foundation.scope import tenant_scope
from kernel.admission import LIMIT_OF, used_now
from kernel.clock import utc_now
from kernel.errors import RAISED_BY
from runs.limits.request_counts import REQUESTS_PER_MINUTE, requests_of_minute
from runs.limits.storage import STORAGE_BYTES, storage_used
from runs.models import BudgetHold, Run, UsageDay
from runs.usage.amounts import money
from runs.usage.budgets import resets_at
from tenants.entitlements.effective import Entitlements, LimitSource
from tenants.entitlements.tiers import LIMITS
from tenants.limits.selectors import read_entitlements
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a tenant; numbers are exact decimal texts, None where there is none."""

    limit: str
    unit: str
    cap: str | None
    source: str
    used: str | None = None
    held: str | None = None
    resets_at: datetime | None = None
    raised_by: str = RAISED_BY


class _UseOfLimit(NamedTuple):
    used: int | None
    resets_at: datetime | None = None


def list_limits(*, tenant: Tenant) -> list[Limit]:
    """Tell each limit of a tenant, with what is used of it now."""
    with tenant_scope(tenant.id):
        present = Tenant.objects.get(id=tenant.id)
        entitlements = read_entitlements(tenant.id)
        return [
            *_limits_of_the_tier(tenant.id, entitlements),
            *_budgets_of_runs(present),
            *_budgets_of_the_day(present),
        ]


def _limits_of_the_tier(tenant_id: UUID, entitlements: Entitlements) -> Iterable[Limit]:
    uses = _uses(tenant_id)
    for name, definition in LIMITS.items():
        limit, use = entitlements.limits[name], uses.get(name, _UseOfLimit(None))
        yield Limit(
            name, definition.unit, _text(limit.value), limit.source.value, _text(use.used), resets_at=use.resets_at
        )


def _uses(tenant_id: UUID) -> Mapping[str, _UseOfLimit]:
    """Count what is used of each limit that more than one run, or request, shares."""
    today = utc_now().date()
    midnight = datetime.combine(today, time(), UTC)
    return {
        "concurrent_runs": _UseOfLimit(Run.objects.filter(owner__isnull=False).count()),
        "runs_per_day": _UseOfLimit(Run.objects.filter(created_at__gte=midnight).count(), resets_at(today)),
        STORAGE_BYTES: _UseOfLimit(storage_used(tenant_id)),
        REQUESTS_PER_MINUTE: _UseOfLimit(*requests_of_minute(tenant_id)),
        **{name: _UseOfLimit(used_now(kind)) for kind, name in LIMIT_OF.items()},
    }


def _budgets_of_runs(tenant: Tenant) -> Iterable[Limit]:
    for limit, unit, cap in (
        ("run_tokens", "tokens", tenant.run_token_budget),
        ("run_cost", "USD", tenant.run_cost_budget),
    ):
        yield Limit(limit, unit, _text(cap), _source(cap))


def _budgets_of_the_day(tenant: Tenant) -> Iterable[Limit]:
    today = utc_now().date()
    spent = UsageDay.objects.filter(day=today).aggregate(
        tokens=Sum(F("input_tokens") + F("output_tokens"), default=0), cost=Sum("cost", default=Decimal(0))
    )
    held = BudgetHold.objects.aggregate(tokens=Sum("tokens", default=0), cost=Sum("cost", default=Decimal(0)))
    for limit, unit, key, cap in (
        ("daily_tokens", "tokens", "tokens", tenant.daily_token_budget),
        ("daily_cost", "USD", "cost", tenant.daily_cost_budget),
    ):
        yield Limit(limit, unit, _text(cap), _source(cap), _text(spent[key]), _text(held[key]), resets_at(today))


def _source(cap: Decimal | int | None) -> str:
    return (LimitSource.INSTALLATION if cap is None else LimitSource.OVERRIDE).value


def _text(number: Decimal | int | None) -> str | None:
    return None if number is None else money(Decimal(number))
