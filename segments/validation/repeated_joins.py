"""Rule about joins that fire once per branch, because no gathering closes the fan-out in front of them."""

from collections.abc import Iterator

from segments.catalog import Role
from segments.definition.findings import shown
from segments.plan.graph import Graph
from segments.plan.points import closed_splits
from segments.validation.context import Context
from segments.validation.exclusion import firing_pairs

MOST_FAN_OUTS = 100
"""Fan-outs looked at; each costs a walk of the graph."""


def check_joins_fire_once(context: Context) -> None:
    """JOIN_FIRES_AGAIN (warning): several branches of one fan-out come to a join one by one.

    As in ``fan -> a, b``, ``a -> work``, ``b -> work``, ``work -> join``: every way to the join passes ``work``, so the
    join gathers what one run of ``work`` sends out, and fires for each.
    """
    if context.graph is None:
        return
    gathered = _dominators_of_gatherings(context, context.graph)
    joins = [step_id for step_id, step_type in context.step_types.items() if step_type.role is Role.JOIN]
    warned: set[str] = set()
    for fan_out, branches in _fan_outs(context):
        inside = [join for join in joins if join in gathered and context.dominates(fan_out, gathered[join] or "")]
        closers = frozenset(step_id for step_id, dominator in gathered.items() if dominator == fan_out)
        if not inside or not branches:
            continue
        walk = _walk_to(context.graph, {fan_out, *closers})
        for join in inside:
            if join in warned or _is_closed_behind(context.graph, join, fan_out, closers):
                continue
            if any(all(target == join or walk.reaches(target, join) for target in pair) for pair in branches):
                warned.add(join)
                message = f"Branches of {shown(fan_out)} come to the join {shown(join)} one by one; it fires for each."
                hint = f"join all branches of {shown(fan_out)} in one join, in front of this one or behind it"
                context.findings.warning("JOIN_FIRES_AGAIN", message, context.places[join], hint=hint)


def _dominators_of_gatherings(context: Context, graph: Graph) -> dict[str, str | None]:
    """Return D of every join and of every step with several connected ports; see ``GatherPoint``."""
    order = [step_id for step_id in graph.order if step_id in graph.reachable and step_id in context.step_types]
    splits, joins = (
        [step_id for step_id in order if context.step_types[step_id].role is role] for role in (Role.SPLIT, Role.JOIN)
    )
    several = [step_id for step_id in order if len({link.target_port for link in context.entering[step_id]}) > 1]
    closes = closed_splits(splits, joins, graph)
    return {step_id: closes.get(step_id, graph.dominators[step_id]) for step_id in [*joins, *several]}


def _fan_outs(context: Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the steps that send several tokens at once, each with the pairs of steps they are sent to."""
    left = MOST_FAN_OUTS
    for step_id, step_type in context.step_types.items():
        links = context.leaving[step_id]
        pairs = [(one.edge.target, other.edge.target) for one, other in firing_pairs(links, step_type)]
        if step_type.role is Role.SPLIT and context.steps[step_id].config.get("items") is not None:
            pairs.extend((link.edge.target, link.edge.target) for link in links)
        if pairs:
            left -= 1
            yield step_id, pairs
        if not left:
            return


def _walk_to(graph: Graph, passed: set[str]) -> Graph:
    """Return the graph without the edges out of these steps: what is reached without passing one of them."""
    edges = [(step, target) for step in graph.steps if step not in passed for target in graph.successors[step]]
    return Graph(graph.steps, edges, graph.entrypoint)


def _is_closed_behind(graph: Graph, join: str, fan_out: str, closers: frozenset[str]) -> bool:
    """Whether a gathering of the fan-out stands behind the join, and takes what the join sends out each time."""
    if not closers:
        return False
    walk = _walk_to(graph, {fan_out})
    return any(walk.reaches(join, closer) for closer in closers)
