"""The graph's facts against their definitions, on random graphs small enough to try every way."""

from itertools import pairwise
from random import Random

import pytest

from segments import dominance
from segments.graph import Graph


def random_graph(seed: int) -> tuple[Graph, list[tuple[str, str]]]:
    random = Random(seed)
    steps = [f"s{number}" for number in range(random.randint(1, 9))]
    edges = [(random.choice(steps), random.choice(steps)) for _ in range(random.randint(0, 16))]
    return Graph(steps, edges, "s0"), edges


def reached(edges: list[tuple[str, str]], start: str, *, without: str | None = None) -> set[str]:
    """The steps one edge or more away, never passing ``without``."""
    found: set[str] = set()
    work = [start] if start != without else []
    while work:
        at = work.pop()
        for source, target in edges:
            if source == at and target not in found and target != without:
                found.add(target)
                work.append(target)
    return found


@pytest.mark.parametrize("seed", range(200))
def test_reach_is_what_walking_finds(seed: int) -> None:
    graph, edges = random_graph(seed)
    for step in graph.steps:
        assert graph.reach[step] == reached(edges, step)
        assert all(graph.reaches(step, other) == (other in graph.reach[step]) for other in graph.steps)
    assert graph.reachable == {"s0", *reached(edges, "s0")}


@pytest.mark.parametrize("seed", range(200))
def test_a_dominator_is_a_step_no_way_avoids(seed: int) -> None:
    graph, edges = random_graph(seed)
    for step in graph.reachable:
        avoidable = {
            other
            for other in graph.reachable - {step}
            if step in {"s0", *reached(edges, "s0", without=other)} - {other}
        }
        if step != "s0":
            avoidable.discard("s0")
        dominators = graph.reachable - {step} - avoidable
        assert set(graph.dominators_of(step)) == (set() if step == "s0" else dominators)
        if step != "s0":
            nearest = graph.dominators[step]
            assert nearest is not None
            assert dominators - {nearest} == set(graph.dominators_of(nearest))


@pytest.mark.parametrize("seed", range(200))
def test_a_loop_is_the_steps_that_reach_each_other(seed: int) -> None:
    graph, _edges = random_graph(seed)
    for step in graph.steps:
        loop = {other for other in graph.steps if graph.reaches(step, other) and graph.reaches(other, step)}
        assert graph.components[step] == loop


@pytest.mark.parametrize("seed", range(200))
def test_what_is_reached_past_a_step_is_what_walking_around_it_finds(seed: int) -> None:
    graph, edges = random_graph(seed)
    for start in graph.steps:
        for barred in set(graph.steps) - {start}:
            found = reached(edges, start, without=barred)
            assert graph.reach_past(start, barred) == graph.bits(found)
            assert graph.around(graph.bit[start], graph.bit[barred]) == graph.bits(found)
            turned = reached([(target, source) for source, target in edges], start, without=barred)
            assert graph.around(graph.bit[start], graph.bit[barred], backwards=True) == graph.bits(turned)


@pytest.mark.parametrize("passes", [1, 2, 5])
@pytest.mark.parametrize("seed", range(100))
def test_a_chain_is_the_steps_on_every_way(seed: int, passes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dominance, "PASSES", passes)
    graph, edges = random_graph(seed)
    for root in graph.steps:
        chains = graph.chains(root)
        led_to = {root, *reached(edges, root)}
        for step in graph.steps:
            passed = {
                other for other in led_to if other in (root, step) or step not in reached(edges, root, without=other)
            }
            expected = graph.bits({root} if step == root else passed) if step in led_to else -1
            assert chains[graph.place[step]] == expected


def test_the_order_of_a_graph_without_loops_has_every_step_before_its_successors() -> None:
    edges = [("a", "b"), ("a", "c"), ("c", "b"), ("b", "d")]
    order = Graph(["d", "c", "b", "a", "alone"], edges, "a").order
    assert all(order.index(source) < order.index(target) for source, target in edges)
    assert order[-1] == "alone"


def test_a_chain_of_ten_thousand_steps_needs_no_recursion() -> None:
    steps = [f"s{number}" for number in range(10_000)]
    graph = Graph(steps, list(pairwise(steps)), "s0")
    assert graph.order == steps
    assert graph.dominators["s9999"] == "s9998"
    assert not graph.components["s5"]
    assert graph.reaches("s0", "s9999")
