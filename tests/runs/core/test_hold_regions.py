"""What the core counts for a token does not grow with the graph around it."""

from random import Random

import pytest

from runs.core.state import State
from segments.plan import Plan
from tests.support.graphs import Draft
from tests.support.simulation import Simulation, plain_answer

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


def most_regions_of_a_token(plan: Plan) -> int:
    """Play a run; the most regions that held one token at any time."""
    run = Simulation(plan, plain_answer, Random(1))
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
    numbers = [
        number
        for region in state.regions.values()
        for tokens in (*region.running.values(), *region.waiting.values())
        for number in tokens
    ]
    return max(map(numbers.count, numbers), default=0)


@pytest.mark.parametrize("number", [2, 20])
def test_a_token_is_counted_once_for_all_ports_behind_a_fan_out(number: int) -> None:
    assert most_regions_of_a_token(layers(number)) <= BY_KEY


@pytest.mark.parametrize("number", [2, 200])
def test_a_token_is_not_counted_for_fan_outs_yet_to_come(number: int) -> None:
    assert most_regions_of_a_token(diamonds(number)) <= BY_KEY
