"""The judgement on one run: is there a schedule under which engine.md gives what the product gave?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.reference.graph import Graph
from tests.reference.interpreter import Interpreter, Result
from tests.reference.schedules import AsRecorded, AtRandom, Label, Schedule

SCHEDULES = 40


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
    recorded: list[Schedule] = [AsRecorded(finished), AsRecorded(finished, late=True)]
    for schedule in [*recorded, *map(AtRandom, range(SCHEDULES))]:
        result = Interpreter(graph, schedule).run(run_input)
        if result not in expected:
            expected.append(result)
        if result == found:
            return Verdict(agrees=True, expected=expected)
    return Verdict(agrees=False, expected=expected)
