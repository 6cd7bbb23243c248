"""Pure work gives the same whether it is done here or in another process, and is bounded here without giving less."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from kernel.errors import LlmteamError
from kernel.json_text import JsonOrText, JsonText
from kernel.types import Json
from kernel.values import MAX_VALUE_BYTES, ValueTooLarge
from runs.core.scope import Scope
from runs.core.state import Activation
from runs.engine.compute import _packed, compute
from runs.step_api.base import Found, with_names
from runs.work.errors import error_facts, read_error
from runs.work.functions import FUNCTIONS
from runs.work.process import do_work
from segments.expressions import AccountEmpty, ExpressionError, FuelAccount, LimitPassed
from segments.expressions.limits import FUEL
from tests.support.graphs import drawn
from tests.support.simulation import play

CASES = json.loads((Path(__file__).parents[2] / "cases" / "expressions.json").read_text())
CONTEXT = CASES["contexts"]["default"]
OF_CASES = [case["expr"] for kind in ("benign", "attacks") for case in CASES[kind] if "expr" in case]
OF_RUNS = [
    "input", "inputs", "input.n + n", "item.sku", "index", "item", "run.input.order.total", "run.id", "run.nothing",
    "steps.first.output.n", "steps['first'].output", 'steps["first"].output', "get(steps, 'first.output.n')",
    "steps.second", "steps.frist.output", "steps[run.input.s]", "keys(steps)", "steps", "len(steps)", "nowhere", "itme",
    "sum(x for x in items)", "{'a': steps?.first?.output?.n ?? 0}", "steps.first.output ?? 1", "'steps'",
]  # fmt: skip
CALLS: list[tuple[str, dict[str, Any]]] = [
    *[("value", {"source": source}) for source in (*OF_CASES, *OF_RUNS)],
    ("expression", {"source": "nowhere", "default": {"a": 1}}),
    ("expression", {"source": "order.nothing", "default": None}),
    ("mapping", {"mapping": {"a": "n", "b": ["n + 1", {"c": "s"}], "d": 4, "e": "null"}, "default": {"e": "instead"}}),
    ("mapping", {"mapping": {"a": ["n", "nowhere"]}, "default": None}),
    ("mapping", {"mapping": {"a": "[" * 29 + "n" + "]" * 29}, "default": None}),
    ("condition", {"source": "n", "operator": "gt", "value": 3}),
    ("condition", {"source": "items", "operator": "contains", "value": "2"}),
    ("condition", {"source": "user", "operator": "lt", "value": 3}),
    ("condition", {"source": "n > 100", "operator": None, "value": None}),
    ("condition", {"source": "n > 'x'", "operator": None, "value": None}),
    ("config", {"kinds": {"url": "template", "q": "expression"}, "config": {"url": "/{{ n }}", "q": "n", "x": "{{"}}),
    ("config", {"kinds": {"url": "template"}, "config": {"url": ["a {{ n }}", {"deep": "{{ nowhere }}"}]}}),
    ("config", {"kinds": {"text": "prompt"}, "config": {"text": "{s} and {unknown} {{ items }}"}}),
    ("prompt", {"text": "{s}: {{ user.name }}"}),
    ("prompt", {"text": "{{ user.surname }}"}),
    (
        "conditions",
        {
            "step_id": "second", "own": {"output": 0, "status": 2}, "values": [{"x": 1}, [1, 2], 201],
            "edges": [
                (3, 0, "output.x == 1"), (4, 1, "output[5]"), (5, 1, "steps.second.output.x == 1"),
                (6, 1, "steps.second.status == 201"), (7, 1, "steps.second.headers"),
            ],
        },
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def scope() -> Scope:
    """The names of a step behind two others, for one item of a list."""
    found: list[Scope] = []

    def look(_activation: Activation, scope: Scope) -> Mapping[str, Json]:
        found.append(scope)
        return {"output": CONTEXT}

    drawing = """
    first work
    other work
    split parallel_split items=input output=branch_1
    second work
    first -> other
    other -> split
    split.branch_1 -> second ? steps.first and steps.other
    """
    item = {**CONTEXT, "sku": "x"}
    answers = {"first": lambda _a, _s: {"output": CONTEXT}, "other": lambda _a, _s: {"output": [item]}, "second": look}
    play(drawn(drawing), answers, run_input=CONTEXT)
    return found[-1]


def here(function: str, arguments: dict[str, Any], scope: Scope, found: dict[str, Json] | None = None) -> Any:
    try:
        return FUNCTIONS[function](arguments, with_names(scope, found), FuelAccount())
    except (ExpressionError, LlmteamError) as error:
        return type(error), error_facts(error)


async def there(function: str, arguments: dict[str, Any], scope: Scope, found: Found | None = None) -> Any:
    answer = orjson.loads(do_work(await _packed(function, arguments, scope, found)))
    if "error" in answer:
        error = read_error(answer["error"])
        return type(error), error_facts(error)
    return answer["value"]


@pytest.mark.parametrize(("function", "arguments"), CALLS, ids=lambda value: str(value)[:60])
async def test_the_same_here_and_in_another_process(function: str, arguments: dict[str, Any], scope: Scope) -> None:
    assert await there(function, arguments, scope) == here(function, arguments, scope)


async def test_names_that_a_step_found_go_along(scope: Scope) -> None:
    source = {"source": "[response.ok, status, n, s]"}
    found: dict[str, Json] = {"response": {"ok": True}, "status": 200, "n": "found"}
    assert (
        await there("value", source, scope, found)
        == here("value", source, scope, found)
        == [True, 200, "found", "hello"]
    )


async def test_a_large_text_goes_along_as_the_value_it_is(scope: Scope) -> None:
    found: dict[str, JsonOrText] = {"response": JsonText(b'{"rows":[1,2,"x"]}'), "status": 200}
    source = {"source": "[response.rows[2], status, input.s]"}
    assert await there("value", source, scope, found) == ["x", 200, "hello"]


async def test_of_other_steps_only_those_named_go_along(scope: Scope) -> None:
    async def carried(source: str) -> Any:
        return orjson.loads(await _packed("value", {"source": source}, scope, None))["scope"].get("steps")

    everything = await carried("keys(steps)")
    assert set(everything) == {"first", "other"}
    assert await carried("steps.first.output.n") == {"first": everything["first"], "other": {}}
    assert await carried('get(steps, "other.output")') == {"first": {}, "other": everything["other"]}
    assert await carried("steps[item.sku].output") == everything
    assert await carried("input.n") is None


async def test_the_pool_of_this_process_knows_the_work(scope: Scope) -> None:
    assert await compute("acme", "value", {"source": "item.sku"}, scope, None) == "x"
    with pytest.raises(ExpressionError, match="nowhere"):
        await compute("acme", "value", {"source": "nowhere"}, scope, None)


@pytest.mark.parametrize("count", [12, 60])
async def test_what_gives_too_much_is_refused(scope: Scope, count: int) -> None:
    fields = {f"f{number}": "'x' * 90000" for number in range(count)}
    kind, error = await there("mapping", {"mapping": fields, "default": None}, scope)
    assert (kind, error["code"]) == (ValueTooLarge, "VALUE_TOO_LARGE")
    assert "at most 1048576 are kept" in error["message"]
    assert error["extra"]["size"] > error["extra"]["limit"] == MAX_VALUE_BYTES
    within = {name: fields[name] for name in list(fields)[:11]}
    assert len(await there("mapping", {"mapping": within, "default": None}, scope)) == 11


def spend_all(account: FuelAccount, scope: Scope) -> int:
    """Evaluate until the account is empty, and count."""
    for done in itertools.count():
        try:
            account.value_of("sum(x for x in items)", scope)
        except AccountEmpty:
            return done
    raise AssertionError


def test_an_account_is_drawn_on_by_all_its_work_together(scope: Scope) -> None:
    spend_all(FuelAccount(200), scope)  # the expression is remembered from here on
    few, many = spend_all(FuelAccount(200), scope), spend_all(FuelAccount(2_000), scope)
    assert 1 < few < many / 8


def test_of_two_accounts_the_smaller_decides_and_both_pay(scope: Scope) -> None:
    both = FuelAccount(1_500)
    spend_all(FuelAccount(500), scope)  # the expression is remembered from here on
    first, second, third, fourth = (spend_all(FuelAccount(500, part_of=both), scope) for _ in range(4))
    assert first == second > fourth == 0
    assert third > 0
    assert both.left <= 0


def test_an_account_never_makes_an_error_of_an_expression(scope: Scope) -> None:
    heavy = "sum(sum(x * y for y in range(300)) for x in range(300))"
    for units in (1, 100, 10_000, FUEL - 1):
        with pytest.raises(AccountEmpty):
            FuelAccount(units).value_of(heavy, scope)
    with pytest.raises(LimitPassed):
        FuelAccount(FUEL).value_of(heavy, scope)


def test_reading_what_is_not_remembered_is_charged_for(scope: Scope) -> None:
    account = FuelAccount(10_000)
    account.value_of("n + 1234567", scope)
    read = 10_000 - account.left
    account.value_of("n + 1234567", scope)
    assert 10_000 - account.left - read < read / 10
