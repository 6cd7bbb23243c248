"""Budget checks: room for one more call of a model. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from kernel.types import Json
from runs.step_api.base import StepFailed
from runs.step_api.resources import Budget, Hold
from runs.usage.amounts import NOTHING, Amount, money

BUDGET_EXCEEDED: Final = "BUDGET_EXCEEDED"
PRICE_UNKNOWN: Final = "PRICE_UNKNOWN"
Scope = Literal["step", "run", "day"]
_NAMES: Final = {"step": "step's budget", "run": "run's budget", "day": "tenant's daily budget"}


@dataclass(frozen=True, slots=True)
class BudgetAccount:
    """A budget and how it stands: ``held`` is for other calls in flight."""

    scope: Scope
    budget: Budget
    spent: Amount = NOTHING
    held: Amount = NOTHING
    resets_at: datetime | None = None


def check_room(account: BudgetAccount, asked: Hold) -> None:
    """Let a call pass if what is spent, held and asked is within the budget.

    Raises:
        StepFailed: BUDGET_EXCEEDED; or PRICE_UNKNOWN, as money cannot be bounded where no price is known.
    """
    budget, spent, held = account.budget, account.spent, account.held
    if budget.tokens is not None and spent.tokens + held.tokens + asked.tokens > budget.tokens:
        numbers = [str(number) for number in (budget.tokens, spent.tokens, held.tokens, asked.tokens)]
        raise _exceeded(account, "tokens", numbers)
    if budget.cost is None:
        return
    if asked.cost is None:
        raise StepFailed(
            PRICE_UNKNOWN,
            f"The {_NAMES[account.scope]} is in US dollars, but the price of this model is not known; an operator "
            f"can enter it.",
            details={"scope": account.scope},
        )
    if spent.cost + held.cost + asked.cost > budget.cost:
        raise _exceeded(account, "USD", [money(number) for number in (budget.cost, spent.cost, held.cost, asked.cost)])


def resets_at(day: date) -> datetime:
    """Return when the budget of a day is whole again: at midnight, UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _exceeded(account: BudgetAccount, unit: str, numbers: list[str]) -> StepFailed:
    limit, spent, held, asked = numbers
    sentence = (
        f"The {_NAMES[account.scope]} of {limit} {unit} has no room for {asked} more: {spent} are spent, and {held} "
        "held for calls in flight."
    )
    details: dict[str, Json] = {
        "scope": account.scope,
        "unit": unit,
        "limit": limit,
        "spent": spent,
        "held": held,
        "asked": asked,
        "resets_at": None if account.resets_at is None else account.resets_at.isoformat(),
    }
    return StepFailed(BUDGET_EXCEEDED, sentence, details=details)
