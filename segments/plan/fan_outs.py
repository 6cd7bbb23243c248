"""Fan-outs: who sends several tokens to whom. The rules: docs/adr/0011."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

from segments.catalog import Role, StepType
from segments.graph import Graph

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
        self.leaving: dict[str, list[Way]] = {step_id: [] for step_id in graph.steps}
        self.entering: dict[str, list[Way]] = {step_id: [] for step_id in graph.steps}
        for way in ways:
            self.leaving[way.source].append(way)
            self.entering[way.target].append(way)
        self._joined: dict[str, set[str]] = {}
        self._known_several: dict[tuple[str, int], bool] = {}

    @cached_property
    def joins(self) -> list[str]:
        """The joins, in plan order."""
        return [one for one in self._reached if self._step_types[one].role is Role.JOIN]

    @cached_property
    def join_set(self) -> frozenset[str]:
        """The joins, to look one up."""
        return frozenset(self.joins)

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

    def fans_out(self, source: str, join: str) -> bool:
        """Whether the source may send several tokens that come to a join without passing the source again."""
        if source not in self._joined:
            carried = self.graph.carried(source, [way.target for way in self.leaving[source]])
            self._joined[source] = {one for one in self.joins if self.several(source, carried.get(one, 0))}
        return join in self._joined[source]

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
        if source in self.item_splits:
            return bool(ways)
        if (source, ways) not in self._known_several:
            chosen = [way for number, way in enumerate(self.leaving[source]) if ways >> number & 1]
            self._known_several[source, ways] = any(
                self._fire_together(one, other) for one, other in combinations(chosen, 2)
            )
        return self._known_several[source, ways]

    def _fire_together(self, one: Way, other: Way) -> bool:
        if not ports_agree(one.source_ports, other.source_ports, self._step_types[one.source]):
            return False
        if self._excludes is not None and self._excludes(one, other):
            return False
        beside_else = one.is_conditional and other.is_conditional and one.is_else != other.is_else
        return not (beside_else and set(one.source_ports) & set(other.source_ports))
