"""Before each call room is asked for what it may take at most; no call outlives its attempt."""

import time
from decimal import Decimal

import pytest

from examples.model_server import Reply
from runs.step_api.base import Budget
from tests.support.agent_bench import PRICE, AgentBench

SCHEMA = {"type": "object", "required": ["a"]}


async def test_each_call_asks_for_room_first(bench: AgentBench) -> None:
    bench.context.prices["m-1"] = PRICE
    bench.says("{}", '{"a": 1}')
    await bench.ask(prompt="x" * 400, response_schema=SCHEMA, max_tokens=50)
    first, second = bench.holds
    assert 150 < first.tokens < second.tokens, "prompt and longest answer; the second prompt is longer"
    assert first.cost == PRICE.cost_of(input_tokens=first.tokens - 50, output_tokens=50)


async def test_without_a_price_the_cost_is_unknown(bench: AgentBench) -> None:
    await bench.ask(prompt="x")
    assert (bench.holds[0].cost, bench.holds[0].step_budget) == (None, None)


@pytest.mark.parametrize(
    ("budget", "held"),
    [
        ({"tokens": 5000}, Budget(5000, None)),
        ({"cost": 0.05}, Budget(None, Decimal("0.05"))),
        ({"tokens": 9, "cost": 2}, Budget(9, Decimal(2))),
        ({}, None),
    ],
)
async def test_the_step_s_budget_is_asked_with(
    bench: AgentBench, budget: dict[str, float], held: Budget | None
) -> None:
    await bench.ask(prompt="x", budget=budget)
    assert bench.holds[0].step_budget == held


async def test_without_room_nothing_is_asked(bench: AgentBench) -> None:
    bench.context.prices["m-1"] = PRICE
    bench.room = 0
    assert (await bench.fail(prompt="x")).code == "BUDGET_EXCEEDED"
    assert bench.asked == []


async def test_a_call_ends_with_its_attempt(bench: AgentBench) -> None:
    bench.says(Reply("late", latency_seconds=5))
    bench.seconds = 0.3
    began = time.monotonic()
    failure = await bench.fail(prompt="x")
    assert (failure.code, failure.retryable) == ("LLM_TIMED_OUT", True)
    assert time.monotonic() - began < 2


async def test_a_call_ends_with_its_connection_s_time(bench: AgentBench) -> None:
    bench.says(Reply("late", latency_seconds=5))
    bench.model("main", timeout_seconds=0.3)
    assert (await bench.fail(prompt="x")).code == "LLM_TIMED_OUT"
