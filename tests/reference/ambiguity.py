"""Why a graph has several results: the rules of docs/reference/gathering.md by which the order of finishing decides."""

from collections.abc import Mapping
from typing import Any

from tests.reference.graph import Graph
from tests.reference.interpreter import Interpreter, Result
from tests.reference.schedules import AtRandom

ORDERS = 6
BY_ARRIVAL = {"any", "first", "quorum"}
UNEXPLAINED = "no rule explains it"


def rule_behind(segment: Mapping[str, Any], run_input: Any) -> str | None:
    """Name the rule by which orders of finishing end in several results; None when all give one output or error.

    Raises:
        TooLarge: The run is larger than what is compared.
    """
    graph = Graph(segment)
    results = [Interpreter(graph, AtRandom(seed)).run(run_input) for seed in range(1, ORDERS + 1)]
    if all(_outcome(result) == _outcome(results[0]) for result in results):
        return None
    if any(graph.config(join).get("merge_strategy", "all") in BY_ARRIVAL for join in graph.joins):
        return "any, first and quorum take what arrives first (5.4)"
    if any(result.error is not None for result in results):
        return "the run fails with the failure that comes first (5.5)"
    if any(count > 1 for result in results for count in result.activations.values()):
        return "a step that starts several times leaves its last value (5.3, 5.6)"
    return UNEXPLAINED


def _outcome(result: Result) -> tuple[str, Any, tuple[str, str] | None]:
    return result.status, result.output, result.error
