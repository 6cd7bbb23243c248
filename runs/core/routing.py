"""Routing: the values that leave a step by its ports, and the edges that fire."""

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

from kernel.types import Json
from runs.core.scope import CONDITIONS, EdgeScope, Scope
from runs.core.state import State, Token, step_facts
from segments.expressions import AccountEmpty, ExpressionError, FuelAccount
from segments.plan import PlanEdge, PlanStep

ERROR_ROUTING_UNITS = 20_000
"""Fuel for the conditions of all edges that may take one failure, some 7 ms."""


class ErrorRoutingLimit(ExpressionError):
    """The conditions of the edges that may take one failure take too much work together."""

    code: ClassVar[str] = "COMPUTE_LIMIT"


Holds = Callable[[PlanEdge, EdgeScope], object]
"""Tells whether an edge's condition holds on some names."""


def evaluate_condition(edge: PlanEdge, names: EdgeScope) -> object:
    """Evaluate an edge's condition, here and at once."""
    return edge.condition is None or edge.condition.evaluate(names)


def within(account: FuelAccount) -> Holds:
    """Evaluate conditions here and at once, on an account; what evaluates raises AccountEmpty."""

    def holds(edge: PlanEdge, names: EdgeScope) -> object:
        return edge.condition is None or account.evaluate(edge.condition, names)

    return holds


def emit_ports(step: PlanStep, ports: Mapping[str, Json]) -> dict[str, Json]:
    """Add the ports a segment's step declares beyond its card: each is emitted when the result has that key."""
    emitted = dict(ports)
    result = ports.get(step.primary_port)
    if step.key_ports and isinstance(result, dict):
        emitted.update({port: result[port] for port in step.key_ports if port in result})
    return emitted


def port_taken(edge: PlanEdge, ports: Mapping[str, Json]) -> str | None:
    """Return the port among those emitted that an edge takes its value from; None where it has none."""
    for port in edge.source_ports:
        if port in ports:
            return port
    return None


class Routing(NamedTuple):
    """The indexes of the edges that fire, in their order; and the first edge whose condition could not be evaluated."""

    edges: tuple[int, ...]
    failed: PlanEdge | None = None
    reason: ExpressionError | None = None

    def edge_error(self, activation: int) -> dict[str, Json] | None:
        """Write the failure of an edge as the journal and people have it; it is the edge's, the step has completed."""
        if self.failed is None or self.reason is None:
            return None
        source, target = self.failed.source, self.failed.target
        return {
            "code": self.reason.code,
            "message": f"The condition of the edge from {source} to {target} failed: {self.reason}",
            "step_id": source,
            "activation": activation,
            "attempts": 0,
            "details": {"edge": self.failed.index, "from": source, "to": target},
        }


def own_facts(step: PlanStep, ports: Mapping[str, Json]) -> dict[str, Json]:
    """Give what ``steps.<id>`` is of a step, or of its failure, to the conditions of its own edges."""
    error = ports.get("error")
    return step_facts(step, ports) if error is None else {**step_facts(step, ports), "error": error}


def deciding_edges(step: PlanStep, ports: Mapping[str, Json]) -> list[tuple[PlanEdge, str]]:
    """Give the edges whose conditions decide when these ports are emitted, each with its port."""
    return [
        (edge, port)
        for edge in step.edges
        if edge.condition is not None and (port := port_taken(edge, ports)) is not None
    ]


def route(step: PlanStep, ports: Mapping[str, Json], scope: Scope, holds: Holds = evaluate_condition) -> Routing:
    """Say which edges fire when these ports are emitted.

    Behind a condition that cannot be evaluated nothing is decided: neither its edge fires nor the ``else`` beside it.
    """
    steps: dict[str, Json] = {}
    fired: list[int] = []
    decided: set[str] = set()
    failed: tuple[PlanEdge, ExpressionError] | tuple[()] = ()
    for edge in step.edges:
        port = port_taken(edge, ports)
        if port is None or edge.is_else:
            continue
        if edge.condition is None:
            fired.append(edge.index)
        else:
            steps = steps or {step.step_id: own_facts(step, ports)}
            try:
                if holds(edge, EdgeScope(scope, ports[port], steps)):
                    fired.append(edge.index)
                    decided.add(port)
            except ExpressionError as error:
                failed = failed or (edge, error)
                decided.add(port)
    taken = {None, *decided}
    otherwise = [edge.index for edge in step.edges if edge.is_else and port_taken(edge, ports) not in taken]
    return Routing(tuple(sorted(fired + otherwise) if otherwise else fired), *failed)


def within_error_routing(account: FuelAccount) -> Holds:
    """Evaluate conditions as ``within``; that the account is empty is why the edge cannot be taken."""
    holds = within(account)

    def holds_or_tells(edge: PlanEdge, names: EdgeScope) -> object:
        try:
            return holds(edge, names)
        except AccountEmpty:
            raise ErrorRoutingLimit(
                "the conditions of the edges that may take this failure do too much work together"
            ) from None

    return holds_or_tells


def route_error(
    state: State, token: Token, error: Mapping[str, Json]
) -> tuple[tuple[int, ...], dict[str, Json] | None]:
    """Return the edges that take a failure, and the failure of the edge that was kept from it, if one was.

    Where a condition cannot be evaluated, or all take too much, nothing takes it.
    """
    account = FuelAccount(ERROR_ROUTING_UNITS)
    activation = state.active.get((token.step_id, token.activation))
    scope = Scope(state, token, activation)
    account.draws = scope.draws(CONDITIONS)
    step = state.plan.steps[token.step_id]
    routing = route(step, {"error": dict(error)}, scope, within_error_routing(account))
    number = error.get("activation")
    edge_error = routing.edge_error(number if isinstance(number, int) else token.activation)
    return (routing.edges, None) if edge_error is None else ((), edge_error)
