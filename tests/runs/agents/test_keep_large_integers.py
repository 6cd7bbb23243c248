"""No digit of an integer beyond 2^53 that a model writes is lost, wherever it stands: it is kept as a text."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer
from tests.support.model_cases import PATHS

LARGE = {
    "9007199254740993": "9007199254740993",
    "-9007199254740993": "-9007199254740993",
    "18446744073709551616": "18446744073709551616",
    "9007199254740993.0": "9007199254740993",
    "123456789012345678e0": "123456789012345678",
}
OBJECT = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
INTEGER = {"type": "integer"}
LIST = {"type": "array", "items": {"type": "integer"}}
BOOK: dict[str, Any] = {
    "name": "book",
    "client_ref": "shop",
    "path": "/orders/{number}",
    "method": "POST",
    "parameters": {
        "type": "object",
        "required": ["number", "of"],
        "properties": {"number": {"type": "integer"}, "of": {"type": "array", "items": {"type": "integer"}}},
    },
}
STOP = {"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
CALLS = {"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}


@pytest.fixture
def field() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


def said(content: Any) -> dict[str, Any]:
    return {"json": {"model": "m-1", "choices": [{"message": {"content": content}, "finish_reason": "stop"}]}}


def said_in_pieces(content: Any) -> dict[str, Any]:
    parts = [content[:3], content[3:]] if isinstance(content, str) else [content]
    pieces = [{"model": "m-1", "choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    return {"events": [*pieces, STOP]}


def given(value: Any) -> dict[str, Any]:
    """What Anthropic answers by the tool of the answer."""
    block = {"type": "tool_use", "id": "t", "name": "give_answer", "input": value}
    return {"json": {"model": "m-1", "content": [block], "stop_reason": "tool_use"}}


def given_in_a_stream(block: dict[str, Any], *deltas: dict[str, Any]) -> dict[str, Any]:
    return {
        "events": [
            {"type": "message_start", "message": {"model": "m-1", "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", **block}},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ]
    }


ANSWERS: dict[str, tuple[str, Any, dict[str, Any], str]] = {
    "an object": ("openai", OBJECT, said('{"id": @}'), "object"),
    "an object in pieces": ("openai", OBJECT, said_in_pieces('{"id": @}'), "object"),
    "an object in a fence": ("openai", OBJECT, said('```json\n{"id": @}\n```'), "object"),
    "an object among words": ("openai", OBJECT, said('Here: {"id": @}. Done.'), "object"),
    "an object in place of its JSON": ("openai", OBJECT, said({"id": "@"}), "object"),
    "an object in a piece": ("openai", OBJECT, said_in_pieces({"id": "@"}), "object"),
    "an integer": ("openai", INTEGER, said('{"answer": @}'), "integer"),
    "an integer in pieces": ("openai", INTEGER, said_in_pieces('{"answer": @}'), "integer"),
    "an integer that was not wrapped": ("openai", INTEGER, said("@"), "integer"),
    "a list": ("openai", LIST, said('{"answer": [@]}'), "list"),
    "a list among words": ("openai", LIST, said('Here: {"answer": [@]}'), "list"),
    "an object by a tool": ("anthropic", OBJECT, given({"id": "@"}), "object"),
    "an integer by a tool": ("anthropic", INTEGER, given({"answer": "@"}), "integer"),
    "an object by a tool in pieces": (
        "anthropic",
        OBJECT,
        given_in_a_stream(
            {"name": "give_answer", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"id": '},
            {"type": "input_json_delta", "partial_json": "@}"},
        ),
        "object",
    ),
    "an object whole in a stream": (
        "anthropic",
        OBJECT,
        given_in_a_stream({"name": "give_answer", "input": {"id": "@"}}),
        "object",
    ),
}


def called(arguments: Any) -> dict[str, Any]:
    function = {"name": "book", "arguments": arguments}
    message = {"tool_calls": [{"id": "c", "function": function}]}
    return {"json": {"model": "m-1", "choices": [{"message": message, "finish_reason": "tool_calls"}]}}


def called_in_pieces(arguments: Any) -> dict[str, Any]:
    delta = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "book", "arguments": arguments}}]}
    return {"events": [{"model": "m-1", "choices": [{"index": 0, "delta": delta}]}, CALLS]}


WRITTEN = '{"number": @, "of": [@]}'
ARGUMENTS = {"number": "@", "of": ["@"]}
TOOL_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "as JSON": ("openai", called(WRITTEN)),
    "as JSON in JSON": ("openai", called(json.dumps(WRITTEN))),
    "as an object": ("openai", called(ARGUMENTS)),
    "as JSON in pieces": ("openai", called_in_pieces(WRITTEN)),
    "as an object in a piece": ("openai", called_in_pieces(ARGUMENTS)),
    "as a block whole in a stream": ("anthropic", given_in_a_stream({"name": "book", "input": ARGUMENTS})),
    "as a block in pieces": (
        "anthropic",
        given_in_a_stream({"name": "book", "input": {}}, {"type": "input_json_delta", "partial_json": WRITTEN}),
    ),
    "as an object in a delta": (
        "anthropic",
        given_in_a_stream({"name": "book", "input": {}}, {"type": "input_json_delta", "partial_json": ARGUMENTS}),
    ),
}
SENT = {"openai": said("Sent."), "anthropic": {"json": {"model": "m-1", "content": "Sent.", "stop_reason": "end_turn"}}}


def written(answer: dict[str, Any], digits: str) -> Answer:
    """Put the digits where an answer says @: as a number, in its own JSON and in JSON within its texts."""
    kind, content = next(iter(answer.items()))
    bodies = [json.dumps(one).replace('"@"', digits).replace("@", digits) for one in _listed(content)]
    if kind == "json":
        return Answer(body=bodies[0].encode(), headers={"Content-Type": "application/json"})
    events = "".join(f"data: {body}\n\n" for body in bodies)
    return Answer(body=events.encode(), headers={"Content-Type": "text/event-stream"})


def _listed(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]


def connect(bench: AgentBench, field: CountingServer, dialect: str, answers: list[Answer]) -> None:
    base, path = PATHS[dialect]
    field.route("POST", path, answers)
    bench.model("main", dialect, base_url=field.url + base)


@pytest.mark.parametrize("digits", LARGE)
@pytest.mark.parametrize("way", ANSWERS)
async def test_an_answer_by_schema_has_all_digits(
    bench: AgentBench, field: CountingServer, way: str, digits: str
) -> None:
    dialect, schema, answer, shape = ANSWERS[way]
    for number, value in (("7", 7), ("9007199254740992", 2**53), (digits, LARGE[digits])):
        connect(bench, field, dialect, [written(answer, number)])
        expected = {"object": {"id": value}, "integer": value, "list": [value]}[shape]
        assert await bench.ask(prompt="Which?", response_schema=schema) == expected


@pytest.mark.parametrize("digits", LARGE)
@pytest.mark.parametrize("way", TOOL_CALLS)
async def test_a_tool_is_given_all_digits(bench: AgentBench, field: CountingServer, way: str, digits: str) -> None:
    dialect, call = TOOL_CALLS[way]
    bench.tool_connection("shop")
    bench.tools.route("POST", "/api/orders/*", Answer(body={"state": "sent"}))
    for number, value in (("7", 7), (digits, LARGE[digits])):
        connect(bench, field, dialect, [written(call, number), written(SENT[dialect], number)])
        assert await bench.ask(prompt="Book it", tools=[BOOK]) == "Sent."
        asked = bench.tools.calls[-1]
        assert (asked.path, asked.json()) == (f"/api/orders/{value}", {"of": [value]})


@pytest.mark.parametrize("way", TOOL_CALLS)
async def test_a_whole_number_with_a_fraction_is_the_same_thing_in_an_address(
    bench: AgentBench, field: CountingServer, way: str
) -> None:
    dialect, call = TOOL_CALLS[way]
    bench.tool_connection("shop")
    for method in ("POST", "GET"):
        bench.tools.route(method, "/api/orders/*", Answer(body={"state": "sent"}))
    for number, value in (("5", 5), ("5.0", 5), ("1e3", 1000), ("-0.0", 0)):
        connect(bench, field, dialect, [written(call, number), written(SENT[dialect], number)] * 2)
        assert await bench.ask(prompt="Book it", tools=[BOOK]) == "Sent."
        assert bench.tools.calls[-1].path == f"/api/orders/{value}"
        assert await bench.ask(prompt="Book it", tools=[{**BOOK, "method": "GET"}]) == "Sent."
        assert bench.tools.calls[-1].target == f"/api/orders/{value}?of={value}"


async def test_the_schema_still_bounds_what_is_kept_as_text(bench: AgentBench, field: CountingServer) -> None:
    bounded = {"type": "object", "properties": {"id": {"type": "integer", "maximum": 2**53}}}
    connect(bench, field, "openai", [written(said('{"id": @}'), "9007199254740992")])
    assert await bench.ask(prompt="Which?", response_schema=bounded) == {"id": 2**53}
    connect(bench, field, "openai", [written(said('{"id": @}'), "9007199254740993")])
    failure = await bench.fail(prompt="Which?", response_schema=bounded)
    assert failure.code == "LLM_REPLY_INVALID"
    assert "at most" in str(failure.details)
