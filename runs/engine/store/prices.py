"""Prices and caps in the database, as they are for one tenant now."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from runs.engine.store.connection import Database, transaction
from runs.step_api.resources import Budget, Price
from runs.usage.prices import PriceSource, Rate

RATES = """
select tenant_id, provider, model, valid_from, input_per_million, output_per_million from runs_modelprice
where tenant_id = %s or tenant_id is null
"""
CAPS = """
select run_token_budget, run_cost_budget, daily_token_budget, daily_cost_budget from tenants_tenant where id = %s
"""


@dataclass(frozen=True, slots=True)
class Caps:
    """Spending caps of a run, and of all runs of a day."""

    run: Budget
    day: Budget


def read_rates(connection: Database, tenant_id: UUID) -> list[Rate]:
    """Read every version of every price that may hold for a tenant."""
    with transaction(connection):
        rows = connection.execute(RATES, [tenant_id]).fetchall()
    return [
        Rate(
            PriceSource.INSTALLATION if owner is None else PriceSource.TENANT,
            provider,
            model,
            valid_from,
            Price(given, answered),
        )
        for owner, provider, model, valid_from, given, answered in rows
    ]


def read_caps(connection: Database, tenant_id: UUID) -> Caps:
    """Read a tenant's budgets."""
    with transaction(connection):
        row = connection.execute(CAPS, [tenant_id]).fetchone()
    run_tokens, run_cost, day_tokens, day_cost = row or (0, Decimal(0), 0, Decimal(0))
    return Caps(Budget(run_tokens, run_cost), Budget(day_tokens, day_cost))
