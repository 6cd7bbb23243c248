"""When a model fails, those behind it are asked in turn, on the occasions they name."""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from examples.model_server import Call, Problem, Reply
from runs.step_api.base import Price
from tests.support.agent_bench import PRICE, AgentBench, closed, wants
from tests.support.http_server import Answer

REFUND = {
    "name": "refund",
    "client_ref": "shop",
    "method": "POST",
    "path": "/orders/{no}/refunds",
    "parameters": {"type": "object", "required": ["no"], "properties": {"no": {"type": "string"}}},
}
CHEAP = Price(Decimal(1), Decimal(1))


@pytest.fixture(autouse=True)
def models(bench: AgentBench) -> None:
    bench.model("second", "anthropic", model="m-2")
    bench.model("third", model="m-3")


def asked(bench: AgentBench) -> list[str]:
    return [one.model for one in bench.asked]


@pytest.mark.parametrize("kind", ["unauthorised", "model_unknown", "rate_limited", "server_error", "context_too_long"])
async def test_the_next_is_asked_whatever_the_failure(bench: AgentBench, kind: Any) -> None:
    bench.by_model(m_1=Problem(kind), m_2="I can.")
    assert await bench.ask(prompt="x", fallback=["second", "third"]) == "I can."
    assert asked(bench) == ["m-1", "m-2"]
    assert [used.model for used in bench.usage] == ["m-2"]


async def test_a_fallback_may_name_its_model(bench: AgentBench) -> None:
    bench.by_model(m_1=Problem("server_error"), m_9="I can.")
    assert await bench.ask(prompt="x", fallback=[{"llm_ref": "main", "model": "m-9"}]) == "I can."


async def test_a_failure_is_told_with_all_that_was_tried(bench: AgentBench) -> None:
    bench.by_model(m_1=Problem("unauthorised"), m_2=Problem("server_error"))
    failure = await bench.fail(prompt="x", fallback=["nobody", "second"])
    assert (failure.code, failure.retryable) == ("LLM_SERVER_ERROR", True)
    assert failure.details["tried"] == [
        {"llm_ref": "main", "model": None, "code": "LLM_AUTH_FAILED"},
        {"llm_ref": "nobody", "model": None, "code": "CONNECTION_UNKNOWN"},
        {"llm_ref": "second", "model": None, "code": "LLM_SERVER_ERROR"},
    ]
    bench.by_model(m_1=Problem("server_error"), m_2=Problem("unauthorised"))
    failure = await bench.fail(prompt="x", fallback=["second"])
    assert (failure.code, failure.retryable) == ("LLM_SERVER_ERROR", True), "a wrong key takes no chance away"


async def test_what_is_heard_of_each_model_is_a_text_of_its_own(bench: AgentBench) -> None:
    bench.by_model(m_1="no JSON", m_2='{"answer": 1}')
    schema = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "integer"}}}
    assert await bench.ask(prompt="x", response_schema=schema, fallback=["second"]) == {"answer": 1}
    texts = ["".join(text) for text in bench.texts if text]
    assert texts == ["no JSON", "no JSON", '{"answer": 1}'], "and so is one that is asked for again"


async def test_without_one_the_failure_is_the_model_s_own(bench: AgentBench) -> None:
    bench.by_model(m_1=Problem("unauthorised"))
    failure = await bench.fail(prompt="x")
    assert (failure.code, "tried" in failure.details) == ("LLM_AUTH_FAILED", False)


async def test_a_reply_that_does_not_fit_is_a_failure_and_costs(bench: AgentBench) -> None:
    bench.by_model(m_1="no JSON", m_2='{"answer": 1}')
    schema = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "integer"}}}
    assert await bench.ask(prompt="x", response_schema=schema, fallback=["second"]) == {"answer": 1}
    assert len(bench.usage) == 3
    assert "no JSON" not in str(bench.asked[-1].body), "the other's words are its own"


async def test_one_that_takes_over_repeats_no_tool(bench: AgentBench) -> None:
    bench.tool_connection("shop")
    bench.tools.route("POST", "/api/orders/*", Answer(body={"refunded": True}))
    turns = iter([wants("refund", no="7"), Problem("server_error")])
    bench.server.script = lambda one: next(turns) if one.model == "m-1" else Reply("Refunded.")
    assert await bench.ask(prompt="Refund 7", tools=[REFUND], fallback=["second"]) == "Refunded."
    assert len(bench.tools.calls) == 1
    assert "refunded" in str(bench.asked[-1].answers), "it reads what was done"


@pytest.mark.parametrize(
    ("fallback", "code"),
    [
        (["second"], "BUDGET_EXCEEDED"),
        ([{"llm_ref": "second", "on": ["budget"]}], None),
        (["third", {"llm_ref": "second", "on": ["error", "budget"]}], None),
    ],
)
async def test_over_budget_those_are_asked_that_say_so(
    bench: AgentBench, fallback: list[Any], code: str | None
) -> None:
    bench.context.prices = {"m-1": PRICE, "m-2": CHEAP, "m-3": CHEAP}
    bench.room = 1
    bench.by_model(m_1="dear", m_2="cheap", m_3="cheap")
    if code is None:
        assert await bench.ask(prompt="x", fallback=fallback) == "cheap"
        assert asked(bench) == ["m-2"]
    else:
        assert (await bench.fail(prompt="x", fallback=fallback)).code == code
        assert asked(bench) == []


async def test_one_for_budgets_only_is_not_asked_after_a_failure(bench: AgentBench) -> None:
    bench.by_model(m_1=Problem("server_error"), m_2="cheap")
    failure = await bench.fail(prompt="x", fallback=[{"llm_ref": "second", "on": ["budget"]}])
    assert failure.code == "LLM_SERVER_ERROR"


async def test_a_closed_gate_leads_to_the_next(bench: AgentBench) -> None:
    bench.gates.append(closed("main"))
    bench.by_model(m_2="I can.")
    assert await bench.ask(prompt="x", fallback=["second"]) == "I can."
    assert asked(bench) == ["m-2"]


async def test_the_step_is_put_off_where_it_would_be_without_and_until_the_first_may_be_asked(
    bench: AgentBench,
) -> None:
    bench.gates.append(closed("main", "second", seconds={"main": 60, "second": 20}))
    put_off = await bench.put_off(prompt="x", fallback=["second"])
    assert (put_off.reason, put_off.until.second) == ("circuit", 20)
    for kind in ("unauthorised", "server_error"):
        bench.by_model(m_3=Problem(kind))  # type: ignore[arg-type]
        put_off = await bench.put_off(prompt="x", fallback=["second", "third"])
        assert (put_off.reason, put_off.until.second) == ("circuit", 20)


async def test_what_was_paid_for_is_not_paid_again_for_every_wait(bench: AgentBench) -> None:
    bench.gates.append(closed("main"))
    bench.by_model(m_3=Reply("Once upon a", finish="length"))
    failure = await bench.fail(prompt="x", fallback=["third"])
    assert [one["code"] for one in failure.details["tried"]] == ["CIRCUIT", "LLM_REPLY_CUT"]  # type: ignore[index,union-attr,call-overload]
    assert (failure.code, failure.retryable) == ("LLM_REPLY_CUT", True), "an attempt for each wait"
    assert failure.retry_after_seconds


def takes_over(bench: AgentBench, first: Sequence[Reply], second: Sequence[Reply], failing: Reply | Problem) -> None:
    """Have the first model ask for tools and fail, and another take over."""
    bench.tool_connection("shop")
    bench.tools.route("POST", "/api/orders/7/refunds", Answer(201, {"number": 1}))
    bench.tools.route("POST", "/api/orders/8/refunds", Answer(201, {"number": 2}))
    said: dict[str, Iterator[Reply | Problem]] = {
        "m-1": iter([*first, failing]),
        "m-2": iter(second),
        "m-3": iter(second),
    }
    bench.server.script = lambda asked: next(said[asked.model])


SEVEN, EIGHT = wants("refund", "functions.refund:0", no="7"), wants("refund", "x/y", no="8")
TWICE = Reply(calls=(*SEVEN.calls, Call("refund", {"no": "7"}, "functions.refund:1")), finish="tool_calls")
DONE = Reply("Done.")


@pytest.mark.parametrize("failing", [Problem("server_error"), Reply("p", finish="length")], ids=["fails", "is cut"])
@pytest.mark.parametrize("ref", ["second", "third"])
@pytest.mark.parametrize(
    "story",
    [([SEVEN], [SEVEN, DONE], "7"), ([TWICE], [TWICE, DONE], "77"), ([SEVEN], [EIGHT, DONE], "78")],
    ids=["the same", "twice the same", "another"],
)
async def test_what_was_done_is_not_done_again_by_one_that_takes_over(
    bench: AgentBench, story: tuple[list[Reply], list[Reply], str], ref: str, failing: Reply | Problem
) -> None:
    """Only another call is made; of the same the model reads that it was."""
    first, second, made = story
    takes_over(bench, first, second, failing)
    assert await bench.ask(prompt="x", tools=[REFUND], fallback=[ref]) == "Done."
    assert "".join(call.path.split("/")[3] for call in bench.tools.calls) == made
    answers = [json.loads(text) for text in bench.asked[-1].answers.values()]
    again = [answer for answer in answers if "already_made" in answer]
    assert [answer["answer"]["status"] for answer in again] == ([] if "8" in made else [201] * len(made))


@pytest.mark.parametrize("ref", ["second", "third"])
async def test_ids_of_calls_are_such_as_the_next_service_takes(bench: AgentBench, ref: str) -> None:
    takes_over(bench, [TWICE], [DONE], Problem("server_error"))
    assert await bench.ask(prompt="x", tools=[REFUND], fallback=[ref]) == "Done."
    assert set(bench.asked[1].answers) == {"functions.refund:0", "functions.refund:1"}, "its own service knows them"
    ids = list(bench.asked[-1].answers)
    assert len(ids) == 2
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", one) for one in ids)
