"""Fan-outs: the steps that send several tokens, and their receivers. The rules: docs/adr/0011."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, reduce
from operator import or_
from typing import NamedTuple

from segments.catalog import Role, StepType
from segments.graph import Graph
from segments.plan.firing import ELSE, Firing, Way

__all__ = ["ELSE", "FanOuts", "Way", "Ways"]


class Ways(NamedTuple):
    """Ways out of a step that begin with an edge to the same target.

    Attributes:
        target: Where that edge leads.
        edges: The numbers of such edges out of the step, as bits.
        reached: The bits of the steps they come to without passing the step again.
    """

    target: str
    edges: int
    reached: int


class FanOuts:
    """Steps that send several tokens, and their receivers.

    Args:
        graph: The segment's graph.
        ways: Its edges, in their order.
        step_types: The types of its steps.
        item_splits: The splits over items.
        excludes: Tells more of edges out of one step that cannot fire together than the rules of gathering know: per
            edge the bits of the others.
    """

    def __init__(
        self,
        graph: Graph,
        ways: Iterable[Way],
        step_types: Mapping[str, StepType],
        item_splits: Collection[str],
        excludes: Callable[[Sequence[Way]], list[int]] | None = None,
    ) -> None:
        self.graph = graph
        self.item_splits = item_splits
        self._step_types = step_types
        self._excludes = excludes
        self.leaving: dict[str, list[Way]] = {step_id: [] for step_id in graph.steps}
        self.entering: dict[str, list[Way]] = {step_id: [] for step_id in graph.steps}
        for way in ways:
            self.leaving[way.source].append(way)
            self.entering[way.target].append(way)
        self._joined: dict[str, int] = {}
        self._firing: dict[str, Firing] = {}
        self._known_several: dict[tuple[str, int], bool] = {}

    @cached_property
    def joins(self) -> list[str]:
        """The joins, in plan order."""
        return [one for one in self._reached if self._step_types[one].role is Role.JOIN]

    @cached_property
    def join_bits(self) -> int:
        """The bits of the joins."""
        return self.graph.bits(self.joins)

    @cached_property
    def splits(self) -> list[str]:
        """The splits, in plan order."""
        return [one for one in self._reached if self._step_types[one].role is Role.SPLIT]

    @cached_property
    def split_set(self) -> frozenset[str]:
        """The splits, to look one up."""
        return frozenset(self.splits)

    @cached_property
    def with_ports(self) -> list[str]:
        """The steps to several input ports of which edges lead, in plan order."""
        several = [one for one in self._reached if len({way.target_port for way in self.entering[one]}) > 1]
        return [one for one in several if self._step_types[one].role is not Role.JOIN]

    @cached_property
    def _reached(self) -> list[str]:
        return [one for one in self.graph.order if one in self.graph.reachable and one in self._step_types]

    def fans_out(self, source: str, join: str) -> bool:
        """Whether the source may send several tokens that come to a join without passing the source again."""
        return bool(self.joined(source) & self.graph.bit[join])

    def joined(self, source: str) -> int:
        """Return the bits of the joins to which the source may send several tokens, as ``fans_out``."""
        if source not in self._joined:
            self._joined[source] = self._sent_several(source)
        return self._joined[source]

    def _sent_several(self, source: str) -> int:
        leaving = self.leaving[source]
        is_over_items = source in self.item_splits
        if not is_over_items and (len(leaving) < 2 or not self._firing_of(source).groups):
            return 0
        reached = {ways.target: ways.reached & self.join_bits for ways in self.ways_out(self.graph, source)}
        if is_over_items:
            return reduce(or_, reached.values(), 0)
        return self._firing_of(source).reached_by_several([reached[way.target] for way in leaving])

    def ways_out(self, graph: Graph, source: str) -> list[Ways]:
        """Return where the ways out of a step lead, in one of its graphs."""
        edges: dict[str, int] = {}
        for number, way in enumerate(self.leaving[source]):
            edges[way.target] = edges.get(way.target, 0) | 1 << number
        return [
            Ways(target, own, graph.bit[target] | (graph.reach_past(target, source) if target != source else 0))
            for target, own in edges.items()
        ]

    @cached_property
    def ways_graph(self) -> Graph:
        """The graph of the ways: where a step's type is not known, it has fewer edges than the segment's."""
        known = sum(len(self.leaving[one]) for one in self.graph.reachable)
        if known == sum(len(self.graph.successors[one]) for one in self.graph.reachable):
            return self.graph
        edges = [(way.source, way.target) for ways in self.leaving.values() for way in ways]
        return Graph(self.graph.steps, edges, self.graph.entrypoint)

    def several(self, source: str, ways: int) -> bool:
        """Whether the source may send several tokens along some of its ways, given as bits."""
        if not ways or source in self.item_splits:
            return bool(ways)
        if (source, ways) not in self._known_several:
            self._known_several[source, ways] = self._firing_of(source).are_several(ways)
        return self._known_several[source, ways]

    def _firing_of(self, source: str) -> Firing:
        if source not in self._firing:
            ways = self.leaving[source]
            excluded = self._excludes(ways) if self._excludes is not None else None
            self._firing[source] = Firing(ways, self._step_types[source], excluded)
        return self._firing[source]
