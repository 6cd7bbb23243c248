"""The pure step types as docs/reference/gathering.md has them: inputs and names in, emitted ports or a failure out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segments.expressions import ExpressionError, parse
from tests.reference.graph import CONDITION, ERROR, JOIN, SPLIT, Edge, Graph
from tests.reference.model import WAIT
from tests.reference.tokens import Token


class Failed(Exception):
    """A step or an edge failed."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Emitted:
    """What a step emits. ``value`` is what counts as its output; ``items`` what each branch gets one by one."""

    value: Any
    ports: Mapping[str, Any]
    items: list[Any] | None = field(default=None)


def run_handler(graph: Graph, step: str, names: Mapping[str, Any], strategy: str) -> Emitted:
    """Do what the type of the step does.

    Raises:
        Failed: It cannot.
    """
    config, value = graph.config(step), names["input"]
    match graph.kind(step):
        case k if k == JOIN:
            return _join(value, strategy)
        case k if k == CONDITION:
            return Emitted(value, {"true" if evaluate(config["expression"], names) else "false": value})
        case k if k == SPLIT:
            ports = {port: value for edge in graph.out[step] for port in edge.ports if port != ERROR}
            items = evaluate(config["items"], names) if "items" in config else None
            return Emitted(value, ports, items)
        case k if k == WAIT:
            return Emitted(value, {"output": value})
        case "fail":
            raise Failed(config["code"])
        case _:
            result = evaluate(config["expression"], names)
            return Emitted(result, {"output": result})


def _join(arrived: list[Any], strategy: str) -> Emitted:
    if strategy in {"all", "quorum"} or not arrived:
        return Emitted(list(arrived), {"output": list(arrived)})
    return Emitted(arrived[0], {"output": arrived[0]})


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Evaluate an expression.

    Raises:
        Failed: It fails.
    """
    try:
        return parse(text).evaluate(names)
    except ExpressionError as error:
        raise Failed(error.code) from error


def names_of(graph: Graph, token: Token, run_input: Any) -> dict[str, Any]:
    """The names that an expression of the token's step sees."""
    has_ports = token.step in graph.opener and token.step not in graph.joins
    inputs = token.value if has_ports else {token.port: token.value}
    names = {**inputs, "input": token.value, "inputs": inputs, "run": {"input": run_input}}
    names["steps"] = {step: {"output": value} for step, (_, value) in token.seen.items()}
    for frame in token.stack:
        if frame.item is not None:
            names |= {"item": frame.value, "index": frame.item}
    return names


@dataclass(frozen=True, slots=True)
class Firing:
    """The edges that carry what was emitted, in the order of the document, and why the first that failed did."""

    edges: list[tuple[Edge, Any]]
    failure: str | None


def firing_edges(graph: Graph, step: str, ports: Mapping[str, Any]) -> Firing:
    """Tell which edges fire; where a condition fails, neither its edge nor the ``else`` beside it does."""
    found: list[tuple[Edge, Any]] = []
    failures: dict[int, str] = {}
    for port, value in ports.items():
        siblings = [edge for edge in graph.out[step] if port in edge.ports]
        undecided = False
        for edge in siblings:
            try:
                holds = edge.condition is None or (edge.condition != "else" and _holds(edge, value))
            except Failed as failure:
                failures[edge.number] = failure.code
                undecided = True
                continue
            found += [(edge, value)] if holds else []
            undecided = undecided or (holds and edge.condition is not None)
        found += [(edge, value) for edge in siblings if edge.condition == "else" and not undecided]
    in_order = sorted(found, key=lambda firing: firing[0].number)
    return Firing(in_order, failures[min(failures)] if failures else None)


def _holds(edge: Edge, value: Any) -> bool:
    keys = value if isinstance(value, dict) else {}
    return bool(evaluate(str(edge.condition), {**keys, "output": value, "input": value}))
