"""Which values leave a step by which ports, and which edges fire."""

from collections.abc import Mapping

from kernel.values import Json
from runs.core.scope import EdgeScope, Scope
from runs.core.state import State, Token
from segments.expressions import ExpressionError
from segments.plan import PlanEdge, PlanStep


def emit_ports(step: PlanStep, ports: Mapping[str, Json]) -> dict[str, Json]:
    """Add the ports a segment's step declares beyond its card: each is emitted when the result has that key."""
    emitted = dict(ports)
    result = ports.get(step.primary_port)
    if isinstance(result, dict):
        emitted.update({port: result[port] for port in step.key_ports if port in result})
    return emitted


def route(step: PlanStep, ports: Mapping[str, Json], scope: Scope) -> tuple[int, ...]:
    """Return the indexes of the edges that fire when these ports are emitted, in the order of the edges.

    Raises:
        ExpressionError: A condition cannot be evaluated.
    """
    own = ports[step.primary_port] if step.primary_port in ports else next(iter(ports.values()), None)
    steps: dict[str, Json] = {step.step_id: {"output": own}}
    fired: list[int] = []
    by_condition: set[str] = set()
    for edge in step.edges:
        port = _port(edge, ports)
        if port is None or edge.is_else:
            continue
        if edge.condition is None:
            fired.append(edge.index)
        elif edge.condition.evaluate(EdgeScope(scope, ports[port], steps)):
            fired.append(edge.index)
            by_condition.add(port)
    taken = {None, *by_condition}
    fired.extend(edge.index for edge in step.edges if edge.is_else and _port(edge, ports) not in taken)
    return tuple(sorted(fired))


def route_error(state: State, token: Token, error: Mapping[str, Json]) -> tuple[int, ...]:
    """Return the edges that take a failure; a condition that cannot be evaluated takes nothing."""
    try:
        return route(state.plan.steps[token.step_id], {"error": dict(error)}, Scope(state, token))
    except ExpressionError:
        return ()


def _port(edge: PlanEdge, ports: Mapping[str, Json]) -> str | None:
    return next((port for port in edge.source_ports if port in ports), None)
