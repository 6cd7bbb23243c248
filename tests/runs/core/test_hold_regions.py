"""What the core counts for a token does not grow with the graph around it."""

import sys
from collections.abc import Iterator, Mapping
from random import Random

import pytest

from kernel.types import Json
from runs.core import Activation, Scope
from runs.core.state import Region, State
from segments.plan import Plan, PlanStep
from tests.support.graphs import Draft, drawn
from tests.support.simulation import Answer, InOrder, Simulation, plain_answer

BY_KEY = 2
"""A gathering has the tokens whose stack goes on with D's own frame under one key, all others under another."""


def layers(number: int) -> Plan:
    """Layers of five steps with five ports each, fed by all of the layer before."""
    draft = Draft()
    before = [draft.step("work")]
    for _ in range(number):
        ports = [f"port_{index}" for index in range(len(before))]
        layer = [draft.step("work", ports={"input": ports}) for _ in range(5)]
        for step_id in layer:
            for source, port in zip(before, ports, strict=True):
                draft.edge(source, step_id, to_port=port)
        before = layer
    return draft.plan()


def diamonds(number: int) -> Plan:
    """Fan-outs in a row, each with a join of its own."""
    draft = Draft()
    before = draft.step("work")
    for _ in range(number):
        left, right, join = draft.step("work"), draft.step("work"), draft.step("parallel_join")
        for branch in (left, right):
            draft.edge(before, branch)
            draft.edge(branch, join)
        before = join
    return draft.plan()


def loop_out_of_its_own_split() -> Plan:
    """Each pass lies within a branch of the pass before."""
    return drawn(
        """
        split parallel_split branches=2
        work work
        again choice
        join parallel_join merge_strategy=all
        split.branch_1 -> work
        split.branch_2 -> again
        work -> join
        again.left -> split
        again.right -> join
        """
    )


def passes(number: int) -> Answer:
    """Answer so that the loop is left after so many passes."""

    def answer(step: PlanStep, activation: Activation, scope: Scope) -> Mapping[str, Json] | Exception:
        if step.step_id == "again":
            return {"left" if activation.activation < number else "right": None}
        return plain_answer(step, activation, scope)

    return answer


def most_regions_of_a_token(plan: Plan, answer: Answer = plain_answer) -> int:
    """Play a run; the most regions that held one token at any time."""
    run = Simulation(plan, answer, Random(1))
    most = 0
    append = run.append

    def watch(*arguments: object) -> None:
        nonlocal most
        append(*arguments)  # type: ignore[arg-type]
        most = max(most, _held(run.state))

    run.append = watch  # type: ignore[method-assign,assignment]
    run.run(1)
    assert not run.state.regions, "nobody is left when the run is over"
    return most


def _held(state: State) -> int:
    numbers = [number for region in state.regions.values() for number in _numbers(region)]
    return max(map(numbers.count, numbers), default=0)


def _numbers(region: Region) -> Iterator[int]:
    for alike in (region.running, *region.waiting.values()):
        for tokens in alike.values():
            yield from tokens


@pytest.mark.parametrize("number", [2, 20])
def test_a_token_is_counted_once_for_all_ports_behind_a_fan_out(number: int) -> None:
    assert most_regions_of_a_token(layers(number)) <= BY_KEY


@pytest.mark.parametrize("number", [2, 200])
def test_a_token_is_not_counted_for_fan_outs_yet_to_come(number: int) -> None:
    assert most_regions_of_a_token(diamonds(number)) <= BY_KEY


def test_a_token_is_counted_once_however_deep_passes_of_a_loop_lie_within_each_other() -> None:
    assert most_regions_of_a_token(loop_out_of_its_own_split(), passes(40)) <= BY_KEY


def test_a_loop_out_of_its_own_split_ends_after_the_most_passes_there_may_be() -> None:
    run = Simulation(loop_out_of_its_own_split(), passes(1_000), InOrder())
    state = run.run(None)
    assert state.counts == {"split": 1_000, "work": 1_000, "again": 1_000, "join": 1_000}
    cost = {number: calls_an_event(loop_out_of_its_own_split(), passes(number)) for number in (10, 100)}
    assert cost[100] < 3 * cost[10], cost


def calls_an_event(plan: Plan, answer: Answer = plain_answer) -> float:
    """How many functions the core calls for each event of a run."""
    run = Simulation(plan, answer, InOrder())
    calls = 0

    def count(_frame: object, what: str, _of: object) -> None:
        nonlocal calls
        calls += what == "call"

    sys.setprofile(count)
    try:
        run.run(None)
    finally:
        sys.setprofile(None)
    return calls / len(run.journal)


def all_wait_for_each_other(number: int) -> Plan:
    """Steps in a ring, each of which may send to the next one, and never does."""
    draft = Draft()
    start = draft.step("work")
    ring = [draft.step("work", ports={"input": ["a", "b"]}) for _ in range(number)]
    for step_id, following in zip(ring, [*ring[1:], ring[0]], strict=True):
        draft.edge(start, step_id, to_port="a")
        draft.edge(step_id, following, to_port="b", condition="false")
    return draft.plan()


def test_finding_what_waits_for_each_other_costs_no_more_than_there_are() -> None:
    cost = {number: calls_an_event(all_wait_for_each_other(number)) for number in (20, 80)}
    assert cost[80] < 6 * cost[20], cost
