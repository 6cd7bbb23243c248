"""Gather points: where tokens wait for each other, who can still come there, and what lies behind."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from typing import TypedDict

from segments.dominance import single_bits
from segments.graph import Graph
from segments.plan.fan_outs import FanOuts
from segments.plan.model import (
    FIRST_SEMANTICS,
    FOURTH_SEMANTICS,
    SECOND_SEMANTICS,
    SEMANTICS,
    GatherGroup,
    GatherPoint,
    PlanEdge,
)
from segments.plan.openers import openers

_EXIT = ""
"""A step that no segment has: all ways end there."""


def gather_points(
    order: Sequence[str],
    places: Sequence[str],
    connected: Mapping[str, tuple[str, ...]],
    fan_outs: FanOuts,
    semantics: int = SEMANTICS,
) -> tuple[tuple[GatherPoint, ...], tuple[GatherGroup, ...]]:
    """List the joins, and each input port of the steps with several; and the groups of those that share D.

    Args:
        order: The reachable steps in plan order.
        places: All steps as they stand in the segment.
        connected: The connected input ports of the reachable steps.
        fan_outs: Those of the segment.
        semantics: The rules of the run.
    """
    graph = fan_outs.graph
    joins = set(fan_outs.joins)
    stations: list[tuple[str, str | None]] = []
    for step_id in order:
        if step_id in joins:
            stations.append((step_id, None))
        elif len(connected[step_id]) > 1:
            stations.extend((step_id, port) for port in connected[step_id])
    found = _openers_of(semantics, fan_outs)
    dominators = {step_id: found.get(step_id, graph.dominators[step_id]) for step_id, _ in stations}
    is_first = semantics == FIRST_SEMANTICS
    inner = frozenset() if is_first else inner_gatherings(dominators, graph)
    if semantics > FOURTH_SEMANTICS:
        inner |= _led_back_to([step_id for step_id, port in stations if port is not None], dominators, graph)
    numbers = {step_id: number for number, step_id in enumerate(places)}
    kinds = [(dominators[step_id], port is not None and not is_first) for step_id, port in stations]
    groups = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    points = tuple(
        GatherPoint(
            index=index,
            place=index if semantics <= SECOND_SEMANTICS else numbers[step_id],
            step_id=step_id,
            port=port,
            group=groups[kinds[index]],
            loop=graph.components[step_id],
            keeps_shared=port is not None and not is_first,
            closes=step_id not in inner,
        )
        for index, (step_id, port) in enumerate(stations)
    )
    members: dict[int, list[GatherPoint]] = {}
    for point in points:
        members.setdefault(point.group, []).append(point)
    return points, tuple(_group(number, kind, members[number]) for kind, number in groups.items())


def _group(number: int, kind: tuple[str | None, bool], own: Sequence[GatherPoint]) -> GatherGroup:
    return GatherGroup(
        index=number,
        dominator=kind[0],
        by_item=kind[1],
        steps=frozenset(point.step_id for point in own),
        points=sum(1 << point.index for point in own),
    )


def _openers_of(semantics: int, fan_outs: FanOuts) -> Mapping[str, str | None]:
    if semantics > SECOND_SEMANTICS:
        return openers(fan_outs, semantics)
    return closed_splits(fan_outs.splits, fan_outs.joins, fan_outs.graph)


def inner_gatherings(dominators: Mapping[str, str | None], graph: Graph) -> frozenset[str]:
    """Name the gatherings from which another one of the same D is reached without passing D.

        D -> b, c, d      (b, c) -> m1      (m1, d) -> m2

    m1 and m2 share D. m1 must not end D's fan-out, or m2 would take what comes from m1 and from d for the tokens of two
    different fan-outs, and fire twice.

    Args:
        dominators: D by gathering step.
        graph: The segment's graph.
    """
    return frozenset(
        step_id
        for dominator, steps in _by_dominator(dominators).items()
        for step_id, behind in _lead_to_each_other(steps, dominator, graph).items()
        if behind
    )


def _led_back_to(steps: Sequence[str], dominators: Mapping[str, str | None], graph: Graph) -> frozenset[str]:
    """Name the steps with several ports that lead back to themselves without passing D.

    What one of their starts sends keeps D's frame, too: so the next start waits for what comes back::

        D -> a, b, init      a, b -> fold(item)      init -> fold(acc)      fold -> check      check(again) -> fold(acc)
    """
    found: set[str] = set()
    for dominator, own in _by_dominator({step_id: dominators[step_id] for step_id in steps}).items():
        found.update(step_id for step_id in own if _reach(step_id, dominator, graph) & graph.bit[step_id])
    return frozenset(found)


def _by_dominator(dominators: Mapping[str, str | None]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for step_id, dominator in dominators.items():
        found.setdefault(dominator, []).append(step_id)
    return found


def _lead_to_each_other(steps: Sequence[str], dominator: str | None, graph: Graph) -> dict[str, int]:
    """Say of each of these steps, in bits, which others are reached from it without passing the dominator."""
    if len(steps) < 2:
        return dict.fromkeys(steps, 0)
    together = graph.bits(steps)
    return {step_id: _reach(step_id, dominator, graph) & together & ~graph.bit[step_id] for step_id in steps}


def _reach(step_id: str, dominator: str | None, graph: Graph) -> int:
    return graph.reach_bits[step_id] if dominator is None else graph.reach_past(step_id, dominator)


def joins_of_empty_splits(
    splits: Sequence[str],
    points: Sequence[GatherPoint],
    groups: Sequence[GatherGroup],
    graph: Graph,
    semantics: int = SEMANTICS,
) -> dict[str, tuple[str, ...]]:
    """Name the joins that an empty list goes straight to, by split: those of its joins that stand behind no other.

    Args:
        splits: The splits over items.
        points: All gather points, in plan order.
        groups: Theirs.
        graph: The segment's graph.
        semantics: The rules of the run.
    """
    found: dict[str, tuple[str, ...]] = {}
    joins_of: dict[str | None, list[str]] = {}
    for one in points:
        if one.port is None:
            joins_of.setdefault(groups[one.group].dominator, []).append(one.step_id)
    for split in splits:
        joins = joins_of.get(split, [])
        if semantics == FIRST_SEMANTICS:
            found[split] = tuple(joins[:1])
        else:
            behind = _lead_to_each_other(joins, split, graph)
            found[split] = tuple(step_id for step_id in joins if _stands_first(step_id, behind, graph))
    return found


def _stands_first(step_id: str, behind: Mapping[str, int], graph: Graph) -> bool:
    """Whether no join stands before this one; of joins in a circle the first in plan order does."""
    is_later = False
    for other, later in behind.items():
        if other == step_id:
            is_later = True
        elif later & graph.bit[step_id] and not (is_later and behind[step_id] & graph.bit[other]):
            return False
    return True


def points_on_every_way(order: Sequence[str], points: Sequence[GatherPoint], graph: Graph) -> dict[str, int]:
    """Give each step the bits of those points that every way from it to an end of the graph passes.

    A way that never ends passes nothing for certain.
    """
    bits = dict.fromkeys(order, 0)
    if not points:
        return bits
    exits = [step_id for step_id in order if not graph.successors[step_id]]
    backwards = [(target, step_id) for step_id in order for target in graph.successors[step_id]]
    reverse = Graph([_EXIT, *order], [*((_EXIT, step_id) for step_id in exits), *backwards], _EXIT)
    own: dict[str, int] = {}
    for point in points:
        own[point.step_id] = own.get(point.step_id, 0) | 1 << point.index
    for step_id in reverse.order:
        after = reverse.dominators.get(step_id)
        if after is not None and after != _EXIT:
            bits[step_id] = bits[after] | own.get(after, 0)
    return bits


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
        single = [join for join in behind if len(graph.reachable.intersection(graph.predecessors[join])) == 1]
        for join in (single or behind)[:1]:
            closes[join] = split
            free.remove(join)
    return closes


class TokenReach(TypedDict):
    """Gatherings that a token at each step may still reach, as ``Plan`` has it."""

    reaches: dict[str, int]
    groups_reached: dict[str, int]
    groups_around: dict[str, int]


def reach_of_tokens(
    order: Sequence[str],
    edges: Sequence[PlanEdge],
    points: Sequence[GatherPoint],
    groups: Sequence[GatherGroup],
    graph: Graph,
) -> TokenReach:
    """Give each step the bits of the points a token at it may still come to, of their groups, and of the groups around.

    A group is around a step that is its D, or stands behind it.
    """
    points_of: dict[str, list[GatherPoint]] = {}
    for point in points:
        points_of.setdefault(point.step_id, []).append(point)
    own, own_groups = dict.fromkeys(order, 0), dict.fromkeys(order, 0)
    for edge in edges:
        for point in points_of.get(edge.target, ()):
            if point.port in (None, edge.target_port):
                own[edge.source] |= 1 << point.index
                own_groups[edge.source] |= 1 << point.group
    return TokenReach(
        reaches=graph.gathered(order, own),
        groups_reached=graph.gathered(order, own_groups),
        groups_around=_groups_around(order, groups, graph),
    )


def sources_of_gatherings(
    order: Sequence[str], points: Sequence[GatherPoint], reaches: Mapping[str, int]
) -> dict[str, int]:
    """Give each gathering step the bits, by plan order, of the steps from which a token may still come to it."""
    own: dict[str, list[int]] = {}
    for point in points:
        own.setdefault(point.step_id, []).append(point.index)
    by_reach: dict[int, int] = {}
    for number, source in enumerate(order):
        by_reach[reaches[source]] = by_reach.get(reaches[source], 0) | 1 << number
    comes_from = [0] * len(points)
    for reach, sources in by_reach.items():
        for bit in single_bits(reach):
            comes_from[bit.bit_length() - 1] |= sources
    return {step_id: reduce(or_, (comes_from[index] for index in indexes)) for step_id, indexes in own.items()}


def _groups_around(order: Sequence[str], groups: Sequence[GatherGroup], graph: Graph) -> dict[str, int]:
    own: dict[str | None, int] = {}
    for group in groups:
        own[group.dominator] = own.get(group.dominator, 0) | 1 << group.index
    around: dict[str, int] = {}
    for step_id in order:
        dominator = graph.dominators[step_id]
        above = own.get(None, 0) if dominator is None else around[dominator]
        around[step_id] = above | own.get(step_id, 0)
    return around


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
