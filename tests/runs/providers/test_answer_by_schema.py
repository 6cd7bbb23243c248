"""An answer fits a schema, however the service is asked for that."""

import json
from typing import Any

import pytest

from examples.model_server import Asked, Call, Reply
from runs.step_api.language_models import Tool
from tests.support.model_server import ModelBench

CLOSED = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "refund": {"type": "boolean"}},
    "required": ["reason", "refund"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"reason": {"type": "string"}, "note": {"type": "string"}}, "required": []}
LIST = {"type": "array", "items": {"$ref": "#/$defs/word"}, "$defs": {"word": {"type": "string"}}}
LOOKUP = Tool("lookup", "Finds an order.", {"type": "object", "properties": {}})


def _nothing(_text: str) -> None:
    """Follow without interest."""


@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize("schema", [CLOSED, OPEN])
async def test_the_text_is_json_that_fits(bench: ModelBench, schema: dict[str, Any], on_delta: Any) -> None:
    reply = await bench.ask(response_schema=schema, on_delta=on_delta)

    assert json.loads(reply.text).keys() == schema["properties"].keys()
    assert reply.finish_reason == "stop"
    assert reply.tool_calls == ()


async def test_the_pieces_of_a_stream_are_the_text(bench: ModelBench) -> None:
    pieces: list[str] = []
    reply = await bench.ask(response_schema=CLOSED, on_delta=pieces.append)

    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == json.loads(reply.text)


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_an_answer_may_be_other_than_an_object(bench: ModelBench, on_delta: Any) -> None:
    bench.answers(Reply(json.dumps({"answer": ["one", "two"]})))

    reply = await bench.ask(response_schema=LIST, on_delta=on_delta)

    assert json.loads(reply.text) == ["one", "two"]


async def test_strictness_is_asked_for_where_the_schema_allows_it(openai: ModelBench) -> None:
    for schema in (CLOSED, OPEN, LIST):
        await openai.ask(response_schema=schema)

    formats = [asked.body["response_format"]["json_schema"] for asked in openai.server.asked]
    assert [described["strict"] for described in formats] == [True, False, True]
    assert formats[0]["schema"] == CLOSED
    assert formats[2]["schema"]["$defs"] == LIST["$defs"]


async def test_a_server_without_schemas_is_asked_for_json_and_one_without_that_in_words(openai: ModelBench) -> None:
    def script(asked: Asked) -> Reply:
        assert '"reason"' in asked.system
        return Reply('```json\n{"reason": "late", "refund": true}\n```')

    openai.server.script = script
    for lacking, wanted in (
        ({"json_schema"}, {"type": "json_object"}),
        ({"json_schema", "json_object"}, None),
    ):
        openai.server.lacks = frozenset(lacking)
        reply = await openai.ask("Why, in json?", response_schema=CLOSED)

        assert json.loads(reply.text) == {"reason": "late", "refund": True}
        assert openai.server.asked[-1].body.get("response_format") == wanted


async def test_a_model_that_cannot_be_held_to_a_tool_is_asked_in_words(anthropic: ModelBench) -> None:
    def script(asked: Asked) -> Reply:
        assert '"reason"' in asked.system
        return Reply('{"reason": "late", "refund": true}')

    anthropic.server.script = script
    anthropic.server.lacks = frozenset(("tool_choice",))

    assert json.loads((await anthropic.ask(response_schema=CLOSED)).text) == {"reason": "late", "refund": True}


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_tools_may_be_used_before_the_answer(bench: ModelBench, on_delta: Any) -> None:
    given = {"reason": "late", "refund": True}
    answer = (
        Reply(json.dumps(given))
        if bench.name == "openai"
        else Reply("Thus:", calls=(Call("give_answer", given),), finish="tool_calls")
    )
    replies = iter([Reply(calls=(Call("lookup", {}),), finish="tool_calls"), answer])
    bench.server.script = lambda _asked: next(replies)

    first = await bench.ask(response_schema=CLOSED, tools=(LOOKUP,), on_delta=on_delta)
    second = await bench.ask(response_schema=CLOSED, tools=(LOOKUP,), on_delta=on_delta)

    assert [call.name for call in first.tool_calls] == ["lookup"]
    assert first.finish_reason == "tool_calls"
    assert json.loads(second.text) == given
    assert (second.finish_reason, second.tool_calls) == ("stop", ())


async def test_a_tool_of_the_answer_s_name_is_no_answer(anthropic: ModelBench) -> None:
    mine = Tool("give_answer", "Mine.", {"type": "object", "properties": {}})
    anthropic.answers(Reply(calls=(Call("give_answer", {}),), finish="tool_calls"))

    reply = await anthropic.ask(response_schema=CLOSED, tools=(mine,))

    assert [call.name for call in reply.tool_calls] == ["give_answer"]


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_two_answers_that_differ_are_both_kept(anthropic: ModelBench, on_delta: Any) -> None:
    """Which one is meant is not ours to say: whoever reads them finds two values, and asks again."""
    pay, keep = {"reason": "late", "refund": True}, {"reason": "late", "refund": False}
    for inputs, kept in (((pay, pay), [pay]), ((pay, keep), [pay, keep])):
        calls = tuple(Call("give_answer", value, f"c{place}") for place, value in enumerate(inputs))
        anthropic.answers(Reply(calls=calls, finish="tool_calls"))

        reply = await anthropic.ask(response_schema=CLOSED, on_delta=on_delta)

        assert [json.loads(line) for line in reply.text.splitlines()] == kept
        assert (reply.finish_reason, reply.tool_calls) == ("stop", ())


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_an_answer_cut_off_says_so_and_keeps_what_came(bench: ModelBench, on_delta: Any) -> None:
    bench.answers(Reply('{"reason": "la', finish="length"))

    assert (await bench.ask(response_schema=CLOSED, on_delta=on_delta)).finish_reason == "length"
