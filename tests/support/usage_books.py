"""What is booked of a tenant's usage, in all the places where it is."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from foundation.scope import unscoped
from runs.models import BudgetHold, Run, UsageDay, UsageEntry
from runs.usage.amounts import sum_of
from tenants.models import Tenant
from tests.support.engine import events_of

Sums = tuple[int, int, Decimal]
"""Calls, tokens, US dollars."""


def in_runs(tenant: Tenant) -> Sums:
    with unscoped("tests look everywhere"):
        rows = [usage for usage in Run.objects.filter(tenant=tenant).values_list("usage", flat=True) if usage]
    calls = sum(row["model_calls"] for row in rows)
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in rows)
    return calls, tokens, sum((Decimal(row["cost"]) for row in rows), Decimal(0))


def in_journals(tenant: Tenant) -> Sums:
    with unscoped("tests look everywhere"):
        run_ids = list(Run.objects.filter(tenant=tenant).values_list("id", flat=True))
    records: list[dict[str, Any]] = []
    for run_id in run_ids:
        for event in events_of(run_id):
            if "replayed_from" not in event.payload:
                records += event.payload.get("usage", [])
    amount = sum_of(records)
    return len(records), amount.tokens, amount.cost


def in_entries(tenant: Tenant) -> Sums:
    with unscoped("tests look everywhere"):
        rows = list(UsageEntry.objects.filter(tenant=tenant))
    tokens = sum(row.input_tokens + row.output_tokens for row in rows)
    return len(rows), tokens, sum((row.cost or Decimal(0) for row in rows), Decimal(0))


def in_days(tenant: Tenant) -> Sums:
    with unscoped("tests look everywhere"):
        rows = list(UsageDay.objects.filter(tenant=tenant))
    tokens = sum(row.input_tokens + row.output_tokens for row in rows)
    return sum(row.calls for row in rows), tokens, sum((row.cost for row in rows), Decimal(0))


def assert_equal_everywhere(tenant: Tenant) -> Sums:
    """The same sums in the journals, the runs, the entries and the days; returns them."""
    booked = in_journals(tenant)
    assert in_runs(tenant) == booked
    assert in_entries(tenant) == booked
    assert in_days(tenant) == booked
    return booked


def holds_of(tenant: Tenant) -> list[tuple[UUID, int, Decimal]]:
    with unscoped("tests look everywhere"):
        return list(BudgetHold.objects.filter(tenant=tenant).values_list("run_id", "tokens", "cost"))
