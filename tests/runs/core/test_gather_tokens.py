"""Joins and steps with several input ports, story by story. Source: docs/reference/gathering.md."""

from collections.abc import Mapping
from random import Random

import pytest

from kernel.types import Json
from runs.core import EventType, Scope
from runs.core.state import Activation
from tests.support.graphs import DIAMOND, drawn
from tests.support.simulation import InOrder, Simulation, play


def skipped(run: Simulation) -> list[str]:
    return [str(event.step_id) for event in run.journal if event.type is EventType.STEP_SKIPPED]


def test_all_gives_the_arrivals_in_the_order_of_the_edges() -> None:
    run = play(drawn(DIAMOND.format(join="")), order=InOrder("start", "split", "c", "a", "b"))
    assert run.state.output() == "end(['a(start(in))', 'b(start(in))', 'c(start(in))'])"


def test_any_takes_the_first_success_and_cancels_the_rest() -> None:
    run = play(drawn(DIAMOND.format(join="merge_strategy=any")), order=InOrder("start", "split", "b"))
    assert run.state.output() == "end(b(start(in)))"
    assert skipped(run) == ["a", "c"]
    assert [event.payload["effect"] for event in run.journal if event.type is EventType.STEP_SKIPPED] == ["unknown"] * 2


def test_cancelling_spares_branches_that_end_elsewhere() -> None:
    plan = drawn(
        """
        split parallel_split output=branch_1,branch_2,branch_3
        a work
        b work
        mail work
        sent work
        join parallel_join merge_strategy=any
        end work
        split.branch_1 -> a
        split.branch_2 -> b
        split.branch_3 -> mail
        mail -> sent
        a -> join:one
        b -> join:two
        join -> end
        """
    )
    run = play(plan, order=InOrder("split", "a"))
    assert skipped(run) == ["b"]
    assert run.state.output() == {"end": "end(a(in))", "sent": "sent(mail(in))"}


@pytest.mark.parametrize("seed", range(5))
def test_items_are_worked_on_at_once_and_joined_in_their_order(seed: int) -> None:
    plan = drawn(
        """
        split parallel_split items=input output=branch_1
        a work
        join parallel_join
        split.branch_1 -> a
        a -> join
        """
    )
    seen: list[Json] = []

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append((scope["item"], scope["index"]))  # type: ignore[arg-type]
        return {"output": f"{scope.input}!"}

    run = play(plan, {"a": look}, run_input=["x", "y", "z"], order=Random(seed))
    assert run.state.output() == ["x!", "y!", "z!"]
    assert sorted(seen) == [("x", 0), ("y", 1), ("z", 2)]  # type: ignore[type-var]


def test_an_empty_list_goes_straight_to_the_join() -> None:
    plan = drawn(
        "split parallel_split items=input output=branch_1\na work\njoin parallel_join\nend work\n"
        "split.branch_1 -> a\na -> join\njoin -> end"
    )
    run = play(plan, run_input=[])
    assert run.state.output() == "end([])"
    assert "a" not in run.started()


def test_nested_items_join_level_by_level() -> None:
    plan = drawn(
        """
        rows parallel_split items=input output=branch_1
        cells parallel_split items=input output=branch_1
        a work
        row parallel_join
        table parallel_join
        rows.branch_1 -> cells
        cells.branch_1 -> a
        a -> row
        row -> table
        """
    )
    run = play(plan, run_input=[["a", "b"], [], ["c"]])
    assert run.state.output() == [["a(a)", "a(b)"], [], ["a(c)"]]


def test_a_loop_gathers_anew_in_each_pass() -> None:
    plan = drawn(
        """
        start work
        split parallel_split output=branch_1,branch_2
        a work
        b work
        join parallel_join
        again choice
        end work
        start -> split
        split.branch_1 -> a
        split.branch_2 -> b
        a -> join:one
        b -> join:two
        join -> again
        again.left -> split
        again.right -> end
        """
    )

    def thrice(activation: Activation, _scope: Scope) -> Mapping[str, Json]:
        return {"left" if activation.activation < 3 else "right": activation.activation}

    run = play(plan, {"again": thrice})
    assert run.state.counts["join"] == 3
    assert run.state.output() == "end(3)"


def test_a_port_that_gets_nothing_new_in_a_loop_keeps_its_last_value() -> None:
    plan = drawn(
        """
        start parallel_split output=branch_1,branch_2
        topic work
        style work
        write work
        review choice
        end work
        start.branch_1 -> topic
        start.branch_2 -> style
        topic -> write:topic
        style -> write:style
        write -> review
        review.left -> write:topic
        review.right -> end
        """
    )
    seen: list[Mapping[str, Json]] = []

    def write(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(dict(scope.inputs))
        return {"output": "text"}

    def twice(activation: Activation, _scope: Scope) -> Mapping[str, Json]:
        return {"left" if activation.activation < 2 else "right": "better"}

    run = play(plan, {"write": write, "review": twice})
    assert seen == [{"topic": "topic(in)", "style": "style(in)"}, {"topic": "better", "style": "style(in)"}]
    assert run.state.output() == "end(better)"


def test_edges_into_one_port_start_the_step_once_each() -> None:
    run = play(drawn("start work\na work\nb work\nend work\nstart -> a\nstart -> b\na -> end\nb -> end"))
    assert run.state.counts["end"] == 2


def test_gatherings_that_wait_only_for_each_other_fire_in_plan_order() -> None:
    plan = drawn(
        """
        split parallel_split output=branch_1,branch_2
        one parallel_join
        two parallel_join
        split.branch_1 -> one:a
        split.branch_2 -> two:a
        one -> two:b
        two -> one:b
        """,
        max_activations=5,
    )
    run = play(plan)
    assert run.started()[:3] in (["split", "one", "two"], ["split", "two", "one"])
    assert run.started()[1] == next(step for step in plan.steps if step in {"one", "two"})


def test_too_many_activations_fail_the_run_clearly() -> None:
    run = play(drawn("a work\nb work\na -> b\nb -> a", max_activations=7))
    failure = run.journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert (failure["code"], failure["step_id"], failure["details"]) == ("ACTIVATION_LIMIT", "a", {"limit": 7})


def test_no_more_steps_run_at_once_than_the_segment_allows() -> None:
    plan = drawn(
        "split parallel_split items=input output=branch_1\na work\njoin parallel_join\nsplit.branch_1 -> a\na -> join",
        max_parallel_steps=3,
    )
    most = 0

    class Watching(Random):
        def choice(self, live: list[Activation]) -> Activation:  # type: ignore[override]
            nonlocal most
            most = max(most, len(live))
            return live[-1]

    run = play(plan, run_input=list(range(20)), order=Watching())
    assert most == 3
    assert run.state.output() == [f"a({number})" for number in range(20)]


def test_an_implicit_fan_out_below_a_choice_is_joined_once() -> None:
    plan = drawn(
        """
        pick choice
        x work
        p work
        q work
        join parallel_join
        pick.left -> x
        pick.right -> join:c
        x -> p
        x -> q
        p -> join:a
        q -> join:b
        """
    )
    run = play(plan, {"pick": lambda _a, scope: {"left": scope.input}})
    assert run.state.counts["join"] == 1
    assert run.state.output() == ["p(x(in))", "q(x(in))"]


def test_a_kept_value_outlives_a_pass_whose_own_frames_are_gone() -> None:
    plan = drawn(
        """
        fan work
        mail work
        pick choice
        topic work
        style work
        write work
        again choice
        end work
        fan -> mail
        fan -> pick
        pick.left -> topic
        pick.right -> style
        topic -> write:topic
        style -> write:style
        write -> again
        again.left -> fan
        again.right -> end
        """
    )
    seen: list[list[str]] = []

    def write(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(sorted(scope.inputs))
        return {"output": "text"}

    def pick(activation: Activation, _scope: Scope) -> Mapping[str, Json]:
        return {"left": 1, "right": 1} if activation.activation == 1 else {"left": 2}

    def again(activation: Activation, _scope: Scope) -> Mapping[str, Json]:
        return {"left" if activation.activation < 2 else "right": 1}

    play(plan, {"write": write, "pick": pick, "again": again})
    assert seen == [["style", "topic"], ["style", "topic"]]


def test_after_a_join_the_latest_of_several_activations_upstream_is_read() -> None:
    plan = drawn(
        """
        split parallel_split output=branch_1,branch_2
        slow work
        w work
        join parallel_join
        end work
        last work
        split.branch_1 -> slow
        slow -> w
        split.branch_2 -> w
        w -> join
        join -> end
        end -> last ? steps.w.output != 'never'
        """
    )
    read: list[Json] = []

    def end(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        read.append(scope["steps"])
        return {"output": 1}

    play(plan, {"end": end}, order=InOrder("split", "w", "slow", "w"))
    assert read == [{"w": {"output": "w(slow(in))"}}]


def test_an_empty_list_without_a_join_ends_there() -> None:
    plan = drawn("split parallel_split items=input output=branch_1\na work\nsplit.branch_1 -> a")
    assert play(plan, run_input=[]).started() == ["split"]
    assert play(plan, run_input=[1, 2]).started() == ["split", "a", "a"]
