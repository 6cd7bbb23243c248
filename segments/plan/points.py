"""Where tokens wait for each other, and who can still come there."""

from collections.abc import Mapping, Sequence

from segments.catalog import Role, StepType
from segments.plan.graph import Graph
from segments.plan.model import GatherPoint, PlanEdge


def gather_points(
    order: Sequence[str],
    step_types: Mapping[str, StepType],
    connected: Mapping[str, tuple[str, ...]],
    graph: Graph,
) -> tuple[GatherPoint, ...]:
    """List the joins, and each input port of the steps with several.

    Args:
        order: The reachable steps in plan order.
        step_types: Their types.
        connected: Their connected input ports.
        graph: The segment's graph.
    """
    splits, joins = (
        [step_id for step_id in order if step_types[step_id].role is role] for role in (Role.SPLIT, Role.JOIN)
    )
    closes = closed_splits(splits, joins, graph)
    places: list[tuple[str, str | None]] = []
    for step_id in order:
        if step_types[step_id].role is Role.JOIN:
            places.append((step_id, None))
        elif len(connected[step_id]) > 1:
            places.extend((step_id, port) for port in connected[step_id])
    return tuple(
        GatherPoint(
            index=index,
            step_id=step_id,
            port=port,
            dominator=closes.get(step_id, graph.dominators[step_id]),
            loop=graph.components[step_id],
        )
        for index, (step_id, port) in enumerate(places)
    )


def closed_splits(splits: Sequence[str], joins: Sequence[str], graph: Graph) -> dict[str, str]:
    """Say which split a join closes that is not the split's own by its place in the graph.

    Where all ways from a split come together before the join (one branch over many items, or branches that run into
    the same step), the join's immediate dominator is the step before it, not the split. Innermost first, such a split
    takes the first join behind it that one step leads to, else the first that brings other ways together; a join
    directly dominated by a split stays with that split.

    Args:
        splits: The splits, in plan order.
        joins: The joins, in plan order.
        graph: The segment's graph.

    Returns:
        The split by join.
    """
    closes: dict[str, str] = {}
    own = {graph.dominators[join] for join in joins}
    free = [join for join in joins if graph.dominators[join] not in splits]
    for split in reversed(splits):
        behind = [] if split in own else [join for join in free if split in graph.dominators_of(join)]
        single = [join for join in behind if len(set(graph.predecessors[join])) == 1]
        for join in (single or behind)[:1]:
            closes[join] = split
            free.remove(join)
    return closes


def reached_points(
    order: Sequence[str], edges: Sequence[PlanEdge], points: Sequence[GatherPoint], graph: Graph
) -> dict[str, int]:
    """Give each step the bits of the points a token at it may still come to."""
    reaches = dict.fromkeys(order, 0)
    for point in points:
        sources = {
            edge.source for edge in edges if edge.target == point.step_id and point.port in (None, edge.target_port)
        }
        for step_id in order:
            if step_id in sources or any(graph.reaches(step_id, source) for source in sources):
                reaches[step_id] |= 1 << point.index
    return reaches


def dominator_spans(order: Sequence[str], graph: Graph) -> dict[str, tuple[int, int]]:
    """Number the dominator tree: a step's own number, and the highest below it."""
    below: dict[str, list[str]] = {step_id: [] for step_id in order}
    for step_id, dominator in graph.dominators.items():
        if dominator is not None:
            below[dominator].append(step_id)
    first: dict[str, int] = {}
    spans: dict[str, tuple[int, int]] = {}
    stack = [(graph.entrypoint, False)]
    while stack:
        step_id, is_left = stack.pop()
        if is_left:
            spans[step_id] = (first[step_id], len(first) - 1)
            continue
        first[step_id] = len(first)
        stack.append((step_id, True))
        stack.extend((child, False) for child in below[step_id])
    return spans
