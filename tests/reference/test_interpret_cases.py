"""Agreement of interpreter and core with cases derived by hand from docs/reference/gathering.md."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.reference.drawings import drawn
from tests.reference.interpreter import Result, interpret
from tests.reference.product import run_product
from tests.reference.schedules import AsRecorded, AtRandom
from tests.support.core_runs import run_in_core
from tests.support.simulation import InOrder
from tests.support.stand_in_steps import registry

FILE = Path(__file__).parents[1] / "cases" / "joins.json"
CASES: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
ORDERS = 8


def hold(case: dict[str, Any], found: Result) -> None:
    assert found.status == case.get("status", "completed"), found
    if "output" in case:
        assert found.output == case["output"]
    if "any_of" in case:
        assert found.output in case["any_of"]
    if "error_step" in case:
        assert found.error is not None
        assert found.error[1] == case["error_step"]
        assert found.error[0] == case.get("error_code", found.error[0])
    for step_id, count in case.get("activations", {}).items():
        assert found.activations.get(step_id, 0) == count, step_id


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_interpreter_and_core_give_what_was_derived_by_hand(case: dict[str, Any]) -> None:
    segment = drawn(case["graph"])
    if "finish" in case:
        recorded = AsRecorded([(step_id, 1) for step_id in case["finish"]])
        hold(case, interpret(segment, case["input"], recorded))
        hold(case, run_product(segment, case["input"], InOrder(*case["finish"]))[0])
        return
    for order in range(ORDERS):
        hold(case, interpret(segment, case["input"], AtRandom(order)))
        hold(case, run_product(segment, case["input"], Random(order))[0])


def test_there_are_cases(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f" {len(CASES)} cases of joins.json, each in {ORDERS} orders ", end="")
    assert len(CASES) >= 25


def nested_joins(depth: int) -> dict[str, Any]:
    """Joins inside one another, the innermost of which has a branch that fails."""
    lines = []
    for level in range(depth):
        inner = f"s{level + 1}" if level + 1 < depth else "deep"
        lines += [f"s{level} = split", f"s{level} -> a{level}, {inner}", f"a{level} -> j{level} = join"]
        lines.append(f"{'deep' if level + 1 == depth else f'j{level + 1}'} -> j{level}")
    return drawn([*lines, "deep = fails"])


def depth_of(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((depth_of(one) for one in inside), default=0)


def test_a_failure_inside_a_hundred_joins_comes_out_flat() -> None:
    error: Any = run_in_core(nested_joins(100), registry(), "x").journal[-1].payload["error"]
    assert (error["code"], error["step_id"]) == ("BRANCH_FAILED", "j0")
    assert "deep" in json.dumps(error["details"])
    assert depth_of(error["details"]) < 8
