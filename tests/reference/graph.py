"""The graph of a segment: ways, dominators, gatherings and their fan-outs (docs/reference/gathering.md)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from tests.reference.fan_outs import openers
from tests.reference.model import CONDITION, ERROR, JOIN, SPLIT, Edge

__all__ = ["CONDITION", "ERROR", "JOIN", "SPLIT", "Edge", "Graph"]


class Graph:
    """A segment without the steps that no way leads to.

    ``order`` is the plan order: a step before what it leads to where no loop forbids it, siblings as their edges stand.
    """

    def __init__(self, segment: Mapping[str, Any]) -> None:
        every_step = {step["step_id"]: step for step in segment["steps"]}
        every_edge = [_edge(number, edge, every_step) for number, edge in enumerate(segment["edges"])]
        self.entry: str = segment.get("entrypoint") or segment["steps"][0]["step_id"]
        ways: dict[str, list[str]] = defaultdict(list)
        for edge in every_edge:
            ways[edge.source].append(edge.target)
        plan_order = _plan_order(ways, self.entry)
        self.order = {step_id: number for number, step_id in enumerate(plan_order)}
        self.steps = {step_id: every_step[step_id] for step_id in plan_order}
        self.places = {step_id: number for number, step_id in enumerate(every_step)}
        self.out: dict[str, list[Edge]] = {step_id: [] for step_id in self.steps}
        self.into: dict[str, list[Edge]] = {step_id: [] for step_id in self.steps}
        for edge in every_edge:
            if edge.source in self.order:
                self.out[edge.source].append(edge)
                self.into[edge.target].append(edge)
        self.distances = {step_id: _distances(ways, step_id) for step_id in self.steps}
        self.most_activations: int = segment.get("params", {}).get("max_activations", 1_000)

    def kind(self, step_id: str) -> str:
        """The type of a step."""
        found: str = self.steps[step_id]["type"]
        return found

    def config(self, step_id: str) -> Mapping[str, Any]:
        """The config of a step."""
        found: Mapping[str, Any] = self.steps[step_id].get("config", {})
        return found

    def reaches(self, source: str, target: str) -> bool:
        """Whether a way of at least one edge leads there."""
        return target in self.distances[source]

    def ports(self, step_id: str) -> list[str]:
        """The connected input ports, in the order of their edges."""
        return list(dict.fromkeys(edge.target_port for edge in self.into[step_id]))

    @cached_property
    def ends(self) -> list[str]:
        """The steps without outgoing edges."""
        return [step_id for step_id in self.steps if not self.out[step_id]]

    @cached_property
    def dominators(self) -> dict[str, frozenset[str]]:
        """For each step all steps that every way to it passes, itself among them."""
        everything = frozenset(self.steps)
        found = dict.fromkeys(self.steps, everything) | {self.entry: frozenset({self.entry})}
        changed = True
        while changed:
            changed = False
            for step_id in everything - {self.entry}:
                before = (found[edge.source] for edge in self.into[step_id])
                narrowed = everything.intersection(*before) | {step_id}
                changed = changed or narrowed != found[step_id]
                found[step_id] = narrowed
        return found

    def dominates(self, step_id: str, other: str) -> bool:
        """Whether every way to ``other``, another step, passes ``step_id``."""
        return step_id != other and step_id in self.dominators[other]

    def immediate_dominator(self, step_id: str) -> str:
        """The last step that every way to this one passes."""
        return max(self.dominators[step_id] - {step_id}, key=lambda one: len(self.dominators[one]))

    @cached_property
    def joins(self) -> list[str]:
        """The join steps, in plan order."""
        return [step_id for step_id in self.steps if self.kind(step_id) == JOIN and step_id != self.entry]

    @cached_property
    def opener(self) -> dict[str, str]:
        """For each gathering its D: the immediate dominator, or what ADR 11 gives a join."""
        gathers = [
            step_id
            for step_id in self.steps
            if step_id != self.entry and (self.kind(step_id) == JOIN or len(self.ports(step_id)) > 1)
        ]
        return openers(self, gathers)

    @cached_property
    def in_front(self) -> frozenset[str]:
        """The gatherings behind which another one takes what is left of the same fan-out.

        A step with ports that leads back to itself takes what is left itself.
        """
        return frozenset(
            step_id
            for step_id, opener in self.opener.items()
            for other in self.opener
            if (other != step_id or step_id not in self.joins)
            and self.opener[other] == opener
            and other in self.reached_without(step_id, opener)
        )

    def reached_without(self, source: str, avoided: str) -> set[str]:
        seen: set[str] = set()
        todo = [source]
        while todo:
            for edge in self.out[todo.pop()]:
                if edge.target != avoided and edge.target not in seen:
                    seen.add(edge.target)
                    todo.append(edge.target)
        return seen

    def only_reaches(self, source: str, gathering: str) -> bool:
        """Whether whatever goes on at ``source`` ends in the gathering, or nowhere."""
        if source == gathering:
            return True
        passed = self.reached_without(source, gathering) | {source}
        return self.reaches(source, gathering) and not passed.intersection(self.ends)

    def nearest_gathering(self, step_id: str, passed: Iterable[str] = ()) -> str | None:
        """The gathering fewest edges away, then the first in the document; those a failure has passed are left out."""
        away = self.distances[step_id]
        found = [one for one in self.opener if one in away and one not in passed]
        return min(found, key=lambda one: (away[one], self.places[one]), default=None)

    def joins_of_empty_list(self, split: str) -> list[str]:
        """The joins that an empty list of items goes straight to: those of the split with no other of its in front."""
        found: list[str] = []
        own = [join for join in self.joins if self.opener[join] == split]
        behind = {join: self.reached_without(join, split) for join in own}
        for join in own:
            in_front = [other for other in own if other != join and join in behind[other]]
            if all(other in behind[join] and self.order[join] < self.order[other] for other in in_front):
                found.append(join)
        return found

    def on_a_loop_with(self, step_id: str, other: str) -> bool:
        """Whether a loop passes both."""
        return self.reaches(step_id, other) and self.reaches(other, step_id)


def _edge(number: int, edge: Mapping[str, Any], steps: Mapping[str, Any]) -> Edge:
    port = edge.get("from_port")
    undivided = port is None and steps[edge["from"]]["type"] == CONDITION
    return Edge(
        number=number,
        source=edge["from"],
        ports=("true", "false") if undivided else (port or "output",),
        target=edge["to"],
        target_port=edge.get("to_port") or "input",
        condition=edge.get("condition"),
    )


def _plan_order(ways: Mapping[str, list[str]], entry: str) -> list[str]:
    """Reverse post-order of a walk that takes the last edge of each step first."""
    seen, left_behind = {entry}, []
    todo = [(entry, list(ways.get(entry, ())))]
    while todo:
        step_id, targets = todo[-1]
        if not targets:
            left_behind.append(step_id)
            todo.pop()
        elif (target := targets.pop()) not in seen:
            seen.add(target)
            todo.append((target, list(ways.get(target, ()))))
    return left_behind[::-1]


def _distances(ways: Mapping[str, list[str]], source: str) -> dict[str, int]:
    found: dict[str, int] = {}
    level, steps = [source], 0
    while level:
        steps += 1
        level = [target for one in level for target in ways.get(one, ()) if found.setdefault(target, steps) == steps]
        level = list(dict.fromkeys(level))
    return found
