"""What goes back to a model is what its service takes, which judges turns more strictly than it writes them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

DONE = {
    "main": Answer(body={"choices": [{"message": {"content": "done"}, "finish_reason": "stop"}]}),
    "other": Answer(body={"content": [{"type": "text", "text": "done"}], "stop_reason": "end_turn"}),
}
TOOLS: list[dict[str, Any]] = [
    {"name": "refund", "client_ref": "shop", "method": "POST", "path": "/refund", "parameters": {"type": "object"}}
]
BOTH = pytest.mark.parametrize("ref", ["main", "other"])


@pytest.fixture
def field(bench: AgentBench) -> Iterator[CountingServer]:
    """Where models of both formats answer; the tool is at the bench's own server."""
    bench.tool_connection("shop")
    bench.tools.route("POST", "/api/refund", Answer(body={"ok": True}))
    with CountingServer() as server:
        bench.model("main", base_url=f"{server.url}/v1")
        bench.model("other", "anthropic", base_url=server.url)
        yield server


def asks_for(ref: str, name: str, words: str = "", call_id: str = "t1") -> Answer:
    if ref == "other":
        use = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        return Answer(body={"content": [{"type": "text", "text": words}, use], "stop_reason": "tool_use"})
    call = {"id": call_id, "function": {"name": name, "arguments": "{}"}}
    said = {"content": words, "tool_calls": [call]}
    return Answer(body={"choices": [{"message": said, "finish_reason": "tool_calls"}]})


@pytest.mark.parametrize("words", ["", "\n", "  \n\n"])
async def test_blank_words_beside_a_call_are_no_part_of_what_anthropic_gets_back(
    bench: AgentBench, field: CountingServer, words: str
) -> None:
    field.route("POST", "/*", [asks_for("other", "refund", words), DONE["other"]])
    assert await bench.ask(llm_ref="other", prompt="x", tools=TOOLS) == "done"
    assert [part["type"] for part in field.calls[1].json()["messages"][1]["content"]] == ["tool_use"]


@BOTH
@pytest.mark.parametrize("name", ["functions.refund", "refund money!", "r" * 200, "возврат"])
async def test_a_tool_that_is_none_is_told_under_a_name_that_services_take(
    bench: AgentBench, field: CountingServer, ref: str, name: str
) -> None:
    field.route("POST", "/*", [asks_for(ref, name), DONE[ref]])
    assert await bench.ask(llm_ref=ref, prompt="x", tools=TOOLS) == "done"
    assert bench.tools.calls == []
    turns = field.calls[1].json()["messages"]
    [call] = turns[1]["tool_calls"] if ref == "main" else turns[1]["content"]
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", (call if ref == "other" else call["function"])["name"])
    assert f"There is no tool {name[:64]}" in json.dumps(turns[2], ensure_ascii=False)


@BOTH
async def test_a_call_without_an_id_gets_one_that_every_service_takes(
    bench: AgentBench, field: CountingServer, ref: str
) -> None:
    field.route("POST", "/*", [asks_for(ref, "refund", call_id=""), DONE[ref]])
    assert await bench.ask(llm_ref=ref, prompt="x", tools=TOOLS) == "done"
    turns = field.calls[1].json()["messages"]
    call_id = turns[2]["tool_call_id"] if ref == "main" else turns[2]["content"][0]["tool_use_id"]
    assert re.fullmatch("[a-zA-Z0-9]{9}", call_id)


@BOTH
async def test_blank_turns_of_a_history_are_left_out(bench: AgentBench, field: CountingServer, ref: str) -> None:
    field.route("POST", "/*", DONE[ref])
    history = [("user", "a"), ("assistant", ""), ("assistant", "b"), ("user", " \n")]
    turns = [{"role": role, "content": content} for role, content in history]
    assert await bench.ask(llm_ref=ref, prompt="c", messages=turns) == "done"
    assert [turn["role"] for turn in field.calls[0].json()["messages"]] == ["user", "assistant", "user"]


GREETED = [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "x"}]


async def test_a_user_begins_where_a_history_begins_with_a_greeting(bench: AgentBench, field: CountingServer) -> None:
    field.route("POST", "/*", DONE["other"])
    assert await bench.ask(llm_ref="other", prompt="y", messages=GREETED) == "done"
    assert [turn["role"] for turn in field.calls[0].json()["messages"]] == ["user", "assistant", "user", "user"]


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("Conversation roles must alternate user/assistant/user/assistant/...", {}),
        ("After the optional system message, conversation roles must alternate", {"system_prompt": "Be brief."}),
        ("System message must be at the beginning.", {"messages": [*GREETED, {"role": "system", "content": "Brief"}]}),
    ],
)
async def test_a_template_that_wants_turns_gets_them(
    bench: AgentBench, field: CountingServer, words: str, more: dict[str, Any]
) -> None:
    field.route("POST", "/*", [Answer(400, {"error": {"message": words}}), DONE["main"]])
    assert await bench.ask(prompt="y", **{"messages": GREETED, **more}) == "done"
    turns = field.calls[1].json()["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[-1]["content"] == "x\n\ny"
    assert ("rief" in turns[0]["content"]) is bool(more)


CALL: dict[str, Any] = {"index": 0, "id": "c", "function": {"name": "refund", "arguments": '{"amount": 5}'}}


def choices(*said: tuple[int, dict[str, Any], str | None]) -> Answer:
    written = [{"index": index, "message": message, "finish_reason": end} for index, message, end in said]
    return Answer(body={"choices": written})


def pieces(*said: tuple[int, dict[str, Any], str | None]) -> Answer:
    events = [{"choices": [{"index": index, "delta": delta, "finish_reason": end}]} for index, delta, end in said]
    content = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    return Answer(200, content, {"Content-Type": "text/event-stream"})


WORDS, USES = {"content": "I refund."}, {"tool_calls": [CALL]}
CALLED = {
    "whole": choices((0, WORDS, "stop"), (1, USES, "tool_calls")),
    "whole, one number": choices((0, WORDS, "tool_calls"), (0, USES, "tool_calls")),
    "streamed": pieces((0, WORDS, None), (0, {}, "stop"), (1, USES, None), (1, {}, "tool_calls")),
    "streamed, the call first": pieces((1, USES, None), (0, WORDS, None), (1, {}, "tool_calls"), (0, {}, "stop")),
}


@pytest.mark.parametrize("answer", CALLED.values(), ids=CALLED)
async def test_a_call_in_another_choice_is_made_beside_the_words(
    bench: AgentBench, field: CountingServer, answer: Answer
) -> None:
    field.route("POST", "/*", [answer, DONE["main"]])
    assert await bench.ask(prompt="x", tools=TOOLS) == "done"
    assert [call.json() for call in bench.tools.calls] == [{"amount": 5}]
    assert field.calls[1].json()["messages"][1]["content"] == "I refund."


async def test_a_call_beside_words_that_were_cut_is_not_made(bench: AgentBench, field: CountingServer) -> None:
    field.route("POST", "/*", choices((0, WORDS, "length"), (1, USES, "tool_calls")))
    assert (await bench.fail(prompt="x", tools=TOOLS)).code == "LLM_REPLY_CUT"
    assert bench.tools.calls == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_of_several_choices_in_pieces_the_one_with_the_least_number_counts(
    bench: AgentBench, field: CountingServer, order: tuple[int, int]
) -> None:
    begun = [(number, {"content": f"{number} "}, None) for number in order]
    ended = [(number, {"content": "end"}, "stop") for number in order]
    field.route("POST", "/*", pieces(*begun, *ended))
    assert await bench.ask(prompt="x") == "0 end"
