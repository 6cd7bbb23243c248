"""An answer that was cut off never passes for a whole one: it fails the step, or leaves by a port of its own."""

import json
from typing import Any

import pytest

from examples.model_server import Problem, Reply
from kernel.values import MAX_VALUE_BYTES
from runs.agents.truncation import MAX_KEPT
from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer

CUT = Reply("Once upon a", finish="length")


async def test_it_fails_with_its_text_and_costs(either: AgentBench) -> None:
    either.says("Once upon a time.")
    assert await either.ask(prompt="Tell") == "Once upon a time."
    either.says(CUT)

    failure = await either.fail(prompt="Tell", max_tokens=3)

    assert (failure.code, failure.retryable) == ("LLM_REPLY_CUT", False)
    assert "max_tokens (3)" in failure.message
    assert failure.details == {"text": "Once upon a", "reason": "length"}
    assert len(either.usage) == 1


async def test_it_leaves_by_its_port_where_that_is_routed(either: AgentBench) -> None:
    either.routed = ("output", "truncated")
    either.says("Once upon a time.")
    assert await either.ask(prompt="Tell") == "Once upon a time."
    either.says(CUT)
    assert await either.ask(prompt="Tell") == {"truncated": {"text": "Once upon a", "reason": "length"}}


async def test_one_that_does_not_fit_a_schema_is_not_asked_to_be_repaired(bench: AgentBench) -> None:
    bench.says(Reply('{"a": "Once', finish="length"))
    assert (await bench.fail(prompt="x", response_schema={"type": "object"})).code == "LLM_REPLY_CUT"
    assert len(bench.asked) == 1


async def test_a_failure_keeps_the_beginning_of_a_long_one_and_the_port_has_all(bench: AgentBench) -> None:
    text = "word " * 10_000
    bench.says(Reply(text, finish="length"))
    details = (await bench.fail(prompt="x")).details
    assert (details["text"], details["characters"]) == (text[:MAX_KEPT], 50_000)
    bench.routed = ("truncated",)
    assert (await bench.ask(prompt="x"))["truncated"]["text"] == text  # type: ignore[call-overload,index]


@pytest.mark.parametrize("other", [Problem("unauthorised"), Problem("server_error"), "Whole."])
async def test_another_model_is_asked_first_and_takes_nothing_away(bench: AgentBench, other: Any) -> None:
    bench.model("second", "anthropic", model="m-2")
    bench.by_model(m_1=CUT, m_2=other)
    bench.routed = ("truncated",)
    found = await bench.ask(prompt="x", fallback=["second"])
    assert [one.model for one in bench.asked] == ["m-1", "m-2"]
    assert found == ("Whole." if other == "Whole." else {"truncated": {"text": "Once upon a", "reason": "length"}})


LOOK_UP: dict[str, Any] = {
    "name": "look_up",
    "client_ref": "shop",
    "path": "/orders",
    "parameters": {"type": "object", "properties": {}},
}


def lost_calls(provider: str) -> list[Reply]:
    """Answers that end to ask for a tool without a call of one, in pieces and whole."""
    said = "I will look it up."
    if provider == "anthropic":
        block = {"type": "text", "text": said}
        message = {"type": "message", "model": "m-1", "content": [block], "stop_reason": "tool_use"}
        return [Reply(raw=json.dumps(message).encode())]
    chunks: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": said}, "finish_reason": None}]},
        {"choices": [{"delta": {"tool_calls": []}, "finish_reason": "tool_calls"}]},
    ]
    whole = [{"content": said}, {"content": said, "tool_calls": []}, {"content": said, "tool_calls": None}]
    answers: list[dict[str, Any]] = [
        {"choices": [{"message": message, "finish_reason": word}]}
        for message, word in zip(whole, ("tool_calls", "function_call", "tool_calls"), strict=True)
    ]
    stream = b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks) + b"data: [DONE]\n\n"
    return [Reply(raw=stream), *(Reply(raw=json.dumps(answer).encode()) for answer in answers)]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_one_that_asks_for_a_tool_without_a_call_is_tried_again(bench: AgentBench, provider: str) -> None:
    bench.model("main", provider)
    bench.tool_connection("shop")
    bench.says(Reply("It was sent."))
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "It was sent."
    for lost in lost_calls(provider):
        bench.says(lost)
        failure = await bench.fail(prompt="x", tools=[LOOK_UP])
        assert (failure.code, failure.retryable) == ("LLM_REPLY_CUT", True)
        assert failure.details == {"reason": "error", "text": "I will look it up."}
        assert len(bench.usage) == 1
    assert bench.tools.calls == []


async def test_an_answer_by_schema_may_have_been_written_as_the_input_of_a_tool(bench: AgentBench) -> None:
    answer = {"choices": [{"message": {"content": '{"a": 1}'}, "finish_reason": "tool_calls"}]}
    bench.says(Reply(raw=json.dumps(answer).encode()))
    assert await bench.ask(prompt="x", response_schema={"type": "object"}) == {"a": 1}


@pytest.mark.parametrize(
    "message",
    [
        {"content": "", "reasoning_content": "only thoughts"},
        {"content": "<think>only thoughts"},
        {"content": "<THINK>only thoughts</THINK>"},
        {"content": "<|START_THINKING|>only thoughts<|END_THINKING|>"},
        {"content": "<|begin_of_thought|>only thoughts<|end_of_thought|>"},
    ],
)
async def test_thoughts_without_an_answer_are_kept(bench: AgentBench, message: dict[str, Any]) -> None:
    def answer(content: dict[str, Any]) -> Reply:
        return Reply(raw=json.dumps({"choices": [{"message": content, "finish_reason": "stop"}]}).encode())

    end = "</think>" if message["content"] == "<think>only thoughts" else ""
    bench.says(answer({**message, "content": f"{message['content']}{end}Hello"}))
    assert await bench.ask(prompt="x") == "Hello"
    bench.says(answer(message))

    failure = await bench.fail(prompt="x")

    assert (failure.code, failure.details) == ("LLM_REPLY_EMPTY", {"reasoning": "only thoughts"})


async def test_nothing_at_all_has_nothing_to_keep(bench: AgentBench) -> None:
    bench.says(Reply(raw=json.dumps({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}).encode()))
    assert (await bench.fail(prompt="x")).details == {}


def in_pieces(*calls: dict[str, Any]) -> Reply:
    """A call of a tool in the pieces given."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": None}]} for call in calls
    ]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    return Reply(raw=b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks))


WHOLE: dict[str, Any] = {"id": "a", "function": {"name": "look_up", "arguments": '{"a": 1}'}}


@pytest.mark.parametrize(
    "calls",
    [
        [WHOLE],
        [WHOLE, WHOLE],
        [{"id": "a", "function": {"name": "look_", "arguments": ""}}, {"function": {"name": "up", "arguments": "{}"}}],
        [{"id": "a", "function": {"name": "look_up"}}, {"function": {"name": "look_up", "arguments": "{}"}}],
    ],
)
async def test_a_call_is_put_together_of_a_name_in_pieces_and_of_one_sent_twice(
    bench: AgentBench, calls: list[dict[str, Any]]
) -> None:
    bench.tool_connection("shop")
    bench.tools.route("GET", "/api/orders", Answer(body={}))
    bench.says(in_pieces(*calls), "done")
    assert await bench.ask(prompt="x", tools=[LOOK_UP]) == "done"
    assert [call.path for call in bench.tools.calls] == ["/api/orders"]


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        ({}, None),
        ({"finish_reason_raw": "STOP", "content_filter_results": {"hate": {"filtered": False}}}, None),
        ({"finish_reason_raw": "max_tokens"}, "length"),
        ({"content_filter_results": {"hate": {"filtered": False}, "violence": {"filtered": True}}}, "content_filter"),
    ],
)
async def test_what_is_told_beside_a_plain_end_counts(
    bench: AgentBench, beside: dict[str, Any], reason: str | None
) -> None:
    choice = {"message": {"content": "half"}, "finish_reason": "stop", **beside}
    bench.says(Reply(raw=json.dumps({"choices": [choice]}).encode()))
    if reason is None:
        assert await bench.ask(prompt="x") == "half"
    else:
        assert (await bench.fail(prompt="x")).details == {"text": "half", "reason": reason}


@pytest.mark.parametrize("schema", [None, {"type": "array"}])
async def test_an_answer_that_is_larger_than_a_value_may_be_is_kept_in_part(
    bench: AgentBench, schema: dict[str, Any] | None
) -> None:
    def answer(characters: int) -> Reply:
        text = "x" * characters if schema is None else json.dumps(["x" * (characters - 4)])
        chunk = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
        return Reply(raw=json.dumps(chunk).encode())

    bench.says(answer(MAX_KEPT + 1))
    assert await bench.ask(prompt="x", response_schema=schema)
    bench.says(answer(MAX_VALUE_BYTES + 1))

    failure = await bench.fail(prompt="x", response_schema=schema)

    assert (failure.code, failure.details["characters"]) == ("VALUE_TOO_LARGE", MAX_VALUE_BYTES + 1)
    assert str(failure.details["text"]).endswith("x" * 1000)
    assert len(bench.usage) == 1
