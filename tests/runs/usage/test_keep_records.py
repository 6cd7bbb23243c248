from decimal import Decimal
from typing import Any

import pytest

from runs.step_api.resources import Hold, Usage
from runs.usage.amounts import NOTHING, Amount, amount_of, bounded, largest, record_of, sum_of

USED = Usage("main", "openai", "gpt", 3, 4, Decimal("0.1"), latency_ms=5, request_id="r", prompt="p@1")


def test_a_plain_record_is_kept_as_it_is() -> None:
    assert record_of(USED) == {
        "connection": "main", "provider": "openai", "model": "gpt", "input_tokens": 3, "output_tokens": 4,
        "cost": "0.1", "estimated": False, "latency_ms": 5, "request_id": "r", "prompt": "p@1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "kept", "estimated"),
    [(7, 7, False), (7.9, 7, False), (-1, 0, True), (None, 0, True), ("7", 0, True), (float("nan"), 0, True),
     (float("inf"), 2**31 - 1, False), (2**40, 2**31 - 1, False)],
)  # fmt: skip
def test_tokens_that_cannot_be_counted_are_none_and_estimated(told: Any, kept: int, estimated: bool) -> None:
    record = record_of(Usage("main", "openai", "gpt", told, 4))
    assert (record["input_tokens"], record["estimated"]) == (kept, estimated)


@pytest.mark.parametrize(
    ("told", "kept"),
    [(None, None), (Decimal("NaN"), None), (Decimal("Infinity"), None), (Decimal(-1), None), ("x", None),
     (Decimal(10**6), None), (0.1, "0.1"), (Decimal("1e-13"), "0")],
)  # fmt: skip
def test_a_cost_that_is_no_amount_of_money_is_unknown(told: Any, kept: str | None) -> None:
    assert record_of(Usage("main", "openai", "gpt", 1, 1, told))["cost"] == kept


def test_texts_are_storable_and_bounded() -> None:
    record = record_of(Usage("\0", "\ud800", "m" * 500, 1, 1, request_id="\0", prompt="p" * 300))
    assert (record["connection"], record["provider"], record["request_id"]) == ("\ufffd", "\ufffd", "\ufffd")
    assert (len(str(record["model"])), len(str(record["prompt"]))) == (200, 200)


def test_amounts_add_up_and_an_unknown_cost_counts_nothing() -> None:
    records = [record_of(USED), record_of(Usage("main", "openai", "gpt", 10, 0))]
    assert sum_of(records) == Amount(17, Decimal("0.1"))
    assert sum_of([]) == NOTHING
    assert amount_of(Hold(5)) == Amount(5)
    assert Amount(5, Decimal(2)) - Amount(2, Decimal(1)) == Amount(3, Decimal(1))
    assert largest(Amount(5, Decimal(1)), Amount(2, Decimal(3))) == Amount(5, Decimal(3))


@pytest.mark.parametrize(
    ("hold", "kept"),
    [
        (Hold(5, Decimal(1)), Hold(5, Decimal(1))),
        (Hold(-5, Decimal(-1)), Hold(0, None)),
        (Hold(10**30, Decimal("NaN")), Hold(10**12, None)),
    ],
)
def test_a_hold_is_made_one_that_can_be_counted(hold: Hold, kept: Hold) -> None:
    assert bounded(hold) == kept
