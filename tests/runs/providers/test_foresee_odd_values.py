"""Odd values at every place of an answer: the readers foresee each, and call what they cannot read unreadable."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from runs.providers.anthropic import Messages
from runs.providers.decoding import storable_text
from runs.providers.error_formats import error_in, read_service_error
from runs.providers.openai import ChatCompletions
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionRequest, Message, Tool

ODD: list[Any] = [None, True, 0, 1.5, 10**18, "", "x", [], {}, [None], [[]], {"a": 1}, "[]", "null", ["a", 1], False]
CALL = {"index": 0, "id": "c1", "function": {"name": "refund", "arguments": '{"amount":5}'}, "extra_content": {"a": 1}}
PARTS = {
    "content": [{"type": "text", "text": "a"}],
    "reasoning_content": "r",
    "reasoning_details": [{"a": 1}],
    "refusal": None,
    "images": [{"type": "x"}],
    "tool_calls": [CALL],
    "function_call": None,
}
USED = {"prompt_tokens": 10, "completion_tokens": 5}
THOUGHT = {"type": "thinking", "thinking": "t", "signature": "s"}
USE = {"type": "tool_use", "id": "t1", "name": "refund", "input": {}}


def block(index: int, start: dict[str, Any], delta: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        {"type": "content_block_delta", "index": index, "delta": delta},
    ]


WHOLE: list[tuple[Any, dict[str, Any]]] = [
    (
        ChatCompletions(is_vendor=False),
        {"model": "m", "choices": [{"index": 0, "message": PARTS, "finish_reason": "stop"}], "usage": USED},
    ),
    (
        Messages(),
        {
            "model": "m",
            "content": [THOUGHT, {"type": "text", "text": "a"}, USE | {"input": {"amount": 5}}],
            "usage": {},
        },
    ),
]
STREAMS: list[tuple[Any, list[dict[str, Any]]]] = [
    (
        ChatCompletions(is_vendor=False),
        [
            {"model": "m", "choices": [{"index": 0, "delta": PARTS}]},
            {"choices": [{"delta": {}, "finish_reason": "tool_calls"}], "usage": USED},
        ],
    ),
    (
        Messages(),
        [
            {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 10}}},
            *block(0, dict.fromkeys(THOUGHT, "") | {"type": "thinking"}, {"type": "thinking_delta", "thinking": "h"}),
            *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "a"}),
            *block(2, USE, {"type": "input_json_delta", "partial_json": '{"amount":5}'}),
            *block(2, USE, {"type": "input_json_delta", "partial_json": '{"amount":7}'}),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"},
        ],
    ),
]
ASKED = CompletionRequest("m", [Message("user", "hi")], tools=(Tool("refund", "r", {"type": "object"}),))


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*place, name))


def with_odd(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = copy.deepcopy(value)
    holder = changed
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = odd
    return changed


@pytest.mark.parametrize(("wire", "answer"), WHOLE, ids=["openai", "anthropic"])
def test_no_odd_value_anywhere_in_an_answer_is_unforeseen(wire: Any, answer: Any) -> None:
    """The readers themselves foresee each; what stands behind them for what nobody foresaw has nothing to do."""
    codes: set[str] = set()
    for place in places(answer):
        for odd in ODD:
            told = with_odd(answer, place, odd)
            error_in(told)
            read_service_error(200, told)
            wire.usage(told)
            try:
                reply = wire.read(storable_text(told), ASKED, None)
            except StepFailed as failure:
                codes.add(failure.code)
            else:
                turn = Message("assistant", reply.text, tool_calls=reply.tool_calls, kept=reply.kept)
                wire.write(CompletionRequest("m", [*ASKED.messages, turn]), frozenset(), streamed=True)
    assert codes == {"LLM_REPLY_UNREADABLE"}


@pytest.mark.parametrize(("wire", "events"), STREAMS, ids=["openai", "anthropic"])
def test_no_odd_value_anywhere_in_a_stream_is_unforeseen(wire: Any, events: list[Any]) -> None:
    codes: set[str] = set()
    for place in list(places(events))[1:]:
        for odd in ODD:
            gathering = wire.gather(ASKED)
            try:
                for event in with_odd(events, place, odd):
                    error_in(event)
                    assert isinstance(gathering.add(event), str)
                wire.read(storable_text(gathering.answer(is_done=True)), ASKED, None)
            except StepFailed as failure:
                codes.add(failure.code)
    assert codes == {"LLM_REPLY_UNREADABLE"}
