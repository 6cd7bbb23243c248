"""What judging and compiling a segment costs is bounded, whatever its graph; counted in executed lines."""

import sys
from collections.abc import Callable
from itertools import pairwise
from random import Random
from types import FrameType
from typing import Any
from unittest import mock

import pytest

from kernel.types import Json
from segments.graph import Graph
from segments.plan.compilation import compile_plan
from segments.validation import repeated_joins, validate
from tests.support.graphs import CATALOG, Draft

KINDS = {
    "joins and ports": ("parallel_join", "work"),
    "splits, joins and ports": ("parallel_split", "parallel_join", "work"),
    "items, joins and ports": ("items", "parallel_join", "work"),
}
SPLITS = KINDS["splits, joins and ports"]
Condition = Callable[[int], str]


class Canvas:
    """A segment in the making, of at most so many edges."""

    def __init__(self, edges: int, *, parallel: bool = True) -> None:
        self.random = Random(1)
        self._draft = Draft()
        self._most = edges
        self._parallel = parallel

    @property
    def is_full(self) -> bool:
        return len(self._draft.edges) >= self._most

    def step(self, *kinds: str, config: dict[str, Json] | None = None) -> str:
        kind = self.random.choice(kinds)
        if kind == "items":
            return self._draft.step("parallel_split", {"items": "[1, 2]"})
        return self._draft.step(kind, config)

    def edge(self, source: str, target: str, **more: Json) -> None:
        if self.is_full:
            return
        if self._draft.steps[int(source[1:])]["type"] == "parallel_split":
            more["from_port"] = f"branch_{len(self._draft.edges)}"
        self._draft.edge(source, target, **more)

    def document(self) -> dict[str, Json]:
        return {
            "version": "1.0",
            "segment_id": "drawn",
            "name": "drawn",
            "entrypoint": "s0",
            "params": {"parallel_execution": self._parallel},
            "steps": list(self._draft.steps),
            "edges": list(self._draft.edges),
        }


def layers(steps: int, edges: int, *kinds: str, back: bool = False) -> dict[str, Json]:
    """Layers of ten steps, each fed by steps of the layer before, at ports of its own; with an edge back from each."""
    canvas = Canvas(edges)
    before = [canvas.step("work")]
    for _ in range(steps // 10 - 1):
        layer = [canvas.step(*kinds) for _ in range(10)]
        for step_id in layer:
            for port, source in enumerate(canvas.random.sample(before, min(3 if back else 4, len(before)))):
                canvas.edge(source, step_id, to_port=f"port_{port}")
            if back:
                earlier = f"s{canvas.random.randint(1, int(step_id[1:]))}"
                canvas.edge(step_id, earlier, to_port="back", condition=f"output > {step_id[1:]}")
        before = layer
    return canvas.document()


def at_random(steps: int, edges: int, *kinds: str, ports: int = 2) -> dict[str, Json]:
    """Every step led to by one before it, and edges from anywhere to anywhere: one great loop."""
    canvas = Canvas(edges)
    names = [canvas.step("work"), *(canvas.step(*kinds) for _ in range(steps - 1))]
    for number in range(1, steps):
        canvas.edge(names[canvas.random.randrange(number)], names[number], to_port="port_0")
    while not canvas.is_full:
        target = canvas.random.randrange(1, steps)
        source = names[target - canvas.random.randrange(1, steps)]
        canvas.edge(source, names[target], to_port=f"port_{canvas.random.randrange(ports)}")
    return canvas.document()


def loops_in_loops(steps: int, edges: int, *kinds: str) -> dict[str, Json]:
    """A chain with edges back from its end to its beginning, further in from further in, and some that skip steps."""
    canvas = Canvas(edges)
    names = [canvas.step("work"), *(canvas.step(*kinds) for _ in range(steps - 1))]
    for number in range(1, steps):
        canvas.edge(names[number - 1], names[number], to_port="in")
    for number in range(1, steps // 2):
        canvas.edge(names[-number], names[number], to_port="back", condition=f"output > {number}")
    while not canvas.is_full:
        number = canvas.random.randrange(steps - 6)
        canvas.edge(names[number], names[number + canvas.random.randint(1, 5)], to_port=f"p{number % 2}")
    return canvas.document()


def both_ways(steps: int, edges: int, *kinds: str) -> dict[str, Json]:
    """A chain that leads back from each step to the one before it, and further."""
    canvas = Canvas(edges)
    names = [canvas.step("work"), *(canvas.step(*kinds) for _ in range(steps - 1))]
    for number in range(1, steps):
        canvas.edge(names[number - 1], names[number], to_port="in")
        canvas.edge(names[number], names[max(1, number - 1)], to_port="back", condition=f"output > {number}")
    while not canvas.is_full:
        number = canvas.random.randrange(2, steps)
        canvas.edge(names[number], names[canvas.random.randrange(1, number)], to_port="back", condition="output > 0")
    return canvas.document()


def splits_then_joins(steps: int, edges: int, split: str) -> dict[str, Json]:
    """Half of the steps splits in a row, half joins in a row, and edges from any of those to any of these."""
    canvas = Canvas(edges)
    row = [canvas.step("work"), *(canvas.step(split) for _ in range(steps // 2))]
    joins = [canvas.step("parallel_join") for _ in range(steps - len(row))]
    for source, target in pairwise([*row, *joins]):
        canvas.edge(source, target)
    while not canvas.is_full:
        canvas.edge(canvas.random.choice(row[1:]), canvas.random.choice(joins))
    return canvas.document()


def out_of_one_step(steps: int, edges: int, condition: Condition) -> dict[str, Json]:
    """All edges out of one step, each with a condition."""
    canvas = Canvas(edges, parallel=False)
    first, *others = [canvas.step("work"), *(canvas.step("work") for _ in range(steps - 1))]
    for number in range(edges):
        canvas.edge(first, others[number % len(others)], condition=condition(number))
    return canvas.document()


def out_of_many_steps(steps: int, edges: int, condition: Condition) -> dict[str, Json]:
    """A chain, and fifty edges with conditions out of one step after the other."""
    canvas = Canvas(edges, parallel=False)
    names = [canvas.step("work") for _ in range(steps)]
    for source, target in pairwise(names):
        canvas.edge(source, target)
    number = 0
    while not canvas.is_full:
        source = number // 50 * 3
        canvas.edge(names[source], names[min(source + 1 + number % 50, steps - 1)], condition=condition(number))
        number += 1
    return canvas.document()


def branches_of_a_split(steps: int, edges: int) -> dict[str, Json]:
    """A split that counts a thousand branches, with all edges."""
    canvas = Canvas(edges, parallel=False)
    split = canvas.step("parallel_split", config={"branches": 1_000})
    others = [canvas.step("work") for _ in range(steps - 1)]
    for number in range(edges):
        canvas.edge(split, others[number % len(others)])
    return canvas.document()


def of_kinds(number: int) -> str:
    return f"output.kind == '{number}'"


def of_opposites(number: int) -> str:
    return f"output.size {'>=' if number % 2 else '<'} {number // 2}"


def of_one_else(number: int) -> str:
    return "else" if number else "output > 1"


Shape = Callable[[int, int], dict[str, Json]]
NEAR_LINEAR: dict[str, Shape] = {
    "edges at random": lambda n, m: at_random(n, m, *SPLITS),
    "splits, then joins": lambda n, m: splits_then_joins(n, m, "parallel_split"),
    "splits over items, then joins": lambda n, m: splits_then_joins(n, m, "items"),
    "conditions of which one holds": lambda n, m: out_of_one_step(n, m, of_kinds),
    "opposite conditions": lambda n, m: out_of_one_step(n, m, of_opposites),
    "edges taken else": lambda n, m: out_of_one_step(n, m, of_one_else),
    "fifty conditions a step": lambda n, m: out_of_many_steps(n, m, of_kinds),
    "branches of one split": branches_of_a_split,
}
OTHERS: dict[str, Shape] = {
    **{f"layers of {name}": lambda n, m, kinds=kinds: layers(n, m, *kinds) for name, kinds in KINDS.items()},
    "layers with edges back": lambda n, m: layers(n, m, *SPLITS, back=True),
    "layers over items with edges back": lambda n, m: layers(n, m, "items", "parallel_join", "work", back=True),
    "edges at random into many ports": lambda n, m: at_random(n, m, *SPLITS, ports=40),
    "items at random into many ports": lambda n, m: at_random(n, m, "items", "parallel_join", "work", ports=40),
    "loops in loops": lambda n, m: loops_in_loops(n, m, *SPLITS),
    "a chain both ways": lambda n, m: both_ways(n, m, *SPLITS),
}
"""Shapes of which the fan-outs, or pairs of a fan-out and a join, are looked at one by one."""


class WorkPassed(Exception):
    """More work was done than may be."""


def lines(document: dict[str, Json], at_most: int) -> int:
    """How many lines are executed, and functions called and left, to judge a segment and to compile it."""
    executed = 0

    def count(_frame: FrameType, _what: str, _of: object) -> Any:
        nonlocal executed
        executed += 1
        if executed > at_most:
            raise WorkPassed
        return count

    sys.settrace(count)
    try:
        validation = validate(document, CATALOG)
        assert validation.valid, validation.findings[:1]
        assert validation.segment is not None
        compile_plan(validation.segment, CATALOG)
    finally:
        sys.settrace(None)
    return executed


@pytest.mark.parametrize("shape", NEAR_LINEAR.values(), ids=NEAR_LINEAR.keys())
def test_work_grows_about_as_steps_and_edges_do(shape: Shape) -> None:
    _check_growth(shape, 5.5)


@pytest.mark.parametrize("shape", OTHERS.values(), ids=OTHERS.keys())
def test_work_grows_far_less_than_fan_outs_times_edges(shape: Shape) -> None:
    _check_growth(shape, 9)


def _check_growth(shape: Shape, most: float) -> None:
    """Four times the size takes at most so many times the lines, and no edge more than 6,000 of them."""
    small = lines(shape(60, 240), 240 * 6_000)
    lines(shape(240, 960), min(int(small * most), 960 * 6_000))


def test_the_walks_for_steps_with_several_ports_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    document = at_random(240, 960, "work", "parallel_join", ports=40)

    def walks() -> int:
        with mock.patch.object(Graph, "around", autospec=True, side_effect=Graph.around) as walked:
            validate(document, CATALOG)
        return int(walked.call_count)

    bounded = walks()
    monkeypatch.setattr(repeated_joins, "MAX_WALKS", 10**9)
    assert bounded + 500 < walks()
    assert bounded < 2 * 1_000 + 4 * 240


def test_a_join_that_leads_back_to_itself_twice_is_judged() -> None:
    draft = Draft()
    start, join, other = draft.step("work"), draft.step("parallel_join"), draft.step("parallel_join")
    draft.edge(start, join)
    draft.edge(join, join, condition="output > 1")
    draft.edge(join, join, condition="output > 2")
    draft.edge(join, other, condition="output > 3")
    draft.edge(join, other, condition="output > 4")
    document = layers(20, 40, "work")
    document["steps"], document["edges"] = list(draft.steps), list(draft.edges)
    assert validate(document, CATALOG).valid
    assert draft.plan().points
