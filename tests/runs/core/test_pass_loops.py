"""What the passes of a loop send comes in the order of the passes, and a list is folded item by item."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from kernel.types import Json
from runs.core import Event, EventType
from runs.steps.registry import registry
from tests.support.core_runs import run_in_core
from tests.support.simulation import InOrder

ORDERS = 12


def document(steps: dict[str, dict[str, Any]], edges: Sequence[str]) -> dict[str, Any]:
    """A segment of transforms unless told otherwise; an edge as ``a.port -> b:port ? condition``."""
    found = []
    for text in edges:
        ends, _, condition = text.partition("?")
        (source, _, port), (target, _, target_port) = (
            end.strip().partition(mark) for end, mark in zip(ends.split("->"), ".:", strict=True)
        )
        written = {"from_port": port, "to_port": target_port, "condition": condition.strip()}
        found.append({"from": source, "to": target, **{key: value for key, value in written.items() if value}})
    return {
        "version": "1.0",
        "segment_id": "passes",
        "name": "Passes",
        "entrypoint": "start",
        "params": {"max_retries": 0},
        "steps": [{"step_id": name, "name": name, "type": "transform", **facts} for name, facts in steps.items()],
        "edges": found,
    }


def text(expression: str) -> dict[str, Any]:
    return {"config": {"expression": expression}}


JOIN: dict[str, Any] = {"type": "parallel_join", "config": {}}
TWICE = {
    "start": text("input"),
    "a": text("'a'"),
    "b": text("'b'"),
    "c": text("'c'"),
    "inner": JOIN,
    "check": {"type": "condition", "config": {"expression": "len(input) > 1"}},
    "fix": text("'fixed'"),
}
LOOP = [
    "start -> a",
    "start -> b",
    "start -> c",
    "a -> inner",
    "b -> inner",
    "inner -> check",
    "check.true -> fix",
    "fix -> inner",
]


def outputs(segment: dict[str, Any]) -> list[Json]:
    orders: list[Random] = [InOrder(), *(Random(seed) for seed in range(ORDERS))]
    return [run_in_core(segment, registry(), None, order).state.output() for order in orders]


def test_a_join_lists_what_the_passes_of_an_inner_loop_sent_in_their_order() -> None:
    steps = {**TWICE, "slow": text("input"), "log": text("'log ' + str(input)"), "outer": JOIN}
    edges = [*LOOP, "inner -> slow", "slow -> log", "log -> outer", "check.false -> outer", "c -> outer"]
    for output in outputs(document(steps, edges)):
        assert output == ['log ["a","b"]', 'log ["fixed"]', ["fixed"], "c"]


def test_ports_pair_what_the_same_pass_of_an_inner_loop_sent() -> None:
    pair = {
        **text("inputs.left + ' ' + inputs.right"),
        "ports": {"input": ["left", "right", "cfg"], "output": ["output"]},
    }
    steps = {**TWICE, "slow": text("input"), "l": text("'l' + str(len(input))"), "r": text("'r' + str(len(input))")}
    edges = [*LOOP, "inner -> slow", "slow -> l", "inner -> r", "l -> pair:left", "r -> pair:right", "c -> pair:cfg"]
    for output in outputs(document({**steps, "pair": pair, "all": JOIN}, [*edges, "pair -> all", "c -> all"])):
        assert output == ["l2 r2", "l1 r1", "c"]


def values_of(segment: dict[str, Any], step_id: str) -> list[list[Json]]:
    """What each activation of a step gave, for each order of finishing, put in order: which ends last is not told."""
    orders: list[Random] = [InOrder(), *(Random(seed) for seed in range(ORDERS))]
    journals = [run_in_core(segment, registry(), None, order).journal for order in orders]
    return [sorted(map(_output, _completions(journal, step_id)), key=str) for journal in journals]


def _completions(journal: Sequence[Event], step_id: str) -> list[Event]:
    return [event for event in journal if event.type is EventType.STEP_COMPLETED and event.step_id == step_id]


def _output(event: Event) -> Json:
    ports: Any = event.payload["ports"]
    return ports["output"]


def test_a_join_behind_a_step_that_sends_one_token_takes_each_pass_apart() -> None:
    steps = {"start": text("'a'"), "loop": JOIN, "again": text("input"), "one": JOIN, "two": JOIN}
    edges = ["start -> loop", "again -> loop", "loop -> again ? len(str(output)) < 6", "loop -> one", "one -> two"]
    for values in values_of(document(steps, edges), "two"):
        assert values == [[[["a"]]], [[[["a"]]]]]


def test_a_join_behind_a_condition_in_a_loop_takes_each_pass_apart() -> None:
    steps = {
        "start": text("'a'"),
        "loop": JOIN,
        "check": {"type": "condition", "config": {"expression": "len(str(input)) > 5"}},
        "work": text("input"),
        "last": text("input"),
        "all": JOIN,
    }
    edges = ["start -> loop", "loop -> check", "check.true -> all", "check.false -> work"]
    edges += ["work -> loop ? len(str(output)) < 20", "work -> last", "last -> all"]
    for values in values_of(document(steps, edges), "all"):
        assert values == [[["a"]], [[["a"]]]]


def starts_of(segment: dict[str, Any]) -> list[Counter[str]]:
    """How often each step ended, for each order of finishing."""
    orders: list[Random] = [InOrder(), *(Random(seed) for seed in range(ORDERS))]
    journals = [run_in_core(segment, registry(), "go", order).journal for order in orders]
    return [
        Counter(str(one.step_id) for one in journal if one.type is EventType.STEP_COMPLETED) for journal in journals
    ]


TWO_ITEMS: dict[str, Any] = {"type": "parallel_split", "config": {"items": "[str(input) + 'p', str(input) + 'q']"}}
AGAIN = {"type": "condition", "config": {"expression": "len(str(input).replace('\"', '')) < 70"}}


def test_what_a_join_gathers_of_later_passes_meets_what_waits_beside_it() -> None:
    fan: dict[str, Any] = {"type": "parallel_split", "config": {}}
    pairs = {**TWO_ITEMS, "ports": {"input": ["l", "r"], "output": ["branch_1"]}}
    steps = {"start": text("input"), "fan": fan, "inner": JOIN, "pairs": pairs, "check": AGAIN}
    edges = ["start -> fan", "fan.branch_1 -> inner", "fan.branch_2 -> pairs:r", "inner -> pairs:l"]
    for starts in starts_of(document(steps, [*edges, "pairs.branch_1 -> check", "check.true -> fan"])):
        assert starts == {"start": 1, "fan": 3, "inner": 2, "pairs": 3, "check": 6}


def test_a_join_behind_a_step_that_starts_many_times_waits_for_all_its_starts() -> None:
    head = {**text("str(inputs)"), "ports": {"input": ["init", "again"], "output": ["output"]}}
    fan: dict[str, Any] = {"type": "parallel_split", "config": {}}
    steps = {"start": text("input"), "other": text("input"), "head": head, "fan": fan, "last": JOIN, "items": TWO_ITEMS}
    edges = ["start -> other", "start -> head:init", "head -> fan", "fan.branch_1 -> last", "fan.branch_2 -> items"]
    edges += ["items.branch_1 -> check", "check.true -> head:again"]
    for starts in starts_of(document({**steps, "check": AGAIN}, edges)):
        assert starts["head"] > 3
        assert starts["last"] == 1


@pytest.mark.parametrize("has_join_behind", [False, True])
@pytest.mark.parametrize("is_items", [False, True])
def test_a_list_is_folded_item_by_item_whatever_stands_behind(is_items: bool, has_join_behind: bool) -> None:
    fold = {**text("inputs.acc + inputs['item']"), "ports": {"input": ["item", "acc"], "output": ["output"]}}
    steps: dict[str, dict[str, Any]] = {"start": text("input"), "init": text("''"), "fold": fold}
    edges = [
        "start -> init",
        "init -> fold:acc",
        "fold -> back ? len(output) < 3",
        "back -> fold:acc",
        "fold -> last ? else",
    ]
    if is_items:
        steps["each"] = {"type": "parallel_split", "config": {"items": "['p', 'q', 'r']"}}
        edges += ["start -> each", "each -> fold:item"]
    else:
        steps |= {name: text(f"'{name}'") for name in "pqr"}
        edges += [edge for name in "pqr" for edge in (f"start -> {name}", f"{name} -> fold:item")]
    steps |= {"back": text("input"), "last": text("input")}
    if has_join_behind:
        steps["all"] = JOIN
        edges += ["last -> all", "start -> all"]
    for output in outputs(document(steps, edges)):
        assert (output[0] if isinstance(output, list) else output) == "pqr"
