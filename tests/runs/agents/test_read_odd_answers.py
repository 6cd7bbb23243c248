"""Answers of odd shapes: no call is lost or taken for the answer, no cut passes for an end, none crashes the step."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

SAID = "The refund is not"
TOOLS: list[dict[str, Any]] = [
    {"name": name, "client_ref": "shop", "method": "POST", "path": f"/{name}", "parameters": {"type": "object"}}
    for name in ("refund", "look")
]
FIVE, SEVEN = {"amount": 5}, {"amount": 7}


@pytest.fixture
def field(bench: AgentBench) -> Iterator[CountingServer]:
    """Where the models of the field answer; tools are at the bench's own server."""
    bench.tool_connection("shop")
    for name in ("refund", "look"):
        bench.tools.route("POST", f"/api/{name}", Answer(body={"ok": True}))
    with CountingServer() as server:
        bench.model("main", base_url=f"{server.url}/v1")
        bench.model("other", "anthropic", base_url=server.url)
        yield server


def stream(*events: dict[str, Any]) -> Answer:
    content = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    return Answer(200, content, {"Content-Type": "text/event-stream"})


def message(*content: Any, stop: str = "end_turn", **more: Any) -> Answer:
    usage = {"input_tokens": 10, "output_tokens": 5}
    return Answer(body={"model": "m", "content": list(content), "stop_reason": stop, "usage": usage, **more})


START: dict[str, Any] = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 10}}}
STOP: dict[str, Any] = {"type": "message_stop"}


def block(index: int, start: Any, delta: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    begun = [{"type": "content_block_start", "index": index, "content_block": start}]
    return [*begun, {"type": "content_block_delta", "index": index, "delta": delta}] if delta else begun


def text(index: int, words: str) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, {"type": "text_delta", "text": words})


def use(index: int, call_id: str, name: str, given: Any) -> list[dict[str, Any]]:
    start = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return block(index, start, {"type": "input_json_delta", "partial_json": json.dumps(given)})


def ended(reason: str | None = "end_turn") -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}}


def whole_use(call_id: str, name: str, given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def openai_calls(index: int, *given: Any) -> list[dict[str, Any]]:
    """Whole calls, one a piece, all under one id."""
    calls = [
        {"index": number * index, "id": "t1", "function": {"name": "refund", "arguments": json.dumps(one)}}
        for number, one in enumerate(given)
    ]
    return [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]


OPENAI_END: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
TOLD_APART = {
    "ids of their own": ("other", stream(START, *use(0, "t1", "refund", FIVE), *use(1, "t2", "refund", SEVEN), STOP)),
    "one id": ("other", stream(START, *use(0, "t1", "refund", FIVE), *use(1, "t1", "refund", SEVEN), STOP)),
    "one id and index": ("other", stream(START, *use(0, "t1", "refund", FIVE), *use(0, "t1", "refund", SEVEN), STOP)),
    "whole, one id": ("other", message(whole_use("t1", "refund", FIVE), whole_use("t1", "refund", SEVEN))),
    "openai, one id": ("main", stream(*openai_calls(1, FIVE, SEVEN), OPENAI_END)),
    "openai, one id and index": ("main", stream(*openai_calls(0, FIVE, SEVEN), OPENAI_END)),
}


@pytest.mark.parametrize(("ref", "answer"), TOLD_APART.values(), ids=TOLD_APART)
async def test_calls_under_one_id_are_each_made_and_answered_by_ids_of_their_own(
    bench: AgentBench, field: CountingServer, ref: str, answer: Answer
) -> None:
    done = {"main": Answer(body={"choices": [{"message": {"content": "done"}}]}), "other": message({"text": "done"})}
    field.route("POST", "/*", [answer, done[ref]])
    assert await bench.ask(llm_ref=ref, prompt="x", tools=TOOLS) == "done"
    assert [call.json() for call in bench.tools.calls] == [FIVE, SEVEN]
    sent = json.dumps(field.calls[1].json()["messages"])
    for name in ("tool_use_id", "tool_call_id"):
        ids = [part.split('"')[2] for part in sent.split(f'"{name}')[1:]]
        assert len(set(ids)) == len(ids)


async def test_calls_of_two_tools_under_one_id_are_both_made(bench: AgentBench, field: CountingServer) -> None:
    both = stream(START, *use(0, "t1", "refund", FIVE), *use(1, "t1", "look", {"id": "7"}), STOP)
    field.route("POST", "/*", [both, message({"type": "text", "text": "done"})])
    assert await bench.ask(llm_ref="other", prompt="x", tools=TOOLS) == "done"
    assert [call.path for call in bench.tools.calls] == ["/api/refund", "/api/look"]


SENT_TWICE = {
    "its start": [*use(0, "t1", "refund", FIVE), *block(0, whole_use("t1", "refund", {}))],
    "its start without a name": [*use(0, "t1", "refund", FIVE), *block(1, {"type": "tool_use", "id": "t1"})],
    "its start before its input": [*block(0, whole_use("t1", "refund", {})), *use(0, "t1", "refund", FIVE)],
    "all of it": [*use(0, "t1", "refund", FIVE), *use(0, "t1", "refund", FIVE)],
}


@pytest.mark.parametrize("events", SENT_TWICE.values(), ids=SENT_TWICE)
async def test_a_call_that_is_sent_twice_is_made_once(
    bench: AgentBench, field: CountingServer, events: list[dict[str, Any]]
) -> None:
    field.route("POST", "/*", [stream(START, *events, STOP), message({"type": "text", "text": "done"})])
    assert await bench.ask(llm_ref="other", prompt="x", tools=TOOLS) == "done"
    assert [call.json() for call in bench.tools.calls] == [FIVE]


SPOKEN = {"type": "text", "text": "I refund."}
OPENAI_CALL: dict[str, Any] = {"id": "c", "function": {"name": "refund", "arguments": "{}"}}


def nameless(call: dict[str, Any]) -> Answer:
    choice = {"message": {"content": "I refund.", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    return Answer(body={"choices": [choice]})


NAMELESS = {
    "missing": ("other", message(SPOKEN, {"type": "tool_use", "id": "t", "input": FIVE}, stop="tool_use")),
    "null": ("other", message(SPOKEN, whole_use("t", None, FIVE), stop="tool_use")),  # type: ignore[arg-type]
    "empty": ("other", message(SPOKEN, whole_use("t", "", FIVE), stop="end_turn")),
    "streamed": ("other", stream(START, *text(0, "I refund."), *use(1, "t", "", FIVE), ended("tool_use"), STOP)),
    "openai": ("main", nameless({"id": "c", "function": {"arguments": "{}"}})),
    "openai, a list": ("main", nameless({"id": "c", "function": {"name": ["refund"], "arguments": "{}"}})),
}


@pytest.mark.parametrize(("ref", "answer"), NAMELESS.values(), ids=NAMELESS)
async def test_a_call_that_names_no_tool_is_no_answer(
    bench: AgentBench, field: CountingServer, ref: str, answer: Answer
) -> None:
    field.route("POST", "/*", answer)
    failure = await bench.fail(llm_ref=ref, prompt="x", tools=TOOLS)
    assert (failure.code, failure.details["text"], failure.retryable) == ("LLM_REPLY_CUT", "I refund.", True)
    assert bench.tools.calls == []


CUT: dict[str, list[dict[str, Any]]] = {
    "in message_delta": [ended("max_tokens"), STOP],
    "in message_stop": [{"type": "message_stop", "stop_reason": "max_tokens"}],
    "behind null": [ended(None), {"type": "message_stop", "stop_reason": "max_tokens"}],
    "behind end_turn": [ended(), {"type": "message_stop", "stop_reason": "max_tokens"}],
    "in its delta": [{"type": "message_stop", "delta": {"stop_reason": "max_tokens"}}],
    "in its message": [ended(), {"type": "message_stop", "message": {"stop_reason": "max_tokens"}}],
    "in openai's word": [ended(), {"type": "message_stop", "finish_reason": "length"}],
    "at the end of a block": [{"type": "content_block_stop", "stop_reason": "max_tokens"}, ended(), STOP],
    "in the usage": [{"type": "message_delta", "delta": {}, "usage": {"stop_reason": "max_tokens"}}, STOP],
}


@pytest.mark.parametrize("end", CUT.values(), ids=CUT)
async def test_a_cut_counts_wherever_a_stream_tells_it(
    bench: AgentBench, field: CountingServer, end: list[dict[str, Any]]
) -> None:
    field.route("POST", "/*", stream(START, *text(0, SAID), ended(), STOP))
    assert await bench.ask(llm_ref="other", prompt="x") == SAID
    field.route("POST", "/*", stream(START, *text(0, SAID), *end))
    failure = await bench.fail(llm_ref="other", prompt="x")
    assert (failure.code, failure.details["reason"]) == ("LLM_REPLY_CUT", "length")


PLAIN: list[dict[str, Any]] = [
    {"choices": [{"delta": {"content": SAID}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
]
BEHIND: dict[str, dict[str, Any]] = {
    "no choices": {"done": True, "done_reason": "length"},
    "empty choices": {"choices": [], "done_reason": "length"},
    "in a response": {"response": {"incomplete_details": {"reason": "max_output_tokens"}}},
    "in the usage": {"choices": [], "usage": {"finish_reason": "length"}},
    "in details": {"choices": [], "details": {"finish_reason": "length"}},
    "in a choice's details": {"choices": [{"delta": {}, "details": {"finish_reason": "length"}}]},
}


@pytest.mark.parametrize("event", BEHIND.values(), ids=BEHIND)
async def test_a_cut_counts_in_an_event_without_choices(
    bench: AgentBench, field: CountingServer, event: dict[str, Any]
) -> None:
    field.route("POST", "/*", stream(*PLAIN, {"done": True, "done_reason": "stop"}))
    assert await bench.ask(prompt="x") == SAID
    field.route("POST", "/*", stream(*PLAIN, event))
    assert (await bench.fail(prompt="x")).code == "LLM_REPLY_CUT"


async def test_a_refusal_beside_a_plain_end_is_one(bench: AgentBench, field: CountingServer) -> None:
    refused: dict[str, Any] = {"stop_details": {"type": "refusal"}}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn", **refused}}
    for answer in (message(SPOKEN, **refused), stream(START, *text(0, SAID), delta, STOP)):
        field.route("POST", "/*", answer)
        assert (await bench.fail(llm_ref="other", prompt="x")).code == "LLM_REFUSED"
    field.route("POST", "/*", stream(*PLAIN, {"choices": [], "refusal": "blocked"}))
    assert (await bench.fail(prompt="x")).code == "LLM_REFUSED"


USED = {"prompt_tokens": 10, "completion_tokens": 5}
CRASHED = {
    "calls an object": ("main", {"tool_calls": OPENAI_CALL | {"function": 5}}),
    "calls a number": ("main", {"tool_calls": 5}),
    "calls a text": ("main", {"tool_calls": "x"}),
}


@pytest.mark.parametrize(("ref", "said"), CRASHED.values(), ids=CRASHED)
async def test_an_answer_of_wrong_types_is_unreadable_and_counted_and_another_model_is_asked(
    bench: AgentBench, field: CountingServer, ref: str, said: dict[str, Any]
) -> None:
    field.route("POST", "/v1/chat/completions", Answer(body={"choices": [{"message": said}], "usage": USED}))
    failure = await bench.fail(llm_ref=ref, prompt="x", tools=TOOLS)
    assert (failure.code, failure.retryable) == ("LLM_REPLY_UNREADABLE", True)
    assert [(used.input_tokens, used.output_tokens) for used in bench.usage] == [(10, 5)]
    field.route("POST", "/v1/messages", message({"type": "text", "text": "second"}))
    assert await bench.ask(llm_ref=ref, prompt="x", tools=TOOLS, fallback=["other"]) == "second"


@pytest.mark.parametrize("odd", ["x", ["a"]])
async def test_another_model_is_asked_behind_an_odd_stream_that_is_counted(
    bench: AgentBench, field: CountingServer, odd: Any
) -> None:
    field.route("POST", "/v1/chat/completions", Answer(body={"choices": [{"message": {"content": "second"}}]}))
    counted = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 20}}
    field.route("POST", "/v1/messages", stream(START, *text(0, SAID), counted, *block(1, odd), ended(), STOP))
    assert await bench.ask(llm_ref="other", prompt="x", fallback=["main"]) == "second"
    first, _ = bench.usage
    assert (first.input_tokens, first.output_tokens, first.is_estimated) == (10, 20, False)


async def test_a_whole_call_that_stands_alone_is_made(bench: AgentBench, field: CountingServer) -> None:
    alone = {"content": None, "tool_calls": OPENAI_CALL | {"extra_content": {"signature": "s"}}}
    done = Answer(body={"choices": [{"message": {"content": "done"}}]})
    field.route("POST", "/*", [Answer(body={"choices": [{"message": alone}]}), done])
    assert await bench.ask(prompt="x", tools=TOOLS) == "done"
    assert len(bench.tools.calls) == 1
    assert field.calls[1].json()["messages"][1]["tool_calls"][0]["extra_content"] == {"signature": "s"}


@pytest.mark.parametrize("odd", ["x", {}, ["a"], {"a": 1}, 5, None])
async def test_an_odd_block_of_a_stream_crashes_nothing(bench: AgentBench, field: CountingServer, odd: Any) -> None:
    field.route("POST", "/v1/messages", stream(START, *block(0, odd), ended(), STOP))
    failure = await bench.fail(llm_ref="other", prompt="x")
    assert failure.code in ("LLM_REPLY_UNREADABLE", "LLM_REPLY_EMPTY")
    begun = {"type": "message_start", "message": odd}
    field.route("POST", "/v1/messages", stream(begun, *text(0, SAID), ended(), STOP))
    if isinstance(odd, dict):
        assert await bench.ask(llm_ref="other", prompt="x") == SAID
    else:
        assert (await bench.fail(llm_ref="other", prompt="x")).code == "LLM_REPLY_UNREADABLE"


OTHER_SHAPES = {
    "a text in an object": ("main", {"content": [{"type": "text", "text": {"value": "Hi", "annotations": []}}]}),
    "a list in a list": ("main", {"content": [[{"type": "text", "text": "Hi"}]]}),
    "a block without a type": ("other", [{"text": "Hi"}]),
    "a block with a text in an object": ("other", [{"type": "text", "text": {"value": "Hi"}}]),
}


@pytest.mark.parametrize(("ref", "said"), OTHER_SHAPES.values(), ids=OTHER_SHAPES)
async def test_a_text_in_another_shape_is_read(bench: AgentBench, field: CountingServer, ref: str, said: Any) -> None:
    answer = Answer(body={"choices": [{"message": said}]}) if ref == "main" else message(*said)
    field.route("POST", "/*", answer)
    assert await bench.ask(llm_ref=ref, prompt="x") == "Hi"
    assert len(field.calls) == 1


FOREIGN = {
    "old completions": ("main", stream({"choices": [{"text": "Hi", "index": 0, "finish_reason": "stop"}]})),
    "a part nobody knows": (
        "main",
        stream({"choices": [{"delta": {"content": [{"type": "x", "said": "Hi"}]}, "finish_reason": "stop"}]}),
    ),
    "a block nobody knows": ("other", message({"type": "hologram", "said": "Hi"})),
    "a text that is a number": ("other", message({"type": "text", "text": 5})),
}


@pytest.mark.parametrize(("ref", "answer"), FOREIGN.values(), ids=FOREIGN)
async def test_words_that_cannot_be_read_are_unreadable_not_empty(
    bench: AgentBench, field: CountingServer, ref: str, answer: Answer
) -> None:
    """Asked once, and what came is shown."""
    field.route("POST", "/*", answer)
    failure = await bench.fail(llm_ref=ref, prompt="x")
    assert (failure.code, len(field.calls)) == ("LLM_REPLY_UNREADABLE", 1)
    assert failure.details["beginning"]
