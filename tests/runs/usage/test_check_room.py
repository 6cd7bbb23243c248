from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from runs.step_api.base import StepFailed
from runs.step_api.resources import Budget, Hold
from runs.usage.amounts import Amount, money
from runs.usage.budgets import BudgetAccount, check_room, resets_at

DOLLAR = Decimal(1)
ACCOUNT = BudgetAccount("run", Budget(100, DOLLAR), Amount(40, Decimal("0.4")), Amount(30, Decimal("0.3")))


def refused(account: BudgetAccount, hold: Hold) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        check_room(account, hold)
    assert not caught.value.retryable
    return caught.value


def test_what_is_spent_held_and_asked_may_reach_the_budget_and_not_pass_it() -> None:
    check_room(ACCOUNT, Hold(30, Decimal("0.3")))
    assert refused(ACCOUNT, Hold(31, Decimal("0.3"))).details["unit"] == "tokens"
    assert refused(ACCOUNT, Hold(30, Decimal("0.300001"))).details["unit"] == "USD"


@pytest.mark.parametrize("budget", [Budget(), Budget(tokens=10**9), Budget(cost=DOLLAR * 10**6)])
def test_no_bound_is_none(budget: Budget) -> None:
    check_room(replace(ACCOUNT, budget=budget), Hold(10**6, DOLLAR))


def test_a_budget_of_nothing_lets_nothing_pass() -> None:
    check_room(BudgetAccount("step", Budget(0, Decimal(0))), Hold(0, Decimal(0)))
    refused(BudgetAccount("step", Budget(tokens=0)), Hold(1))


def test_an_unknown_price_passes_where_only_tokens_are_bounded() -> None:
    check_room(replace(ACCOUNT, budget=Budget(tokens=100)), Hold(1))
    failure = refused(ACCOUNT, Hold(1))
    assert (failure.code, failure.details) == ("PRICE_UNKNOWN", {"scope": "run"})


def test_the_sentence_and_the_details_have_all_numbers() -> None:
    day = BudgetAccount(
        "day", Budget(cost=Decimal("2.50")), Amount(1, Decimal("2.10")), resets_at=resets_at(date(2026, 2, 28))
    )
    failure = refused(day, Hold(5, Decimal("0.5000")))
    assert failure.code == "BUDGET_EXCEEDED"
    assert failure.message == (
        "The tenant's daily budget of 2.5 USD has no room for 0.5 more: 2.1 are spent, and 0 held for calls in flight."
    )
    assert failure.details == {
        "scope": "day", "unit": "USD", "limit": "2.5", "spent": "2.1", "held": "0", "asked": "0.5",
        "resets_at": "2026-03-01T00:00:00+00:00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("day", "midnight"),
    [
        (date(2026, 7, 1), datetime(2026, 7, 2, tzinfo=UTC)),
        (date(2026, 12, 31), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_day_s_budget_is_whole_again_at_midnight_utc(day: date, midnight: datetime) -> None:
    assert resets_at(day) == midnight


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        ("0", "0"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("0.10", "0.1"),
        ("0.000000000001", "0.000000000001"),
        ("5.000", "5"),
    ],
)
def test_money_is_written_short_and_without_exponent(cost: Any, text: str) -> None:
    assert money(Decimal(cost)) == text
