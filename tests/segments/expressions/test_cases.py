"""Every expression of `tests/cases/expressions.json` behaves as the file says."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from segments.expressions import ExpressionError, parse
from segments.expressions.expression import known_expressions
from tests.support.cost import cost_of, under_a_tracer

CASES = json.loads((Path(__file__).parents[2] / "cases" / "expressions.json").read_text())
# Attacks too long to be written down; the file describes each in `why`.
GENERATED = {
    "atk-133": ["not " * 2_000 + "True"],
    "atk-160": ["-" * 100_000 + "1", "-" * 1_900 + "1", "not " * 450 + "1", "!" * 1_900 + "1"],
    "atk-164": ["1 if True else " * 10_000 + "1", "1 if True else " * 120 + "1", "true ? 1 : " * 150 + "1"],
    "atk-165": [" and ".join(["True"] * 100_000), " or ".join(["n"] * 500)],
    "atk-166": [" < ".join(["1"] * 100_000), "<".join(["1"] * 900)],
    "atk-167": ["'" + "a" * 2_000_000 + "'"],
    "atk-171": ["0x" + "f" * 100_000, "0xff"],
}
ATTACKS = [
    pytest.param(case, source, id=f"{case['id']}-{number}")
    for case in CASES["attacks"]
    for number, source in enumerate([case["expr"]] if "expr" in case else GENERATED[case["id"]])
]


def outcome(source: str, context: dict[str, Any]) -> Any:
    try:
        return parse(source).evaluate(context)
    except ExpressionError as error:
        return error


def assert_plain(value: Any) -> None:
    assert type(value) in {type(None), bool, int, float, str, list, dict}
    assert not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            assert_plain(item)


def test_the_file_holds_cases() -> None:
    print(f"{len(CASES['benign'])} benign expressions, {len(ATTACKS)} attacks")
    assert len(CASES["benign"]) >= 54
    assert len(ATTACKS) >= 85


@pytest.mark.parametrize("case", CASES["benign"], ids=lambda case: case["id"])
def test_users_get_what_they_expect(case: dict[str, Any]) -> None:
    context = copy.deepcopy(case["context"])
    result = parse(case["expr"]).evaluate(context)
    assert result == case["expected"]
    assert type(result) is type(case["expected"])
    assert context == case["context"]


@pytest.mark.parametrize(("case", "source"), ATTACKS)
def test_abusers_get_an_error_or_a_plain_value_in_time(case: dict[str, Any], source: str) -> None:
    context = CASES["contexts"][case["context_ref"]]
    untouched = copy.deepcopy(context)
    result = outcome(source, context)

    def again() -> None:
        known_expressions.clear()
        outcome(source, context)

    bound = under_a_tracer(0.050)
    cost = cost_of(again, bound=bound)
    assert context == untouched
    assert cost.seconds < bound
    assert cost.peak_bytes < 32 * 1024 * 1024
    if case["must"] == "reject":
        assert isinstance(result, ExpressionError)
    elif not isinstance(result, ExpressionError):
        assert_plain(result)
