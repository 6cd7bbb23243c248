"""Lists that meet in a step with several ports pair in their order. Source: ADR 12."""

from collections.abc import Callable, Mapping

from kernel.types import Json
from runs.core import Scope
from runs.core.state import Activation
from segments.plan import THIRD_SEMANTICS
from tests.support.graphs import drawn
from tests.support.simulation import outputs

TWO_SPLITS = """
    fan parallel_split output=branch_1,branch_2
    ones parallel_split items=input.ones output=branch_1
    twos parallel_split items=input.twos output=branch_1
    slow work
    pair work input=left,right
    join parallel_join
    fan.branch_1 -> ones
    fan.branch_2 -> twos
    ones.branch_1 -> pair:left
    twos.branch_1 -> slow
    slow -> pair:right
    pair -> join
"""


def couple(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
    return {"output": [scope.inputs["left"], scope.inputs["right"]]}


def same(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
    return {"output": scope.input}


def each_of(name: str) -> Callable[[Activation, Scope], Mapping[str, Json]]:
    def split(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        assert isinstance(scope.input, dict)
        return {"branch_1": scope.input, "*items*": scope.input[name]}

    return split


def coupled(text: str, run_input: Json, *more: str) -> set[str]:
    script = {"ones": each_of("ones"), "twos": each_of("twos"), "pair": couple, **dict.fromkeys(("slow", *more), same)}
    return outputs(drawn(text), script, run_input=run_input)


def test_items_of_two_splits_pair_in_their_order() -> None:
    found = coupled(TWO_SPLITS, {"ones": ["p", "q", "r"], "twos": ["P", "Q", "R"]})
    assert found == {"[['p', 'P'], ['q', 'Q'], ['r', 'R']]"}


def test_a_list_that_is_shorter_gives_its_last_item_to_the_rest() -> None:
    assert coupled(TWO_SPLITS, {"ones": ["p", "q", "r"], "twos": ["P"]}) == {"[['p', 'P'], ['q', 'P'], ['r', 'P']]"}
    assert coupled(TWO_SPLITS, {"ones": ["p"], "twos": ["P", "Q"]}) == {"[['p', 'P'], ['p', 'Q']]"}


def test_items_meet_the_value_beside_their_split_in_their_order() -> None:
    text = TWO_SPLITS.replace("ones.branch_1 -> pair:left", "").replace(
        "fan.branch_1 -> ones", "fan.branch_1 -> pair:left"
    )
    text = text.replace("    ones parallel_split items=input.ones output=branch_1\n", "")
    twos = {"twos": ["P", "Q"]}
    assert coupled(text, twos) == {repr([[twos, "P"], [twos, "Q"]])}


def test_behind_pairs_a_split_keeps_their_order() -> None:
    text = (
        TWO_SPLITS
        + """
        both parallel_split output=branch_1,branch_2
        x work
        y work
        near parallel_join
        pair -> both
        both.branch_1 -> x
        both.branch_2 -> y
        x -> near
        y -> near
        near -> join
    """
    )
    text = text.replace("    pair -> join\n", "")
    found = coupled(text, {"ones": ["p", "q"], "twos": ["P", "Q"]}, "x", "y")
    assert found == {"[[['p', 'P'], ['p', 'P']], [['q', 'Q'], ['q', 'Q']]]"}


def test_pairs_that_go_different_ways_keep_their_order() -> None:
    text = (
        TWO_SPLITS.replace("    pair -> join\n", "")
        + """
        look choice
        x work
        y work
        near parallel_join
        pair -> look
        look.left -> x
        look.right -> y
        x -> near
        y -> near
        near -> join
    """
    )

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        assert isinstance(scope.input, list)
        return {"right" if scope.input[0] == "q" else "left": scope.input}

    script = {
        **dict.fromkeys(("slow", "x", "y"), same),
        "ones": each_of("ones"),
        "twos": each_of("twos"),
        "pair": couple,
        "look": look,
    }
    found = outputs(drawn(text), script, run_input={"ones": ["p", "q", "r"], "twos": ["P", "Q", "R"]})
    assert found == {"[[['p', 'P']], [['q', 'Q']], [['r', 'R']]]"}


def test_a_list_within_an_item_meets_its_single_value_in_its_order() -> None:
    text = """
        outer parallel_split items=input output=branch_1,branch_2
        inner parallel_split items=input output=branch_1
        pair work input=left,right
        join parallel_join
        outer.branch_2 -> inner
        outer.branch_1 -> pair:left
        inner.branch_1 -> pair:right
        pair -> join
    """
    script = {"inner": lambda _a, scope: {"branch_1": scope.input, "*items*": ["p", "q"]}, "pair": couple}
    wanted = {"[[1, 'p'], [1, 'q'], [2, 'p'], [2, 'q']]"}
    assert outputs(drawn(text), script, run_input=[1, 2]) == wanted
    other_way = text.replace("outer.branch_1 -> pair:left", "").replace(
        "outer.branch_2 -> inner", "outer.branch_1 -> pair:left\n outer.branch_2 -> inner"
    )
    assert outputs(drawn(other_way), script, run_input=[1, 2]) == wanted


def test_starts_keep_their_order_whatever_branches_they_took() -> None:
    text = """
        fan work
        one work
        list parallel_split items=input output=branch_1
        pair work input=left,right
        join parallel_join
        fan -> one
        list.branch_1 -> pair:right
        one -> pair:right
        fan -> list
        fan -> pair:left
        pair -> join
    """
    split = {"list": lambda _a, scope: {"branch_1": scope.input, "*items*": ["p", "q"]}}
    script = {"fan": same, "one": lambda _a, _s: {"output": "one"}, "pair": couple, **split}
    assert outputs(drawn(text), script, run_input="in") == {"[['in', 'p'], ['in', 'q'], ['in', 'one']]"}


def test_a_list_is_folded_item_by_item_in_its_order() -> None:
    text = """
        fan parallel_split output=branch_1,branch_2
        ones parallel_split items=input output=branch_1
        slow work
        seed work
        add work input=item,sum
        look choice
        join parallel_join
        fan.branch_1 -> ones
        fan.branch_2 -> seed
        ones.branch_1 -> slow
        slow -> add:item
        seed -> add:sum
        add -> look
        look.left -> add:sum
        look.right -> join
    """

    def add(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        return {"output": f"{scope.inputs['sum']}{scope.inputs['item']}"}

    def look(activation: Activation, scope: Scope) -> Mapping[str, Json]:
        return {"left" if activation.activation < 3 else "right": scope.input}

    script = {"slow": same, "seed": lambda _a, _s: {"output": "0"}, "add": add, "look": look}
    assert outputs(drawn(text), script, run_input=["p", "q", "r"]) == {"['0pqr']"}


def test_the_third_semantics_paired_by_arrival() -> None:
    script = {"ones": each_of("ones"), "twos": each_of("twos"), "pair": couple, "slow": same}
    run_input: Json = {"ones": ["p", "q"], "twos": ["P", "Q"]}
    assert len(outputs(drawn(TWO_SPLITS), script, run_input=run_input)) == 1
    assert len(outputs(drawn(TWO_SPLITS, semantics=THIRD_SEMANTICS), script, run_input=run_input)) > 1


def test_items_of_one_list_never_meet_where_a_way_leads_around_it() -> None:
    text = """
        choose choice
        split parallel_split items=input output=branch_1,branch_2
        slow work
        look choice
        nowhere work
        pair work input=left,right
        join parallel_join
        choose.left -> split
        choose.right -> pair:left
        split.branch_1 -> look
        look.left -> pair:left
        look.right -> nowhere
        split.branch_2 -> slow
        slow -> pair:right
        pair -> join
    """

    def pair(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        return {"output": [scope.inputs.get("left"), scope.inputs.get("right")]}

    script = {
        "choose": lambda _a, scope: {"left": scope.input},
        "look": lambda _a, scope: {"right" if scope.input == "p" else "left": scope.input},
        "slow": same,
        "pair": pair,
    }
    found = outputs(drawn(text), script, run_input=["p", "q"])
    assert {one.partition("'join': ")[2] for one in found} == {"[['q', 'q'], [None, 'p']]}"}
