from typing import Any

import pytest

from segments.validation import validate
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

CALL = {"url": "https://shop.example/orders", "method": "GET"}
DECIDE = {"expression": "input.total > 5"}
APPROVE = {"task_type": "approval"}


def findings(source: Any) -> dict[str, Any]:
    return {one.code: one for one in validate(source, stand_in_catalog()).findings}


EXCLUSIVE = [
    ("a:condition", DECIDE, ["a.true -> b", "a.false -> c"]),
    ("a:human_task", APPROVE, ["a.approved -> b", "a.rejected -> c"]),
    ("a", {}, ["a -> b", "a.error -> c"]),
    ("a:llm_agent", {"llm_ref": "x"}, ["a -> b", "a.truncated -> c"]),
    ("a:llm_agent", {"llm_ref": "x"}, ["a.error -> b", "a.truncated -> c"]),
    ("a", {}, ["a -> b ? input.x", "a -> c ? else"]),
    ("a", {}, ["a -> b ? input.x", "a -> c ? not input.x"]),
    ("a", {}, ["a -> b ? not (input.x and y)", "a -> c ? input.x and y"]),
    ("a", {}, ["a -> b ? input.x == 1", "a -> c ? input.x != 1"]),
    ("a", {}, ["a -> b ? input.x > 1", "a -> c ? input.x  <=  1"]),
    ("a", {}, ["a -> b ? x contains 'u'", "a -> c ? x not contains 'u'"]),
    ("a", {}, ["a -> b ? steps.a.output.k == 'one'", "a -> c ? steps.a.output.k == 'two'"]),
    ("a:condition", DECIDE, ["a -> b ? output.x > 1", "a -> c ? output.x <= 1"]),
]
TOGETHER = [
    ("a", {}, ["a -> b", "a -> c"]),
    ("a", {}, ["a -> b ? input.x", "a -> c ? input.y"]),
    ("a", {}, ["a -> b ? input.x > 1 and y", "a -> c ? input.x <= 1 and y"]),
    ("a", {}, ["a -> b ? x == 'one'", "a -> c ? y == 'two'"]),
    ("a:http_action", CALL, ["a.response -> b", "a.status -> c"]),
    ("a:http_action", CALL, ["a.response -> b ? output.x", "a.status -> c ? output > 3"]),
    ("a", {}, ["a.error -> b", "a.error -> c"]),
    ("a:llm_agent", {"llm_ref": "x"}, ["a.truncated -> b", "a.truncated -> c"]),
    ("a:condition", DECIDE, ["a.true -> b", "a.true -> c"]),
    ("a", {}, ["a -> b ? input.x", "a -> c ? else", "a -> c ? else"]),
]


@pytest.mark.parametrize(("name", "config", "edges"), EXCLUSIVE)
def test_does_not_take_edges_that_exclude_each_other_for_a_fan_out(name: str, config: Any, edges: list[str]):
    segment = document({name: config, "b": {}, "c": {}}, edges, params={})
    assert "IMPLICIT_FAN_OUT" not in findings(segment)


@pytest.mark.parametrize(
    ("steps", "edges", "is_parallel"),
    [
        ({"a:http_action": CALL, "b": {}}, ["a.response -> b.answer", "a.status -> b.status"], False),
        ({"a": {}, "b": {}, "c": {}}, ["a -> b", "a -> c.given", "b -> c.made"], False),
        ({"a": {}, "b": {}, "j:parallel_join": {}}, ["a -> b", "a -> j", "b -> j"], False),
        ({"a": {}, "b": {}}, ["a -> b.x", "a -> b.x"], True),
        ({"a": {}, "b": {}, "c": {}}, ["a -> b", "a -> c", "b -> c"], True),
        ({"a": {}, "b": {}, "c": {}, "d": {}}, ["a -> b", "a -> c.given", "a -> d", "d -> c.made"], True),
    ],
)
def test_what_waits_for_the_other_way_is_no_fan_out(steps: Any, edges: list[str], is_parallel: bool):
    assert ("IMPLICIT_FAN_OUT" in findings(document(steps, edges, params={}))) is is_parallel


@pytest.mark.parametrize(
    ("config", "port", "is_told"),
    [
        ({"branches": 2}, "branch_7", True),
        ({"branches": 2}, "branch_2", False),
        ({"branches": ["mail", "branch_a"]}, "branch_b", True),
        ({"branches": ["mail", "branch_a"]}, "mail", False),
        ({"branches": 2, "step": {"ports": {"output": ["branch_7"]}}}, "branch_7", False),
        ({}, "branch_3", False),
    ],
)
def test_says_where_a_split_has_branches_that_nobody_counted(config: Any, port: str, is_told: bool):
    segment = document({"a:parallel_split": config, "b": {}}, [f"a.{port} -> b"])
    assert ("BRANCHES_DIFFER" in findings(segment)) is is_told


@pytest.mark.parametrize(
    ("conditions", "is_told"),
    [
        (["output.a == 1", "output.a == 2"], True),
        (["output.a > 1", "output.b"], True),
        (["output.a > 1", "output.a <= 1"], False),
        (["output.ok", "not output.ok"], False),
        (["output.a == 1", "else"], False),
        (["output.a == 1"], False),
    ],
)
def test_says_where_it_may_be_that_no_branch_is_taken(conditions: list[str], is_told: bool):
    edges = [f"a -> {target} ? {condition}" for target, condition in zip("bc", conditions, strict=False)]
    steps: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    assert ("NO_ELSE" in findings(document(steps, edges))) is is_told


@pytest.mark.parametrize(("name", "config", "edges"), TOGETHER)
def test_takes_edges_that_may_fire_at_once_for_a_fan_out(name: str, config: Any, edges: list[str]):
    segment = document({name: config, "b": {}, "c": {}}, edges, params={})
    assert "IMPLICIT_FAN_OUT" in findings(segment)
    assert "IMPLICIT_FAN_OUT" not in findings({**segment, "params": {"parallel_execution": True}})


def test_a_split_is_an_explicit_fan_out():
    split = document({"a:parallel_split": {}, "b": {}, "c": {}}, ["a.branch_1 -> b", "a.branch_2 -> c"], params={})
    assert judged(split) == []


@pytest.mark.parametrize(
    "further_up",
    [
        (["s:parallel_split", {"items": "input"}], ["s.branch_1 -> a", "a -> j"]),
        (["s:condition", DECIDE], ["s.true -> a", "s.false -> a", "a -> j"]),
        (["s:condition", DECIDE], ["s.true -> a", "a -> s ? output.again", "a -> j ? else"]),
    ],
)
def test_a_quorum_is_in_reach_when_more_tokens_than_edges_may_come(further_up: Any):
    (name, config), edges = further_up
    quorum = {"merge_strategy": "quorum", "count": 3}
    assert judged(document({name: config, "a": {}, "j:parallel_join": quorum}, edges), "error") == []
    plain = document({"s": {}, "a": {}, "j:parallel_join": quorum}, ["s -> a", "a -> j"])
    assert judged(plain, "error") == [("JOIN_NEVER_FIRES", "/steps/2/config/count")]


def test_a_quorum_is_not_judged_without_an_entrypoint():
    lost = document({"a": {}, "j:parallel_join": {"merge_strategy": "quorum", "count": 2}}, ["a -> j"], entrypoint="b")
    assert judged(lost) == [("INVALID_ENTRYPOINT", "/entrypoint")]


def test_branches_of_a_condition_that_meet_again_are_no_double_merge():
    either = document(
        {"a:condition": DECIDE, "b": {}, "c": {}, "d": {}}, ["a.true -> b", "a.false -> c", "b -> d", "c -> d"]
    )
    assert judged(either) == []


def test_branches_into_ports_of_their_own_are_no_double_merge():
    gathered = document({"a": {}, "b": {}, "c": {}, "d": {}}, ["a -> b", "a -> c", "b -> d.left", "c -> d.right"])
    assert judged(gathered) == []


def test_a_merge_behind_a_join_is_no_double_merge():
    behind = document(
        {"a": {}, "b": {}, "c": {}, "j:parallel_join": {}, "k:condition": DECIDE, "d": {}},
        ["a -> b", "a -> c", "b -> j", "c -> j", "j -> k", "k.true -> d", "k.false -> d"],
    )
    assert judged(behind) == []


def test_a_loop_may_end_at_a_decision_with_an_open_port():
    reviewed = document({"a": {}, "b:human_task": APPROVE}, ["a -> b", "b.rejected -> a"])
    assert judged(reviewed) == []
    stuck = document(
        {"a": {}, "b:human_task": APPROVE}, ["a -> b", "b.rejected -> a", "b.approved -> a", "b.modified -> a"]
    )
    assert judged(stuck) == [("UNBOUNDED_LOOP", "/steps/0")]
    conditional = document({"a": {}, "b": {}}, ["a -> b", "b -> a ? output.again"])
    assert judged(conditional) == []


def test_a_loop_no_step_of_which_is_reached_is_not_judged():
    apart = document({"a": {}, "b": {}, "c": {}}, ["b -> c", "c -> b"])
    assert judged(apart) == [("UNREACHABLE_STEP", "/steps/1"), ("UNREACHABLE_STEP", "/steps/2")]


def test_expressions_of_unreachable_steps_are_not_judged_by_the_way_to_them():
    apart = document({"a": {}, "b": {"expression": "steps.a.output"}})
    assert judged(apart) == [("UNREACHABLE_STEP", "/steps/1")]


FAN = {"a": {}, "b": {}, "c": {}, "d": {}, "j:parallel_join": {}}


@pytest.mark.parametrize(
    ("steps", "edges"),
    [
        (FAN, ["a -> b", "a -> c", "b -> j", "c -> j", "j -> d"]),
        ({**FAN, "k:parallel_join": {}}, ["a -> b", "a -> c", "a -> d", "b -> j", "c -> j", "j -> k", "d -> k"]),
        ({**FAN, "a:parallel_split": {}}, ["a.branch_1 -> b", "a.branch_2 -> c", "b -> d", "c -> d", "d -> j"]),
        ({**FAN, "a:condition": DECIDE}, ["a.true -> b", "a.false -> c", "b -> d", "c -> d", "d -> j"]),
        (FAN, ["a -> b", "a -> c", "b -> j", "j -> d"]),
        ({**FAN, "k:parallel_join": {}}, ["a -> b", "a -> c", "b -> d", "c -> d", "d -> j", "j -> k", "a -> k"]),
        ({**FAN, "a:parallel_split": {}}, ["a.branch_1 -> b", "a.branch_2 -> c", "c -> j", "c -> j", "j -> d"]),
        (
            {"e:condition": DECIDE, **FAN, "k:parallel_join": {}},
            ["e.true -> j", "e.false -> a", "a -> b", "a -> c", "b -> j", "c -> k", "j -> k"],
        ),
    ],
)
def test_a_join_that_closes_its_fan_out_or_is_closed_behind_fires_once(steps: Any, edges: list[str]):
    assert "JOIN_FIRES_AGAIN" not in findings(document(steps, edges))


@pytest.mark.parametrize(
    ("steps", "edges"),
    [
        (FAN, ["a -> b", "a -> c", "b -> d", "c -> d", "d -> j"]),
        (
            {"e:condition": DECIDE, **FAN},
            ["e.true -> d", "e.false -> a", "a -> b", "a -> c", "b -> d", "c -> d", "d -> j"],
        ),
        (
            {**FAN, "k:parallel_join": {}, "m": {}},
            ["a -> b", "a -> c", "a -> d", "b -> k", "c -> k", "k -> m", "d -> m", "m -> j"],
        ),
        (
            {**FAN, "s:parallel_split": {"items": "input"}, "t:parallel_split": {}},
            ["a -> s", "s.branch_1 -> t", "t.branch_1 -> b", "t.branch_2 -> c", "b -> j", "c -> j"],
        ),
    ],
)
def test_warns_of_a_join_to_which_branches_come_one_by_one(steps: Any, edges: list[str]):
    found = findings(document(steps, edges))
    assert found["JOIN_FIRES_AGAIN"].severity == "warning"
    assert found["JOIN_FIRES_AGAIN"].step_id == "j"


def test_a_condition_behind_a_split_over_items_chooses_no_items() -> None:
    edges = ["each.branch_1 -> b ? output == 'q'", "each.branch_2 -> c"]
    whole = document({"each:parallel_split": {"branches": 2}, "b": {}, "c": {}}, edges)
    items = document({"each:parallel_split": {"branches": 2, "items": "['p', 'q']"}, "b": {}, "c": {}}, edges)
    assert "CONDITION_ON_ITEMS" not in findings(whole)
    assert findings(items)["CONDITION_ON_ITEMS"].pointer == "/edges/0/condition"
