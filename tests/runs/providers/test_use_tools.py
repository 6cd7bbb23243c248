"""A model asks for tools, and hears what they answered."""

import json
from typing import Any

import pytest

from examples.model_server import Asked, Call, Reply
from runs.step_api.language_models import CompletionReply, Message, Tool, ToolCall
from tests.support.model_server import ModelBench

LOOKUP = Tool("lookup", "Finds an order.", {"type": "object", "properties": {"id": {"type": "string"}}})
REFUND = Tool("refund", "Pays back.", {"type": "object", "properties": {"cents": {"type": "integer"}}})


def _nothing(_text: str) -> None:
    """Follow without interest."""


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_a_model_asks_for_two_tools_at_once(bench: ModelBench, on_delta: Any) -> None:
    bench.answers(
        Reply(
            "Let me see.",
            calls=(Call("lookup", {"id": "A 17"}, "c1"), Call("refund", {"cents": 500, "notes": ["x y"]}, "c2")),
            finish="tool_calls",
        )
    )

    reply = await bench.ask(tools=(LOOKUP, REFUND), on_delta=on_delta)

    assert reply.finish_reason == "tool_calls"
    assert reply.text == "Let me see."
    assert reply.tool_calls == (
        ToolCall("c1", "lookup", {"id": "A 17"}),
        ToolCall("c2", "refund", {"cents": 500, "notes": ["x y"]}),
    )


async def test_a_tool_without_arguments_gets_none(bench: ModelBench) -> None:
    bench.answers(Reply(calls=(Call("lookup", {}),), finish="tool_calls"))

    for follow in (None, _nothing):
        assert (await bench.ask(tools=(LOOKUP,), on_delta=follow)).tool_calls == (ToolCall("call_1", "lookup", {}),)


async def test_what_tools_answered_goes_back_to_the_model(bench: ModelBench) -> None:
    def script(asked: Asked) -> Reply:
        if not asked.answers:
            return Reply(
                calls=(Call("lookup", {"id": "1"}, "c1"), Call("lookup", {"id": "2"}, "c2")), finish="tool_calls"
            )
        return Reply(" and ".join(f"{name}: {answer}" for name, answer in asked.answers.items()))

    bench.server.script = script
    first = await bench.ask("Where are they?", tools=(LOOKUP,))
    second = await bench.ask(
        Message("user", "Where are they?"),
        Message("assistant", first.text, tool_calls=first.tool_calls),
        Message("tool", "in Lyon", call_id="c1"),
        Message("tool", "in Rome", call_id="c2"),
        tools=(LOOKUP,),
    )

    assert second.text == "c1: in Lyon and c2: in Rome"
    assert second.finish_reason == "stop"


async def test_the_stand_in_refuses_answers_of_tools_nobody_asked_for(bench: ModelBench) -> None:
    with pytest.raises(Exception, match="does not accept the request"):
        await bench.ask(Message("user", "Where?"), Message("tool", "in Lyon", call_id="c9"), tools=(LOOKUP,))


async def test_arguments_that_are_no_json_stay_text(openai: ModelBench) -> None:
    openai.answers(Reply(calls=(Call("lookup", '{"id": 1'),), finish="tool_calls"))

    assert (await openai.ask(tools=(LOOKUP,))).tool_calls[0].arguments == '{"id": 1'


async def test_calls_of_servers_that_number_them_not_are_told_apart(openai: ModelBench) -> None:
    reply = await _streamed(
        openai,
        {"tool_calls": [{"id": "a", "function": {"name": "lookup", "arguments": '{"id": "1"}'}}]},
        {"tool_calls": [{"id": "b", "function": {"name": "lookup", "arguments": '{"id": "2"}'}}]},
    )

    assert [(call.call_id, call.arguments) for call in reply.tool_calls] == [("a", {"id": "1"}), ("b", {"id": "2"})]
    assert reply.finish_reason == "tool_calls"


ONCE = [{"index": 0, "id": "a", "function": {"name": "lookup", "arguments": '{"id": "1"}'}}]
UNNAMED = [{"index": 0, "function": {"name": "lookup", "arguments": '{"id": "1"}'}}]
UNNUMBERED = [{"function": {"name": "lookup", "arguments": '{"id": "1"}'}}]
OTHER = [{"function": {"name": "lookup", "arguments": '{"id": "2"}'}}]


@pytest.mark.parametrize(
    ("deltas", "ids"),
    [
        ((ONCE, ONCE), ["1"]),
        ((ONCE, UNNAMED), ["1"]),
        ((UNNAMED, ONCE), ["1"]),
        ((UNNUMBERED, UNNUMBERED), ["1"]),
        ((UNNUMBERED, OTHER), ["1", "2"]),
        ((UNNUMBERED, OTHER, OTHER), ["1", "2"]),
        ((UNNUMBERED * 2,), ["1", "1"]),
    ],
)
async def test_a_call_that_is_sent_twice_is_made_once(openai: ModelBench, deltas: Any, ids: list[str]) -> None:
    reply = await _streamed(openai, *({"tool_calls": calls} for calls in deltas))
    assert [call.arguments for call in reply.tool_calls] == [{"id": one} for one in ids]


def _block(index: int, start: dict[str, Any], delta: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


def _lookup(index: int, call_id: str, order: str) -> list[dict[str, Any]]:
    start = {"type": "tool_use", "id": call_id, "name": "lookup", "input": {}}
    return _block(index, start, {"type": "input_json_delta", "partial_json": json.dumps({"id": order})})


@pytest.mark.parametrize("indices", [(0, 1, 2, 3), (0, 0, 0, 0)])
async def test_blocks_of_gateways_that_number_all_alike_are_told_apart(
    anthropic: ModelBench, indices: tuple[int, ...]
) -> None:
    blocks = [
        *_block(indices[0], {"type": "text", "text": ""}, {"type": "text_delta", "text": "First half, "}),
        *_block(indices[1], {"type": "text", "text": ""}, {"type": "text_delta", "text": "second half."}),
        *_lookup(indices[2], "a", "1"),
        *_lookup(indices[3], "b", "2"),
        {"type": "content_block_start", "index": indices[3], "content_block": {"type": "tool_use", "id": "b"}},
    ]
    events = [
        {"type": "message_start", "message": {"content": [], "usage": {"input_tokens": 1, "output_tokens": 0}}},
        *blocks,
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    anthropic.answers(Reply(raw="".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()))

    reply = await anthropic.ask(tools=(LOOKUP,), on_delta=_nothing)

    assert reply.text == "First half, second half."
    assert [(call.call_id, call.arguments) for call in reply.tool_calls] == [("a", {"id": "1"}), ("b", {"id": "2"})]


async def _streamed(bench: ModelBench, *deltas: dict[str, Any]) -> CompletionReply:
    chunks = [{"model": "m", "choices": [{"delta": delta}]} for delta in deltas]
    chunks.append({"model": "m", "choices": [{"delta": {}, "finish_reason": "stop"}]})
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    bench.answers(Reply(raw=events.encode()))
    return await bench.ask(tools=(LOOKUP,), on_delta=_nothing)
