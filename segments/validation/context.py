"""Context of the validation rules: the draft, its steps, edges and graph, each computed once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from segments.catalog import Catalog, Role, StepType
from segments.definition.findings import FindingPlace, Findings
from segments.definition.model import Edge, SegmentDefinition, Step
from segments.definition.ports import (
    EdgeIndex,
    StepPorts,
    resolve_ports,
    resolve_source_ports,
    resolve_target_port,
)
from segments.definition.reading import Draft
from segments.graph import Graph
from segments.plan.fan_outs import Way


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Names a segment's steps may use; None: names are not checked.

    Attributes:
        connections: Kind by name.
        closed_to_tools: Connections that models may not call.
        prompts: The number of the last version by name.
        people: Groups, e-mails and ids of members who can be asked.
        honouring_keys: Connections to servers that do once what comes twice with one idempotency key.
    """

    connections: Mapping[str, str] | None = None
    prompts: Mapping[str, int] | None = None
    people: Collection[str] | None = None
    closed_to_tools: Collection[str] = frozenset()
    honouring_keys: Collection[str] = frozenset()


NOTHING_KNOWN = KnownNames()


@dataclass(frozen=True, slots=True)
class Link:
    """An edge both of whose ends exist and have known types, with its ports resolved."""

    edge: Edge
    place: FindingPlace
    source_ports: tuple[str, ...]
    target_port: str

    @property
    def way(self) -> Way:
        """The edge as fan-outs have it."""
        return Way(self.edge.source, self.edge.target, self.source_ports, self.target_port, self.edge.condition)

    @property
    def is_else(self) -> bool:
        """Whether the edge is taken when no sibling's condition holds."""
        return self.way.is_else

    @property
    def is_conditional(self) -> bool:
        """Whether something in the edge itself can hold a token back."""
        return self.edge.condition is not None


class Context:
    """One segment under judgement. Rules add to ``findings`` and change nothing else."""

    def __init__(
        self,
        draft: Draft,
        catalog: Catalog,
        findings: Findings,
        known: KnownNames,
    ) -> None:
        self.draft = draft
        self.known = known
        self.catalog = catalog
        self.findings = findings

    @property
    def segment(self) -> SegmentDefinition:
        """The segment as far as it could be read."""
        return self.draft.segment

    @cached_property
    def placed_steps(self) -> list[tuple[FindingPlace, Step]]:
        """All steps, also those with an id that another has, with their places."""
        pairs = zip(self.draft.step_indexes, self.segment.steps, strict=True)
        return [(FindingPlace(("steps", index), step.step_id or None), step) for index, step in pairs]

    @cached_property
    def placed_edges(self) -> list[tuple[FindingPlace, Edge]]:
        """All edges with their places."""
        pairs = zip(self.draft.edge_indexes, self.segment.edges, strict=True)
        return [(FindingPlace(("edges", index), edge=index), edge) for index, edge in pairs]

    @cached_property
    def places(self) -> dict[str, FindingPlace]:
        """The place of each step by its id; of several with one id, the first."""
        places: dict[str, FindingPlace] = {}
        for place, step in self.placed_steps:
            if step.step_id:
                places.setdefault(step.step_id, place)
        return places

    @cached_property
    def steps(self) -> dict[str, Step]:
        """The steps by id; of several with one id, the first."""
        steps: dict[str, Step] = {}
        for _, step in self.placed_steps:
            if step.step_id:
                steps.setdefault(step.step_id, step)
        return steps

    @cached_property
    def step_types(self) -> dict[str, StepType]:
        """The type of each step that has a known one."""
        return {step_id: self.catalog[step.type] for step_id, step in self.steps.items() if step.type in self.catalog}

    @cached_property
    def ports(self) -> dict[str, StepPorts]:
        """The ports of each step that has a known type."""
        edges = EdgeIndex(self.segment)
        return {
            step_id: resolve_ports(self.segment, self.steps[step_id], step_type, edges)
            for step_id, step_type in self.step_types.items()
        }

    @cached_property
    def links(self) -> list[Link]:
        """The edges whose ends are known steps of known types."""
        return [self._link(place, edge) for place, edge in self.placed_edges if self._is_known(edge)]

    @cached_property
    def leaving(self) -> dict[str, list[Link]]:
        """The links out of each step."""
        leaving: dict[str, list[Link]] = {step_id: [] for step_id in self.steps}
        for link in self.links:
            leaving[link.edge.source].append(link)
        return leaving

    @cached_property
    def entering(self) -> dict[str, list[Link]]:
        """The links into each step."""
        entering: dict[str, list[Link]] = {step_id: [] for step_id in self.steps}
        for link in self.links:
            entering[link.edge.target].append(link)
        return entering

    @cached_property
    def graph(self) -> Graph | None:
        """The graph of all edges between existing steps; None without an entrypoint to start from."""
        if self.segment.entrypoint not in self.steps:
            return None
        edges = [(edge.source, edge.target) for _, edge in self.placed_edges]
        return Graph(
            list(self.steps),
            [(source, target) for source, target in edges if source in self.steps and target in self.steps],
            self.segment.entrypoint,
        )

    def dominates(self, upper: str, lower: str) -> bool:
        """Whether every way to a reachable step passes another one."""
        if lower not in self._dominators:
            dominators = self.graph.dominators if self.graph else {}
            above = dominators.get(lower)
            found = []
            while above is not None:
                found.append(above)
                above = dominators.get(above)
            self._dominators[lower] = frozenset(found)
        return upper in self._dominators[lower]

    @cached_property
    def _dominators(self) -> dict[str, frozenset[str]]:
        """All dominators of the steps somebody asked about."""
        return {}

    def splits_items(self, step_id: str) -> bool:
        """Whether a step of a known type is a split over items."""
        return self.step_types[step_id].role is Role.SPLIT and self.steps[step_id].config.get("items") is not None

    def _is_known(self, edge: Edge) -> bool:
        return edge.source in self.step_types and edge.target in self.step_types

    def _link(self, place: FindingPlace, edge: Edge) -> Link:
        source, target = self.steps[edge.source], self.steps[edge.target]
        return Link(
            edge,
            place,
            resolve_source_ports(edge, source, self.step_types[edge.source], self.ports[edge.source]),
            resolve_target_port(edge, target, self.step_types[edge.target]),
        )
