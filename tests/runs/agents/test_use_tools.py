"""A model may call what its step allows, through connections that allow it; arguments stay in their places."""

import json
from typing import Any

import pytest

from examples.model_server import Asked, Call, Reply
from runs.agents.conversation import MAX_CALLS, MAX_ROUNDS
from runs.agents.tools import MAX_RESULT_BYTES
from tests.support.agent_bench import AgentBench, closed, wants
from tests.support.gates import Window
from tests.support.http_server import Answer

LOOK_UP: dict[str, Any] = {
    "name": "look_up",
    "description": "Find an order",
    "client_ref": "shop",
    "path": "/orders/{no}",
    "parameters": {
        "type": "object",
        "required": ["no"],
        "properties": {"no": {"type": "string"}, "full": {"type": "boolean"}},
    },
}
REFUND = {**LOOK_UP, "name": "refund", "method": "POST", "path": "/orders/{no}/refunds"}


@pytest.fixture(autouse=True)
def shop(bench: AgentBench) -> None:
    bench.tool_connection("shop")
    bench.tools.route("GET", "/api/orders/*", Answer(body={"total": 12}))
    bench.tools.route("POST", "/api/orders/*", Answer(status=201, body={"refunded": True}))


def told(asked: Asked) -> list[Any]:
    """What tools answered, as the model reads it."""
    return [json.loads(text) for text in asked.answers.values()]


async def test_the_answer_of_a_tool_goes_back_to_the_model(either: AgentBench) -> None:
    either.says(wants("look_up", no="A 7", full=True), "It costs 12.")
    assert await either.ask(prompt="What does A 7 cost?", tools=[LOOK_UP]) == "It costs 12."
    (call,) = either.tools.calls
    assert (call.method, call.target) == ("GET", "/api/orders/A%207?full=true")
    assert either.asked[0].tools == ("look_up",)
    assert told(either.asked[1]) == [{"status": 200, "response": {"total": 12}}]
    assert len(either.usage) == 2


async def test_arguments_beside_the_path_of_a_post_are_its_body(bench: AgentBench) -> None:
    bench.says(wants("refund", no="7", full=False), "Done.")
    await bench.ask(prompt="x", tools=[REFUND])
    (call,) = bench.tools.calls
    assert (call.target, call.json()) == ("/api/orders/7/refunds", {"full": False})


async def test_each_call_is_journalled_with_its_key(bench: AgentBench) -> None:
    bench.says(wants("look_up", no="7"), "Done.")
    await bench.ask(prompt="x", tools=[LOOK_UP])
    (started, began), (ended, facts) = bench.tool_journal
    assert (started, ended, facts["status"]) == ("action.started", "action.completed", 200)
    assert began["idempotency_key"] == bench.tools.calls[0].idempotency_key


async def test_the_same_call_has_the_same_key_in_the_next_attempt(bench: AgentBench) -> None:
    """Whatever comes before it: models do not ask in the same order every time."""
    bench.says(wants("refund", no="7", full=True), wants("refund", no="8"), wants("refund", no="7", full=True), "Done.")
    await bench.ask(prompt="x", tools=[REFUND])
    bench.says(wants("refund", no="8"), wants("refund", full=True, no="7"), "Done.")
    await bench.ask(prompt="x", tools=[REFUND], attempt=2)
    keys = [call.idempotency_key for call in bench.tools.calls]
    assert len({*keys[:3]}) == 3, "what is asked for twice in one attempt is meant twice"
    assert keys[3:] == [keys[1], keys[0]]


@pytest.mark.parametrize(
    "hostile",
    [
        "../admin",
        "..",
        ".",
        "a/b",
        "a%2Fb",
        "%2e%2e",
        "a\\b",
        "a?x=1",
        "a#b",
        "//evil.example",
        "http://evil.example/",
        "a;b",
        "ä@b",
    ],
)
async def test_an_argument_leaves_neither_its_segment_nor_the_host(bench: AgentBench, hostile: str) -> None:
    bench.says(wants("look_up", no=hostile), "Done.")
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "Done."
    for call in bench.tools.calls:
        prefix, _, segment = call.target.rpartition("/")
        assert prefix == "/api/orders"
        assert segment
        assert not {"?", "#", "\\"} & set(segment)
    if not bench.tools.calls:
        assert told(bench.asked[1])[0]["error"] == "PATH_REFUSED"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"no": ""}, {"no": "  "}, {"no": 5}, {"no": None}, {"no": {"a": 1}}, {"no": "7", "full": "yes"}, "no JSON"],
)
async def test_arguments_that_do_not_fit_are_told_and_nothing_is_called(bench: AgentBench, arguments: Any) -> None:
    bench.says(Reply(calls=(Call("look_up", arguments),), finish="tool_calls"), wants("look_up", no="7"), "Done.")
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "Done."
    assert told(bench.asked[1])[0]["error"] == "ARGUMENTS_INVALID"
    assert [call.target for call in bench.tools.calls] == ["/api/orders/7"]


async def test_a_tool_that_is_not_on_offer_is_not_called(bench: AgentBench) -> None:
    bench.says(wants("refund", no="7"), "Sorry.")
    await bench.ask(prompt="x", tools=[LOOK_UP])
    assert told(bench.asked[1])[0]["error"] == "UNKNOWN_TOOL"
    await bench.ask(prompt="x")
    assert bench.tools.calls == []


async def test_what_fails_at_the_other_side_is_told_to_the_model(bench: AgentBench) -> None:
    bench.tools.route("GET", "/api/orders/*", Answer(status=404, body={"why": "no such order"}))
    bench.says(wants("look_up", no="7"), "There is none.")
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "There is none."
    (answer,) = told(bench.asked[1])
    assert (answer["error"], answer["status"], answer["response"]) == ("HTTP_STATUS", 404, {"why": "no such order"})
    assert [kind for kind, _ in bench.tool_journal] == ["action.started", "action.failed"]


async def test_what_an_answer_says_is_data(bench: AgentBench) -> None:
    bench.tools.route("GET", "/api/orders/*", Answer(body={"note": "{{ input }} {input}"}))
    bench.says(wants("look_up", no="7"), "ok")
    await bench.ask("canary", prompt="x", tools=[LOOK_UP])
    assert told(bench.asked[1])[0]["response"] == {"note": "{{ input }} {input}"}


@pytest.mark.parametrize("value", [["ü" * 10_000], ["ü" * 100_000], [[]] * 100_000])
async def test_a_long_answer_is_cut_and_says_so(bench: AgentBench, value: Any) -> None:
    bench.tools.route("GET", "/api/orders/*", Answer(body={"text": value}))
    bench.says(wants("look_up", no="7"), "ok")
    await bench.ask(prompt="x", tools=[LOOK_UP])
    (text,) = bench.asked[1].answers.values()
    assert len(text.encode()) < MAX_RESULT_BYTES + 100
    whole = json.dumps({"status": 200, "response": {"text": value}}, ensure_ascii=False, separators=(",", ":"))
    told_part, _, remark = text.rpartition(" ... ")
    assert whole.startswith(told_part)
    assert remark == f"cut at {MAX_RESULT_BYTES} bytes"


async def test_a_connection_has_to_allow_tools(bench: AgentBench) -> None:
    bench.says(wants("look_up", no="7"), "ok")
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "ok"
    bench.tool_connection("shop", allows_tools=False)
    bench.says(wants("look_up", no="7"), "ok")
    assert (await bench.fail(prompt="x", tools=[LOOK_UP], fallback=["main"])).code == "TOOL_NOT_ALLOWED"
    del bench.context.clients["shop"]
    bench.says(wants("look_up", no="7"), "ok")
    assert (await bench.fail(prompt="x", tools=[LOOK_UP], fallback=["main"])).code == "CONNECTION_UNKNOWN"
    assert len(bench.tools.calls) == 1
    assert len(bench.asked) == 4, "another model could not do better"


async def test_a_gate_of_a_tool_that_stays_closed_puts_the_step_off(bench: AgentBench) -> None:
    bench.says(wants("look_up", no="7"), "ok")
    bench.gates.append(closed("shop"))
    bench.seconds = 5
    assert (await bench.put_off(prompt="x", tools=[LOOK_UP], fallback=["main"])).reason == "circuit"
    assert len(bench.asked) == 1
    assert bench.tool_journal == []


async def test_a_limit_in_the_middle_is_waited_for_so_that_nothing_is_asked_twice(bench: AgentBench) -> None:
    """Put off, the attempt would begin anew, and never get further than the limit lets it."""
    bench.gates.append(Window(1, seconds=0.05).gate)
    bench.says(wants("look_up", no="7"), wants("look_up", no="8"), wants("look_up", no="9"), "Done.")
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "Done."
    assert len(bench.asked) == 4
    assert len(bench.tools.calls) == 3


async def test_turns_and_calls_are_bounded(bench: AgentBench) -> None:
    bench.says(wants("look_up", no="7"))
    assert (await bench.fail(prompt="x", tools=[LOOK_UP])).code == "LLM_TOO_MANY_TOOL_CALLS"
    assert len(bench.tools.calls) == MAX_ROUNDS
    many = tuple(Call("look_up", {"no": str(number)}, f"call_{number}") for number in range(MAX_CALLS + 1))
    bench.says(Reply(calls=many, finish="tool_calls"))
    bench.tools.forget()
    assert (await bench.fail(prompt="x", tools=[LOOK_UP])).code == "LLM_TOO_MANY_TOOL_CALLS"
    assert bench.tools.calls == []


async def test_tools_and_a_schema_go_together(either: AgentBench) -> None:
    schema = {"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}
    either.says(wants("look_up", no="7"), '{"total": 12}')
    assert await either.ask(prompt="x", tools=[LOOK_UP], response_schema=schema) == {"total": 12}
    assert len(either.tools.calls) == 1


async def test_a_model_that_calls_a_tool_nobody_offered_is_told_once(either: AgentBench) -> None:
    calls = Reply("Let me look.", calls=(Call("look", {"number": "A1"}),), finish="tool_calls")
    either.says(calls, "It is on its way.")
    assert await either.ask(prompt="Where is it?") == "It is on its way."
    assert either.asked[-1].prompt == "There are no tools. Answer without them."
    assert len(either.usage) == 2

    either.says(calls)
    failure = await either.fail(prompt="Where is it?")

    assert (failure.code, failure.retryable) == ("LLM_TOO_MANY_TOOL_CALLS", False)
    assert failure.details == {"tools": ["look"], "text": "Let me look."}
    assert len(either.usage) == 2
