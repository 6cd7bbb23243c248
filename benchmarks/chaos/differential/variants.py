"""Changes of a generated segment that change nothing of its outcome: other names, another order, more steps."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.reference.graph import JOIN, Graph

Segment = Mapping[str, Any]
Outcome = tuple[str, Any, tuple[str, str] | None]
"""Status, output, and the code and step of the error."""
MOST_NAPS = 3
SHORTEST_NAP, LONGEST_NAP = 0.1, 0.6
OTHER_LETTER = {"s": "q", "n": "m"}
"""First letters of the steps' ids and what they become; an id keeps its length, for conditions count characters."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A changed segment.

    Attributes:
        document: What is sent to the platform; its naps are external steps that wait and pass their input on.
        reference: The same for the interpreter; its naps are pure.
        names: The original id of each renamed step.
    """

    document: Segment
    reference: Segment
    names: Mapping[str, str]

    def original(self, outcome: Outcome) -> Outcome:
        """Write an outcome with the names of the original segment."""
        status, output, error = outcome
        code_and_step = (error[0], self.names.get(error[1], error[1])) if error else None
        return status, self._original_value(output), code_and_step

    def _original_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"@(\w\d+)", lambda found: "@" + self.names.get(found[1], found[1]), value)
        if isinstance(value, list):
            return [self._original_value(one) for one in value]
        if isinstance(value, dict):
            return {self.names.get(key, key): self._original_value(one) for key, one in value.items()}
        return value


def change(segment: Segment, random: Random) -> Variant:
    """Insert identities, add a step that no way leads to, rename all steps and shuffle them.

    The gatherings keep their order: of several equally near the first takes a failure.
    """
    changed = _with_unreachable_step(_with_identities(segment, random), random)
    names = _new_names([step["step_id"] for step in changed["steps"]], random)
    reference = _renamed(changed, names)
    reference["steps"] = _shuffled(reference["steps"], {names[one] for one in Graph(changed).opener}, random)
    nap = {names[step["step_id"]] for step in changed["steps"] if step["step_id"].startswith("n")}
    steps = [_as_nap(step, random) if step["step_id"] in nap else step for step in reference["steps"]]
    return Variant({**reference, "steps": steps}, reference, {new: old for old, new in names.items()})


def _shuffled(steps: Sequence[Any], fixed: Collection[str], random: Random) -> list[Any]:
    """Shuffle steps, of which some keep their order among themselves."""
    in_order = iter([step for step in steps if step["step_id"] in fixed])
    return [next(in_order) if one["step_id"] in fixed else one for one in random.sample(steps, len(steps))]


def _with_identities(segment: Segment, random: Random) -> Segment:
    """Put steps that pass their input on into some edges, where no gathering and no failure gets another place."""
    shape = _shape(segment, segment)
    changed, number = segment, 0
    for edge in random.sample(segment["edges"], len(segment["edges"])):
        candidate = _with_identity(changed, edge, f"n{number + 1}")
        if _shape(candidate, segment) == shape:
            changed, number = candidate, number + 1
        if number == MOST_NAPS:
            break
    return changed


def _with_identity(segment: Segment, edge: Mapping[str, Any], step_id: str) -> Segment:
    place = segment["edges"].index(edge)
    into = {**{key: value for key, value in edge.items() if key != "to_port"}, "to": step_id}
    on = {"from": step_id, **{key: edge[key] for key in ("to", "to_port") if key in edge}}
    edges = [*segment["edges"][:place], into, on, *segment["edges"][place + 1 :]]
    return {**segment, "steps": [*segment["steps"], _identity(step_id)], "edges": edges}


def _shape(segment: Segment, original: Segment) -> Any:
    """Return what rules of joins and failures see of the original steps: order, openers, next gatherings."""
    graph = Graph(segment)
    steps = [step_id for step_id in Graph(original).steps if step_id in graph.order]
    nearest = {
        step_id: sorted(
            (one for one in graph.opener if graph.reaches(step_id, one)),
            key=lambda one: (graph.distances[step_id][one], graph.places[one]),
        )
        for step_id in steps
    }
    return sorted(steps, key=graph.order.__getitem__), graph.opener, graph.in_front, nearest


def _with_unreachable_step(segment: Segment, random: Random) -> Segment:
    """Add a step that leads into the segment, and that nothing leads to."""
    targets = [step["step_id"] for step in segment["steps"] if step["type"] != JOIN and "ports" not in step]
    edge = {"from": "s99", "to": random.choice(targets)}
    return {**segment, "steps": [*segment["steps"], _identity("s99")], "edges": [*segment["edges"], edge]}


def _new_names(step_ids: Iterable[str], random: Random) -> dict[str, str]:
    alike: dict[tuple[str, int], list[str]] = defaultdict(list)
    for step_id in step_ids:
        alike[step_id[0], len(step_id)].append(step_id)
    return {
        old: OTHER_LETTER[new[0]] + new[1:]
        for group in alike.values()
        for old, new in zip(group, random.sample(group, len(group)), strict=True)
    }


def _renamed(segment: Segment, names: Mapping[str, str]) -> dict[str, Any]:
    def text(expression: Any) -> Any:
        if not isinstance(expression, str):
            return expression
        return re.sub(r"steps\.(\w+)", lambda found: "steps." + names[found[1]], expression)

    steps = [
        {
            **step,
            "step_id": names[step["step_id"]],
            "config": {key: text(value) for key, value in step["config"].items()},
        }
        for step in segment["steps"]
    ]
    edges = [{**edge, "from": names[edge["from"]], "to": names[edge["to"]]} for edge in segment["edges"]]
    return {**segment, "entrypoint": names[segment["entrypoint"]], "steps": steps, "edges": edges}


def _identity(step_id: str) -> dict[str, Any]:
    return {"step_id": step_id, "type": "transform", "name": step_id, "config": {"expression": "input"}}


def _as_nap(step: Mapping[str, Any], random: Random) -> dict[str, Any]:
    return {**step, "type": "nap", "config": {"seconds": round(random.uniform(SHORTEST_NAP, LONGEST_NAP), 2)}}
