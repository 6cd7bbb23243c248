"""Gatherings on one fan-out: several ports, joins in a row, items apart, loops in branches."""

from collections.abc import Mapping
from random import Random

import pytest

from kernel.types import Json
from runs.core import EventType, Scope
from runs.core.state import Activation
from segments.plan import FIRST_SEMANTICS, THIRD_SEMANTICS
from tests.support.graphs import drawn
from tests.support.simulation import InOrder, Simulation, fails, outputs, play

LOOP_IN_A_BRANCH = """
    split parallel_split output=branch_1,branch_2
    head work input=init,again
    look choice
    b work
    join parallel_join
    split.branch_1 -> head:init
    split.branch_2 -> b
    head -> look
    look.left -> head:again
    look.right -> join:one
    b -> join:two
"""
IN_A_ROW = """
    fan work
    b work
    c work
    d work
    near parallel_join
    far parallel_join
    fan -> b
    fan -> c
    fan -> d
    b -> near:one
    c -> near:two
    near -> far:one
    d -> far:two
"""
PAIRS = """
    split parallel_split items=input output=branch_1,branch_2
    a work
    b work
    pair work input=left,right
    split.branch_1 -> a
    split.branch_2 -> b
    a -> pair:left
    b -> pair:right
"""


def twice(activation: Activation, scope: Scope) -> Mapping[str, Json]:
    return {"left" if activation.activation < 2 else "right": scope.input}


def test_a_loop_with_two_ports_in_a_branch_stays_in_its_branch() -> None:
    run = play(drawn(LOOP_IN_A_BRANCH), {"look": twice})
    assert run.state.counts["join"] == 1
    assert run.state.output() == ["head({'init': 'in', 'again': 'head(in)'})", "b(in)"]


def test_the_first_semantics_fired_such_a_join_twice() -> None:
    run = play(drawn(LOOP_IN_A_BRANCH, semantics=FIRST_SEMANTICS), {"look": twice})
    assert run.state.counts["join"] == 2


def test_first_cancels_a_loop_with_two_ports() -> None:
    plan = drawn(LOOP_IN_A_BRANCH.replace("join parallel_join", "join parallel_join merge_strategy=first"))
    run = play(plan, {"look": lambda _a, scope: {"left": scope.input}}, order=InOrder("split", "head", "look", "b"))
    assert run.state.output() == "b(in)"
    assert [event.step_id for event in run.journal if event.type is EventType.STEP_SKIPPED] == ["head"]


def test_behind_a_step_that_got_one_port_the_item_is_known() -> None:
    text = """
        split parallel_split items=input output=branch_1
        head work input=init,again
        look choice
        end work
        join parallel_join
        split.branch_1 -> head:init
        head -> look
        look.left -> head:again
        look.right -> end
        end -> join
    """
    script = {
        "look": lambda _a, scope: {"right": scope.input},
        "end": lambda _a, scope: {"output": [scope["item"], scope["index"]]},
    }
    assert outputs(drawn(text), script, run_input=["p", "q"]) == {"[['p', 0], ['q', 1]]"}


def test_joins_in_a_row_each_take_what_is_theirs() -> None:
    assert outputs(drawn(IN_A_ROW)) == {"[['b(fan(in))', 'c(fan(in))'], 'd(fan(in))']"}


AROUND_THE_FIRST_JOIN = """
    split parallel_split items=input output=branch_1
    x work
    near parallel_join
    far parallel_join
    split.branch_1 -> x
    x -> near:one
    near -> far:one
    x -> far:two
"""


def test_a_join_behind_another_one_takes_what_went_around_it() -> None:
    run = play(drawn(AROUND_THE_FIRST_JOIN), run_input=["p", "q"])
    assert run.state.output() == [["x(p)", "x(q)"], "x(p)", "x(q)"]
    assert run.state.counts["far"] == 1


def test_by_the_third_semantics_such_a_join_fired_for_each_item_and_lost_all_but_one() -> None:
    run = play(drawn(AROUND_THE_FIRST_JOIN, semantics=THIRD_SEMANTICS), run_input=["p", "q"])
    assert run.state.counts["far"] == 3


def test_a_join_behind_a_step_with_two_ports_takes_both() -> None:
    text = IN_A_ROW.replace("near parallel_join", "near work input=one,two")
    assert outputs(drawn(text)) == {"[\"near({'one': 'b(fan(in))', 'two': 'c(fan(in))'})\", 'd(fan(in))']"}


def test_two_steps_with_two_ports_in_a_row_run_once_each() -> None:
    text = IN_A_ROW.replace("near parallel_join", "near work input=one,two")
    run = play(drawn(text.replace("far parallel_join", "far work input=one,two")))
    assert (run.state.counts["near"], run.state.counts["far"]) == (1, 1)


def test_values_of_different_items_never_meet() -> None:
    seen: list[list[Json]] = []

    def pair(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append([scope.inputs["left"], scope.inputs["right"], scope["item"]])
        return {"output": 1}

    for seed in range(20):
        play(drawn(PAIRS), {"pair": pair}, run_input=["p", "q", "r"], order=Random(seed))
    assert len(seen) == 60
    assert {tuple(map(str, one)) for one in seen} == {(f"a({item})", f"b({item})", item) for item in "pqr"}


def test_a_loop_of_one_item_keeps_no_value_of_another() -> None:
    text = PAIRS + "\nlook choice\nend work\npair -> look\nlook.left -> pair:left\nlook.right -> end"
    seen: dict[str, list[str]] = {}

    def pair(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.setdefault(str(scope["item"]), []).append(str(scope.inputs["right"]))
        return {"output": [scope["item"], len(seen[str(scope["item"])])]}

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        assert isinstance(scope.input, list)
        return {"left" if scope.input[1] < 3 else "right": scope.input}

    for seed in range(10):
        seen.clear()
        play(drawn(text), {"pair": pair, "look": look}, run_input=["p", "q"], order=Random(seed))
        assert seen == {"p": ["b(p)"] * 3, "q": ["b(q)"] * 3}


@pytest.mark.parametrize("strategy", ["any", "first"])
@pytest.mark.parametrize("edges", ["fan -> join\nfan -> b\nb -> join", "fan -> join\nfan -> join"])
def test_what_a_fan_out_sends_straight_to_a_join_cancels_its_siblings(strategy: str, edges: str) -> None:
    plan = drawn(f"fan work\nb work\njoin parallel_join merge_strategy={strategy}\nend work\n{edges}\njoin -> end")
    run = play(plan)
    assert run.state.counts == {"fan": 1, "join": 1, "end": 1}
    assert run.state.output() == "end(fan(in))"


def test_what_ends_elsewhere_goes_on_beside_it() -> None:
    plan = drawn("fan work\nmail work\njoin parallel_join merge_strategy=any\nfan -> join\nfan -> mail")
    assert play(plan).state.output() == {"join": "fan(in)", "mail": "mail(fan(in))"}


def empty(strategy: str, more: str = "") -> Simulation:
    text = f"""
        split parallel_split items=input output=branch_1,branch_2
        a work
        b work
        join parallel_join merge_strategy={strategy} {more}
        split.branch_1 -> a
        split.branch_2 -> b
        a -> join:one
        b -> join:two
    """
    assert len(play(drawn(text), run_input=["p"]).started()) == 4
    return play(drawn(text), run_input=[])


@pytest.mark.parametrize(("strategy", "more"), [("any", ""), ("quorum", "count=1")])
def test_any_and_quorum_of_nothing_are_an_error(strategy: str, more: str) -> None:
    failure = empty(strategy, more).journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert (failure["code"], failure["step_id"]) == ("BRANCH_FAILED", "join")


@pytest.mark.parametrize("strategy", ["all", "first"])
def test_all_and_first_of_nothing_are_the_empty_list(strategy: str) -> None:
    assert empty(strategy).state.output() == []


def test_an_empty_list_goes_to_the_first_of_several_joins_in_a_row() -> None:
    text = """
        split parallel_split items=input output=branch_1,branch_2,branch_3
        near parallel_join
        far parallel_join
        split.branch_1 -> near:one
        split.branch_2 -> near:two
        near -> far:one
        split.branch_3 -> far:two
    """
    assert play(drawn(text), run_input=[]).state.output() == [[]]
    assert play(drawn(text), run_input=["p"]).state.output() == [["p", "p"], "p"]


def test_a_split_that_leads_nowhere_has_its_input_as_value() -> None:
    plan = drawn("a work\nsplit parallel_split\nb work\na -> split\na -> b")
    assert play(plan).state.output() == {"split": "a(in)", "b": "b(a(in))"}


def test_arrivals_stand_in_the_order_of_edge_branch_and_item() -> None:
    text = """
        split parallel_split items=input output=branch_1,branch_2
        work work
        join parallel_join
        split.branch_1 -> work
        split.branch_2 -> work
        work -> join
    """
    seen = play(drawn(text), {"work": lambda one, scope: {"output": [scope["item"]]}}, run_input=["p", "q"])
    assert seen.state.output() == [["p"], ["q"], ["p"], ["q"]]


def test_an_unreachable_step_changes_no_result() -> None:
    text = """
        a work
        split parallel_split output=branch_1,branch_2
        b work
        one parallel_join
        two parallel_join merge_strategy=first
        a -> split
        split.branch_1 -> b
        split.branch_2 -> b
        b -> one
        one -> two
    """
    plain = play(drawn(text)).state.output()
    assert plain == ["b(a(in))", "b(a(in))"]
    assert play(drawn(text + "\nunreached work\nunreached -> two")).state.output() == plain


def test_a_failure_of_one_port_fails_the_step() -> None:
    run = play(drawn(IN_A_ROW.replace("near parallel_join", "near work input=one,two")), {"b": fails})
    failure = run.journal[-1].payload["error"]
    assert isinstance(failure, dict)
    assert (failure["code"], failure["step_id"]) == ("BRANCH_FAILED", "far")


def test_outside_a_loop_a_port_keeps_nothing_of_another_gathering() -> None:
    text = """
        split parallel_split items=input
        work work
        pair work input=left,middle
        split.branch_1 -> work
        work -> pair:left ? item == "p"
        work -> pair:middle ? item == "q"
    """
    seen: list[set[str]] = []

    def pair(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        seen.append(set(scope.inputs))
        return {"output": 1}

    play(drawn(text), {"pair": pair}, run_input=["p", "q"])
    assert sorted(map(sorted, seen)) == [["left"], ["middle"]]
