"""Openers: the fan-out that each gathering closes, called its D. The rules: docs/adr/0011."""

from collections.abc import Sequence

from segments.graph import Graph
from segments.plan.fan_out_paths import FanOutPaths
from segments.plan.fan_outs import FanOuts
from segments.plan.model import FOURTH_SEMANTICS, SEMANTICS, THIRD_SEMANTICS


def openers(fan_outs: FanOuts, semantics: int = SEMANTICS) -> dict[str, str | None]:
    """Return D of each gathering: its immediate dominator, or for some joins what lies at or before a split.

    A join whose immediate dominator sends it one token at a time would wait for nobody. So the innermost split that is
    open there takes it::

        split(items) -> work -> join          split -> a, b      (a, b) -> work -> join

    A split is open at a join if it fans out to it, and no gathering that takes all its tokens stands on every way
    between. Where a way leads around the split, D is the last step before the split that every way to the join passes.

    What a join that is taken leads to, and the split is open at, is taken with it, also from a split within: it would
    gather the same items twice, or wait for one token at a time::

        split(items) -> work -> j1 -> j2      work -> j2

    Args:
        fan_outs: Of the segment.
        semantics: The rules of the run, from the third on.
    """
    graph = fan_outs.graph
    found = {step_id: graph.dominators[step_id] for step_id in [*fan_outs.joins, *fan_outs.with_ports]}
    free = [join for join in fan_outs.joins if not _is_a_splits_own(join, fan_outs)]
    for split in reversed(fan_outs.splits):
        joined = fan_outs.joined(split)
        reached = [join for join in free if joined & graph.bit[join]]
        if not reached:
            continue
        between = FanOutPaths(split, fan_outs, dict(found))
        open_at = [join for join in reached if between.is_open_at(join)]
        if not open_at:
            continue
        taken = _best(open_at, between, semantics)
        if semantics != THIRD_SEMANTICS:
            others = open_at if semantics == FOURTH_SEMANTICS else fan_outs.joins
            taken += between.open_behind(taken, [join for join in others if joined & graph.bit[join]])
        found.update({join: _at_or_before(split, join, graph) for join in taken})
        stay = set(free).difference(open_at).union(one for one in open_at if between.stands(taken, one))
        stay.difference_update(taken)
        free = [join for join in free if join in stay]
    return found


def _is_a_splits_own(join: str, fan_outs: FanOuts) -> bool:
    dominator = fan_outs.graph.dominators[join]
    return dominator in fan_outs.split_set and fan_outs.fans_out(dominator, join)


def _best(open_at: Sequence[str], between: FanOutPaths, semantics: int) -> list[str]:
    """Choose among the joins a split is open at: those that fit best, of several in a row the first.

    Joins that have something to do without the split are taken only if no gathering behind them takes the split.
    """
    ranks = {join: _violation(join, between.fan_outs) for join in open_at}
    chosen = {join: rank for join, rank in ranks.items() if not rank or not between.is_taken_behind(join)}
    least = min(chosen.values(), default=0)
    best = [join for join, rank in chosen.items() if rank == least]
    if semantics == THIRD_SEMANTICS:
        return _first_in_plan_order(best, between)
    return [join for join in best if not between.stands(best, join)]


def _first_in_plan_order(joins: Sequence[str], between: FanOutPaths) -> list[str]:
    """Leave out joins that stand behind one before them in plan order, which a loop may turn round."""
    taken: list[str] = []
    for join in joins:
        if not between.stands(taken, join):
            taken.append(join)
    return taken


def _violation(join: str, fan_outs: FanOuts) -> int:
    """Say how much a join has to do without the split: 0 nothing, 1 it merges ways, 2 it gathers a fan-out."""
    dominator = fan_outs.graph.dominators[join]
    if dominator is not None and fan_outs.fans_out(dominator, join):
        return 2
    return int(len({way.source for way in fan_outs.entering[join]}) > 1)


def _at_or_before(split: str, join: str, graph: Graph) -> str:
    above = {split, *graph.dominators_of(split)}
    return next(step_id for step_id in graph.dominators_of(join) if step_id in above)
