"""The judgement on one run: is there a schedule under which docs/reference/gathering.md gives what the product gave?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.reference.graph import Graph
from tests.reference.interpreter import Interpreter, Result
from tests.reference.schedules import AsRecorded, AtRandom, Label, Schedule

SCHEDULES = 2_000
"""Tried until one fits: how far branches come before one fails may be what one order of two hundred gives."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a result is among those expected; ``expected`` begins with the recorded order's."""

    agrees: bool
    expected: Sequence[Result]


def judge(segment: Mapping[str, Any], run_input: Any, found: Result, finished: Sequence[Label]) -> Verdict:
    """Hold a result against the interpreter: first in the recorded order, then in others.

    Raises:
        TooLarge: The run is larger than what is compared.
    """
    graph = Graph(segment)
    expected: list[Result] = []
    recorded: list[Schedule] = [
        AsRecorded(finished, late=late, fails_at_once=at_once) for at_once in (False, True) for late in (False, True)
    ]
    for schedule in [*recorded, *map(AtRandom, range(SCHEDULES))]:
        result = Interpreter(graph, schedule).run(run_input)
        if result not in expected:
            expected.append(result)
        if _fits(found, result):
            return Verdict(agrees=True, expected=expected)
    return Verdict(agrees=False, expected=expected)


def _fits(found: Result, expected: Result) -> bool:
    """Whether a result is the expected one; of what was cancelled outcomes may have been recorded."""
    if (found.status, found.output, found.error) != (expected.status, expected.output, expected.error):
        return False
    return all(
        expected.activations.get(step, 0)
        <= found.activations.get(step, 0)
        <= expected.activations.get(step, 0) + expected.cancelled.get(step, 0)
        for step in {*found.activations, *expected.activations}
    )
