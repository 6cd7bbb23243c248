"""Of alternatives one has to have run, and what asks whether a step has run needs it no more."""

from typing import Any

import pytest

from tests.support.stand_in_catalog import document, judged

DECIDE = {"expression": "input.x == 1"}
EITHER = ["c.true -> a", "c.false -> d", "a -> b", "d -> b"]
MAYBE = ["c.true -> a", "c.false -> b", "a -> b"]
NONE = ["c.true -> a", "a -> d", "c.false -> b", "d -> b"]
WARNED = [("MAY_NOT_HAVE_RUN", "/steps/3/config/expression")]


def found(expression: str, edges: list[str]) -> list[tuple[str, str]]:
    steps: dict[str, Any] = {"c:condition": DECIDE, "a": {}, "d": {}, "b": {"expression": expression}}
    return [one for one in judged(document(steps, edges)) if one[0] == "MAY_NOT_HAVE_RUN"]


@pytest.mark.parametrize(
    ("expression", "right", "wrong"),
    [
        ("steps.a.output ?? steps.d.output", EITHER, NONE),
        ("steps.a.output ?? steps.d.output ?? null", NONE, None),
        ("steps.a.output if 'a' in steps else null", MAYBE, None),
        ("steps.c.output if 'a' in steps else steps.a.output", None, MAYBE),
        ("steps.a.output if 'c' in steps else null", None, MAYBE),
    ],
)
def test_what_may_be_missing_is_told_and_nothing_else(
    expression: str, right: list[str] | None, wrong: list[str] | None
) -> None:
    assert right is None or found(expression, right) == []
    assert wrong is None or found(expression, wrong) == WARNED
