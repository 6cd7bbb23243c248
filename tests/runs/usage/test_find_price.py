from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.step_api.resources import Price
from runs.usage.prices import LIST_PRICES, PriceSource, Rate, find_price

NOW = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def rate(
    model: str, dollars: int, *, source: PriceSource = PriceSource.INSTALLATION, since: datetime = NOW - DAY
) -> Rate:
    return Rate(source, "openai", model, since, Price(Decimal(dollars), Decimal(dollars)))


def found(*rates: Rate, model: str = "gpt-4o-mini", provider: str = "openai", at: datetime = NOW) -> int | None:
    price = find_price(rates, provider=provider, model=model, at=at)
    return None if price is None else int(price.input_per_million)


@pytest.mark.parametrize(
    ("rates", "dollars"),
    [
        ([], None),
        ([rate("gpt-4o-mini", 1)], 1),
        ([rate("gpt-4o", 1)], None),
        ([rate("gpt-4o*", 1)], 1),
        ([rate("gpt-4o*", 1), rate("gpt-4o-mini*", 2), rate("gpt*", 3)], 2),
        ([rate("gpt-4o-mini*", 2), rate("gpt-4o-mini", 1)], 1),
        ([rate("gpt-4o-mini", 1), rate("gpt*", 2, source=PriceSource.TENANT)], 2),
        ([rate("gpt-4o-mini", 1, source=PriceSource.LIST), rate("gpt*", 2)], 2),
        ([rate("gpt-4o-mini", 1, since=NOW - 2 * DAY), rate("gpt-4o-mini", 2)], 2),
        ([rate("gpt-4o-mini", 1), rate("gpt-4o-mini", 2, since=NOW + DAY)], 1),
        ([rate("gpt-4o-mini", 1, since=NOW)], 1),
        ([rate("gpt-4o-mini", 1, since=NOW + DAY)], None),
    ],
)
def test_the_nearest_word_holds(rates: list[Rate], dollars: int | None) -> None:
    assert found(*rates) == dollars
    assert found(*reversed(rates)) == dollars


def test_another_provider_s_model_of_the_same_name_has_another_price() -> None:
    assert found(rate("gpt-4o-mini", 1), provider="openai") == 1
    assert found(rate("gpt-4o-mini", 1), provider="azure") is None


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("openai", "gpt-4o-2024-08-06", "2.50"),
        ("openai", "gpt-4o-mini-2024-07-18", "0.15"),
        ("openai", "gpt-4.1-nano", "0.10"),
        ("openai", "gpt-3.5-turbo", "0.50"),
        ("anthropic", "claude-3-5-sonnet-20241022", "3"),
        ("anthropic", "claude-haiku-4-5", "1"),
    ],
)
def test_list_prices_are_estimates(provider: str, model: str, dollars: str) -> None:
    price = find_price(LIST_PRICES, provider=provider, model=model, at=NOW)
    assert price is not None
    assert (price.input_per_million, price.is_estimated) == (Decimal(dollars), True)


def test_a_model_nobody_lists_has_no_price() -> None:
    assert find_price(LIST_PRICES, provider="openai", model="llama3", at=NOW) is None


def test_a_cost_is_exact() -> None:
    price = Price(Decimal("0.15"), Decimal("0.60"))
    assert price.cost_of(input_tokens=1, output_tokens=0) == Decimal("0.00000015")
    assert price.cost_of(input_tokens=1_000_000, output_tokens=500_000) == Decimal("0.45")


@given(
    st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.decimals(0, 99_999_999, places=6),
    st.decimals(0, 99_999_999, places=6),
)  # fmt: skip
def test_a_cost_of_any_tokens_at_any_price_is_exact(given_: int, answered: int, low: Decimal, high: Decimal) -> None:
    cost = Price(low, high).cost_of(input_tokens=given_, output_tokens=answered)
    assert int(cost.scaleb(12)) == given_ * int(low.scaleb(6)) + answered * int(high.scaleb(6))
