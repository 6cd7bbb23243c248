"""Which fan-out each gathering belongs to (ADR 11), told by ways: what is reached when a step is taken away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tests.reference.model import CONDITION, ELSE, ERROR, SPLIT, Edge

if TYPE_CHECKING:
    from tests.reference.graph import Graph

FITS, MERGES, GATHERS = range(3)


def openers(graph: Graph, gatherings: Sequence[str]) -> dict[str, str]:
    """D of each gathering."""
    found = {one: graph.immediate_dominator(one) for one in gatherings}
    splits = [step for step in graph.steps if graph.kind(step) == SPLIT]
    available = {join for join in graph.joins if not (found[join] in splits and fans_out(graph, found[join], join))}
    for split in sorted(splits, key=lambda one: -graph.order[one]):
        candidates = {join for join in available if fans_out(graph, split, join)}
        if not candidates:
            continue
        takers = _takers(graph, found, split)
        open_at = {join for join in candidates if _is_open(graph, takers, split, join)}
        taken = _chosen(graph, split, open_at, takers)
        taken |= {
            join
            for join in graph.joins
            if _is_behind(graph, taken, split, join) and _is_open(graph, takers, split, join)
        }
        for join in taken:
            found[join] = _last_common(graph, split, join)
        available -= taken | {join for join in open_at if not _stands(graph, taken, split, join)}
    return found


def fans_out(graph: Graph, source: str, target: str) -> bool:
    """Whether several tokens of one activation of the source can come to the target."""
    leading = [
        edge
        for edge in graph.out[source]
        if edge.target == target or (edge.target != source and target in graph.reached_without(edge.target, source))
    ]
    return _several(graph, source, leading)


def _several(graph: Graph, source: str, edges: Sequence[Edge]) -> bool:
    if graph.config(source).get("items") is not None and graph.kind(source) == SPLIT:
        return bool(edges)
    return any(fire_together(graph, one, other) for place, one in enumerate(edges) for other in edges[place + 1 :])


def fire_together(graph: Graph, one: Edge, other: Edge) -> bool:
    """Whether one activation may send tokens along both edges."""
    if set(one.ports).isdisjoint(other.ports):
        return graph.kind(one.source) != CONDITION and ERROR not in {*one.ports, *other.ports}
    conditions = [one.condition, other.condition]
    return None in conditions or conditions.count(ELSE) != 1


def _takers(graph: Graph, openers: Mapping[str, str], split: str) -> set[str]:
    """The gatherings behind which what came of a split is one token; ports are looked at until nothing is new."""
    candidates = {one for one, opener in openers.items() if opener == split or graph.dominates(opener, split)}
    takers = candidates.intersection(graph.joins)
    while new := {one for one in candidates - takers if _brings_together(graph, split, one, takers)}:
        takers |= new
    return takers


def _brings_together(graph: Graph, split: str, step: str, takers: Iterable[str]) -> bool:
    """Whether at most one token of a split can come to each port of a step, as far as other gatherings take some."""

    def leading(port: str, *closed: str) -> list[Edge]:
        return [edge for edge in graph.out[split] if port in _ports(graph, edge, step, *closed)]

    return all(
        not _several(graph, split, leading(port)) or any(not leading(port, taker) for taker in takers if taker != split)
        for port in graph.ports(step)
    )


def _ports(graph: Graph, edge: Edge, step: str, *closed: str) -> set[str]:
    """The ports of a step that an edge leads to, before its source, the step or what is closed is passed."""
    if edge.target == step:
        return {edge.target_port}
    if edge.target in {edge.source, *closed}:
        return set()
    passed, todo = {edge.target}, [edge.target]
    while todo:
        onwards = {one.target for one in graph.out[todo.pop()]} - passed - {edge.source, step, *closed}
        passed |= onwards
        todo.extend(onwards)
    return {one.target_port for one in graph.into[step] if one.source in passed}


def _stands(graph: Graph, gatherings: Iterable[str], split: str, step: str) -> bool:
    """Whether one of the gatherings, taken away, leaves no way from the split to a step."""
    return any(one not in {split, step} and step not in graph.reached_without(split, one) for one in gatherings)


def _chosen(graph: Graph, split: str, open_at: set[str], takers: set[str]) -> set[str]:
    """The joins that fit a split best, without those that another of them stands before."""
    fits = {
        join: fit
        for join in open_at
        if (fit := _fit(graph, join)) == FITS or not takers & graph.reached_without(join, split)
    }
    best = {join for join, fit in fits.items() if fit == min(fits.values())}
    return {join for join in best if not _stands(graph, best, split, join)}


def _is_open(graph: Graph, takers: Collection[str], split: str, join: str) -> bool:
    """Whether several tokens of a split may come to a join one by one."""
    return fans_out(graph, split, join) and join not in takers and not _stands(graph, takers, split, join)


def _is_behind(graph: Graph, taken: Collection[str], split: str, join: str) -> bool:
    """Whether joins that the split takes lead to another one, and some way leads around each of them."""
    if join in taken or _stands(graph, taken, split, join):
        return False
    return any(join in graph.reached_without(one, split) for one in taken)


def _fit(graph: Graph, join: str) -> int:
    if fans_out(graph, graph.immediate_dominator(join), join):
        return GATHERS
    return FITS if len({edge.source for edge in graph.into[join]}) == 1 else MERGES


def _last_common(graph: Graph, split: str, join: str) -> str:
    """The last step that all ways to the join pass and that is the split or stands before it on all ways."""
    above = graph.dominators[join] & graph.dominators[split]
    return max(above, key=lambda one: len(graph.dominators[one]))
