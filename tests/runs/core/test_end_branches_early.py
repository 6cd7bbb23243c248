"""A branch has failed: the others, the way of the failure, its details. Source: docs/reference/gathering.md."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from kernel.types import Json
from kernel.values import size_of
from runs.core import EventType, Scope, decide, new_state
from runs.core.failures import MAX_CAUSES, MAX_CAUSES_BYTES
from runs.core.state import Activation
from tests.support.graphs import Draft, drawn
from tests.support.simulation import Broken, InOrder, Simulation, fails, play

CHAINS = """
    split parallel_split output=branch_1,branch_2
    bad work
    slow work
    later work
    join parallel_join {join}
    split.branch_1 -> bad
    split.branch_2 -> slow
    slow -> later
    bad -> join:one
    later -> join:two
"""


def error_of(run: Simulation) -> Mapping[str, Json]:
    error = run.journal[-1].payload["error"]
    assert isinstance(error, dict)
    return error


def causes_of(error: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    details = error["details"]
    assert isinstance(details, dict)
    causes = details["causes"]
    assert isinstance(causes, list)
    return [cause for cause in causes if isinstance(cause, dict)]


def test_nothing_new_starts_on_a_branch_whose_join_is_certain_to_fail() -> None:
    run = play(drawn(CHAINS.format(join="")), {"bad": fails}, order=InOrder("split", "bad", "slow"))
    assert run.started() == ["split", "bad", "slow"]
    assert [event.step_id for event in run.journal if event.type is EventType.STEP_COMPLETED] == ["split", "slow"]
    assert error_of(run)["step_id"] == "join"


def test_on_request_all_others_end_first() -> None:
    plan = drawn(CHAINS.format(join="on_branch_failure=wait"))
    run = play(plan, {"bad": fails}, order=InOrder("split", "bad", "slow"))
    assert run.started() == ["split", "bad", "slow", "later"]
    assert error_of(run)["step_id"] == "join"


def test_what_leads_elsewhere_too_goes_on() -> None:
    plan = drawn(CHAINS.format(join="") + "\nmail work\nsent work\nslow -> mail\nmail -> sent\njoin.error -> sent")
    run = play(plan, {"bad": fails}, order=InOrder("split", "bad", "slow"))
    assert "mail" in run.started()
    assert "later" not in run.started()


def test_a_step_with_several_ports_fails_as_early() -> None:
    plan = drawn(CHAINS.format(join="").replace("join parallel_join", "join work input=one,two"))
    run = play(plan, {"bad": fails}, order=InOrder("split", "bad", "slow"))
    assert run.started() == ["split", "bad", "slow"]
    assert (error_of(run)["code"], error_of(run)["step_id"]) == ("BRANCH_FAILED", "join")


def carried_out(run: Simulation) -> Simulation:
    """Carry out what the core asks for until it waits for an outcome."""
    while not run.state.over and (commands := decide(run.state)):
        for command in commands:
            run.carry_out(command)
    return run


@pytest.mark.parametrize(
    "waits",
    [(EventType.STEP_RETRYING, {"consumed": True}, "slow", 1, 1), (EventType.HUMAN_TASK_CREATED, {}, "slow", 1, 1)],
)
@pytest.mark.parametrize("waits_first", [True, False])
def test_what_waits_on_such_a_branch_is_ended(waits: tuple[Any, ...], waits_first: bool) -> None:
    plan = drawn(CHAINS.format(join=""))
    run = Simulation(plan, lambda step, *_: {"branch_1": 1, "branch_2": 1} if step.join is None else {}, Random(1))
    run.state = new_state(plan)
    run.append(EventType.SEGMENT_STARTED, {"input": 1})
    carried_out(run).finish(run.state.active["split", 1])
    carried_out(run)
    failure = (EventType.STEP_FAILED, {"error": {"code": "X", "step_id": "bad"}, "edges": []}, "bad", 1, 1)
    for event in (waits, failure) if waits_first else (failure, waits):
        run.append(*event)
        carried_out(run)
    assert [event.step_id for event in run.journal if event.type is EventType.STEP_SKIPPED] == ["slow"]
    assert error_of(run)["step_id"] == "join"


def test_a_failure_goes_to_the_nearest_gathering_also_without_a_fan_out() -> None:
    text = """
        pick choice
        a work
        b work
        join parallel_join
        rescue work
        pick.left -> a
        pick.right -> b
        a -> join:one
        b -> join:two
        join.error -> rescue
    """
    run = play(drawn(text), {"pick": lambda _a, scope: {"left": scope.input}, "a": fails})
    assert "BRANCH_FAILED" in str(run.state.output())
    assert run.journal[-1].type is EventType.SEGMENT_COMPLETED


def test_a_failure_in_a_loop_comes_to_a_gathering_once() -> None:
    text = """
        start work
        head work input=init,again
        look choice
        end work
        start -> head:init
        head -> look
        look.left -> head:again
        look.right -> end
    """
    run = play(drawn(text), {"look": fails})
    assert (error_of(run)["code"], error_of(run)["step_id"]) == ("BRANCH_FAILED", "head")
    assert run.state.counts == {"start": 1, "head": 2, "look": 1}


def nested(depth: int) -> Draft:
    """Splits in one branch of each other, each closed by its own join; the innermost branch fails."""
    draft = Draft()
    for level in range(depth):
        draft.step("parallel_split", step_id=f"s{level}")
        draft.step("work", step_id=f"a{level}")
        draft.step("parallel_join", step_id=f"j{level}")
        draft.edge(f"s{level}", f"a{level}", from_port="branch_1")
        draft.edge(f"a{level}", f"j{level}", to_port="one")
        if level:
            draft.edge(f"s{level - 1}", f"s{level}", from_port="branch_2")
            draft.edge(f"j{level}", f"j{level - 1}", to_port="two")
    draft.step("work", step_id="bad")
    draft.edge(f"s{depth - 1}", "bad", from_port="branch_2")
    draft.edge("bad", f"j{depth - 1}", to_port="two")
    return draft


def test_a_failure_below_a_hundred_joins_is_told_flat() -> None:
    run = play(nested(100).plan(), {"bad": fails})
    error = error_of(run)
    assert error["step_id"] == "j0"
    assert [(cause["step_id"], cause["code"]) for cause in causes_of(error)] == [("bad", "BROKEN")]


def many(count: int, details: int) -> Simulation:
    text = """
        split parallel_split items=input output=branch_1
        a work
        join parallel_join on_branch_failure=wait
        split.branch_1 -> a
        a -> join
    """

    def fail(activation: Activation, _scope: Scope) -> Exception:
        return Broken("x" * details)

    return play(drawn(text), {"a": fail}, run_input=list(range(count)))


def test_of_many_causes_the_first_are_told_and_the_others_counted() -> None:
    error = error_of(many(50, 10))
    assert len(causes_of(error)) == MAX_CAUSES
    assert error["details"] == {"causes": causes_of(error), "causes_left_out": 30}
    assert "and 45 more" in str(error["message"])


def test_the_causes_stay_below_their_bound() -> None:
    error = error_of(many(19, 10_000))
    assert 1 <= len(causes_of(error)) < 19
    assert size_of(error["details"]) <= MAX_CAUSES_BYTES + 100


def test_a_condition_that_fails_is_the_failure_of_its_edge() -> None:
    run = play(drawn("a work\nb work\nc work\na -> b ? input.nope\na -> c"))
    error = error_of(run)
    assert (error["step_id"], error["activation"]) == ("a", 1)
    assert error["details"] == {"edge": 0, "from": "a", "to": "b"}
    assert "from a to b" in str(error["message"])
    assert next(event.step_id for event in run.journal if event.type is EventType.STEP_COMPLETED) == "a"


def test_beside_a_condition_that_fails_nothing_is_decided_by_else() -> None:
    run = play(drawn("a work\nb work\nc work\na -> b ? input.nope\na -> c ? else"))
    assert run.started() == ["a"]


def test_a_join_takes_the_failure_of_an_edge() -> None:
    text = CHAINS.format(join="").replace("bad -> join:one", "bad -> join:one ? input.nope")
    run = play(drawn(text + "\nend work\njoin.error -> end"))
    assert "EXPRESSION" in str(run.state.output())


def test_the_failure_of_an_edge_is_counted_with_the_success_that_decided_the_join() -> None:
    run = play(drawn("a work\nb work\njoin parallel_join merge_strategy=any\na -> join\na -> b ? input.nope"))
    assert run.state.output() == {"join": "a(in)"}
    assert run.started() == ["a", "join"]


def test_beside_a_condition_that_fails_nothing_starts_that_leads_only_to_the_join() -> None:
    steps = "a work\nb work\nc work\njoin parallel_join"
    run = play(drawn(f"{steps}\na -> b\na -> c\na -> join ? input.nope\nb -> join\nc -> join"))
    assert error_of(run)["step_id"] == "join"
    assert run.started() == ["a"]
