"""Fan-outs, and the gatherings that bring their branches together. The rules: docs/adr/0011."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from segments.catalog import Role, StepType
from segments.graph import Graph
from segments.plan.model import SEMANTICS, THIRD_SEMANTICS

ELSE = "else"


class Way(NamedTuple):
    """One edge, as far as it matters where tokens can go."""

    source: str
    target: str
    source_ports: tuple[str, ...]
    target_port: str
    condition: str | None

    @property
    def is_else(self) -> bool:
        """Whether the edge is taken when no sibling's condition holds."""
        return self.condition is not None and self.condition.strip() == ELSE

    @property
    def is_conditional(self) -> bool:
        """Whether something in the edge itself can hold a token back."""
        return self.condition is not None


def ports_agree(one: Sequence[str], other: Sequence[str], step_type: StepType) -> bool:
    """Whether two edges out of a step of this type, which leave by these ports, may be taken together."""
    left, right = set(one), set(other)
    if left & right:
        return True
    if step_type.decides or not left or not right:
        return False
    return (left | right).isdisjoint(step_type.stand_ins)


class FanOuts:
    """Who sends several tokens to whom.

    Args:
        graph: The segment's graph.
        ways: Its edges, in their order.
        step_types: The types of its steps.
        item_splits: The splits over items.
        excludes: Tells more of two edges that cannot fire together than the rules of gathering know.
    """

    def __init__(
        self,
        graph: Graph,
        ways: Iterable[Way],
        step_types: Mapping[str, StepType],
        item_splits: Collection[str],
        excludes: Callable[[Way, Way], bool] | None = None,
    ) -> None:
        self.graph = graph
        self.item_splits = item_splits
        self._step_types = step_types
        self._excludes = excludes
        self._leaving: dict[str, list[Way]] = {step_id: [] for step_id in graph.steps}
        self.entering: dict[str, list[Way]] = {step_id: [] for step_id in graph.steps}
        for way in ways:
            self._leaving[way.source].append(way)
            self.entering[way.target].append(way)
        self._beyond: dict[str, Graph] = {}

    @cached_property
    def joins(self) -> list[str]:
        """The joins, in plan order."""
        return [one for one in self._reached if self._step_types[one].role is Role.JOIN]

    @cached_property
    def splits(self) -> list[str]:
        """The splits, in plan order."""
        return [one for one in self._reached if self._step_types[one].role is Role.SPLIT]

    @cached_property
    def with_ports(self) -> list[str]:
        """The steps to several input ports of which edges lead, in plan order."""
        several = [one for one in self._reached if len({way.target_port for way in self.entering[one]}) > 1]
        return [one for one in several if self._step_types[one].role is not Role.JOIN]

    @cached_property
    def _reached(self) -> list[str]:
        return [one for one in self.graph.order if one in self.graph.reachable and one in self._step_types]

    def fans_out(self, source: str, target: str) -> bool:
        """Whether the source may send several tokens that come to the target without passing the source again."""
        return self._several(source, [way for way in self._leaving[source] if self._leads(way, target)])

    def ports_fanned_out_to(self, source: str, step_id: str) -> set[str]:
        """Name the ports of a step to which the source may send several tokens that did not pass the step itself."""
        reached = [(way, self._ports_reached(way, step_id)) for way in self._leaving[source]]
        ports = set().union(*(ports for _, ports in reached))
        return {port for port in ports if self._several(source, [way for way, found in reached if port in found])}

    def _several(self, source: str, ways: Sequence[Way]) -> bool:
        """Whether the source may send several tokens along some of its edges."""
        if source in self.item_splits:
            return bool(ways)
        return any(self._fire_together(one, other) for one, other in combinations(ways, 2))

    def _ports_reached(self, first: Way, step_id: str) -> set[str]:
        """Name the ports of a step that an edge leads to, without passing the step or the edge's source again."""
        ports: set[str] = set()
        seen: set[str] = {first.source, step_id}
        ways = [first]
        while ways:
            way = ways.pop()
            if way.target == step_id:
                ports.add(way.target_port)
            elif way.target not in seen:
                seen.add(way.target)
                ways.extend(self._leaving[way.target])
        return ports

    def _leads(self, way: Way, target: str) -> bool:
        if way.target == target:
            return True
        return way.source not in (target, way.target) and self.without(way.source).reaches(way.target, target)

    def without(self, step_id: str) -> Graph:
        """Return the graph in which nothing passes a step: the graph itself where no loop leads back to the step."""
        if not self.graph.components[step_id]:
            return self.graph
        if step_id not in self._beyond:
            self._beyond[step_id] = self.graph.without(step_id)
        return self._beyond[step_id]

    def _fire_together(self, one: Way, other: Way) -> bool:
        if not ports_agree(one.source_ports, other.source_ports, self._step_types[one.source]):
            return False
        if self._excludes is not None and self._excludes(one, other):
            return False
        beside_else = one.is_conditional and other.is_conditional and one.is_else != other.is_else
        return not (beside_else and set(one.source_ports) & set(other.source_ports))


def openers(fan_outs: FanOuts, semantics: int = SEMANTICS) -> dict[str, str | None]:
    """Return D of each gathering: its immediate dominator, or for some joins what lies at or before a split.

    A join whose immediate dominator sends it one token at a time would wait for nobody. So the innermost split that is
    open there takes it::

        split(items) -> work -> join          split -> a, b      (a, b) -> work -> join

    A split is open at a join if it fans out to it, and no gathering that takes all its tokens stands on every way
    between. Where a way leads around the split, D is the last step before the split that every way to the join passes.

    Args:
        fan_outs: Of the segment.
        semantics: The rules of the run, from the third on.
    """
    graph = fan_outs.graph
    found = {step_id: graph.dominators[step_id] for step_id in [*fan_outs.joins, *fan_outs.with_ports]}
    free = [join for join in fan_outs.joins if not _is_a_splits_own(join, fan_outs)]
    for split in reversed(fan_outs.splits):
        reached = [join for join in free if fan_outs.fans_out(split, join)]
        if not reached:
            continue
        between = Between(split, reached, fan_outs, dict(found))
        open_at = [join for join in reached if between.is_open_at(join)]
        taken = _taken(open_at, between, semantics)
        found.update({join: _at_or_before(split, join, graph) for join in taken})
        free = [join for join in free if join not in taken and (join not in open_at or between.stands(taken, join))]
    return found


def _is_a_splits_own(join: str, fan_outs: FanOuts) -> bool:
    dominator = fan_outs.graph.dominators[join]
    return dominator in fan_outs.splits and fan_outs.fans_out(dominator, join)


def _taken(open_at: Sequence[str], between: "Between", semantics: int) -> list[str]:
    """Choose among the joins a split is open at: those that fit best, of several in a row the first.

    Joins that have something to do without the split are taken only if no gathering behind them takes the split. What a
    join that is taken leads to, and the split is open at, is taken with it, or it would gather the same items twice::

        split(items) -> work -> j1 -> j2      work -> j2
    """
    ranks = {join: _misfit(join, between.fan_outs) for join in open_at}
    chosen = {join: rank for join, rank in ranks.items() if not rank or not between.is_taken_behind(join)}
    best = [join for join, rank in chosen.items() if rank == min(chosen.values())]
    if semantics == THIRD_SEMANTICS:
        return _first_in_plan_order(best, between)
    taken = [join for join in best if not between.stands(best, join)]
    return [join for join in open_at if join in taken or between.is_open_behind(taken, join)]


def _first_in_plan_order(joins: Sequence[str], between: "Between") -> list[str]:
    """Leave out joins that stand behind one before them in plan order, which a loop may turn round."""
    taken: list[str] = []
    for join in joins:
        if not between.stands(taken, join):
            taken.append(join)
    return taken


def _misfit(join: str, fan_outs: FanOuts) -> int:
    """Say how much a join has to do without the split: 0 nothing, 1 it merges ways, 2 it gathers a fan-out."""
    dominator = fan_outs.graph.dominators[join]
    if dominator is not None and fan_outs.fans_out(dominator, join):
        return 2
    return int(len({way.source for way in fan_outs.entering[join]}) > 1)


def _at_or_before(split: str, join: str, graph: Graph) -> str:
    above = {split, *graph.dominators_of(split)}
    return next(step_id for step_id in graph.dominators_of(join) if step_id in above)


class Between:
    """What stands between a fan-out and joins it leads to.

    Args:
        fan_out: The step that fans out.
        joins: The joins.
        fan_outs: Of the segment.
        dominators: D by gathering.
    """

    def __init__(
        self, fan_out: str, joins: Collection[str], fan_outs: FanOuts, dominators: Mapping[str, str | None]
    ) -> None:
        self.fan_outs = fan_outs
        self._fan_out = fan_out
        self._dominators = dominators
        self._graph = fan_outs.graph.between(fan_out, joins)

    def is_open_at(self, join: str) -> bool:
        """Whether several tokens may come, one by one, to a join that the fan-out fans out to."""
        return join not in self.takers and not self.stands(self.takers, join)

    def is_taken_behind(self, join: str) -> bool:
        """Whether a gathering to which a join leads takes the fan-out, and so all that the join gives."""
        graph = self.fan_outs.without(self._fan_out)
        return any(graph.reaches(join, taker) for taker in self._all_takers)

    @cached_property
    def _all_takers(self) -> frozenset[str]:
        """The takers wherever they stand, not only on the ways to the joins."""
        others = [one for one in self._dominators if one != self._fan_out]
        return Between(self._fan_out, others, self.fan_outs, self._dominators).takers

    def is_open_behind(self, taken: Collection[str], join: str) -> bool:
        """Whether joins that the fan-out takes lead to another one, and some of its ways lead there around them."""
        graph = self.fan_outs.without(self._fan_out)
        return not self.stands(taken, join) and any(graph.reaches(one, join) for one in taken)

    def stands(self, gatherings: Collection[str], step_id: str) -> bool:
        """Whether one of the gatherings stands on every way from the fan-out to a step."""
        return bool(gatherings) and not set(gatherings).isdisjoint(self._graph.dominators_of(step_id))

    @cached_property
    def takers(self) -> frozenset[str]:
        """The gatherings behind which what came of the fan-out is one token."""
        above = {None, self._fan_out, *self.fan_outs.graph.dominators_of(self._fan_out)}
        gatherings = [
            one
            for one in self._graph.order
            if one in self._graph.reachable and one != self._fan_out and self._dominators.get(one, "") in above
        ]
        takers = set(gatherings).intersection(self.fan_outs.joins)
        left = {one: self._before_ports(one) for one in gatherings if one not in takers}
        found = True
        while found:
            found = False
            for step_id, ports in list(left.items()):
                if not any(takers.isdisjoint(before) for before in ports):
                    takers.add(step_id)
                    del left[step_id]
                    found = True
        return frozenset(takers)

    def _before_ports(self, step_id: str) -> list[set[str]]:
        """Return, for each port the fan-out fans out to, the steps on every way there that has not passed the step."""
        chains: dict[str, list[set[str]]] = {
            port: [] for port in self.fan_outs.ports_fanned_out_to(self._fan_out, step_id)
        }
        for way in self.fan_outs.entering[step_id]:
            if way.target_port in chains and way.source in self._graph.reachable:
                chain = {way.source, *self._graph.dominators_of(way.source)}
                if step_id not in chain:
                    chains[way.target_port].append(chain)
        return [set.intersection(*found) for found in chains.values()]
