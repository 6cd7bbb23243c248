"""A connection's secret that its model says is cut out wherever the answer goes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from examples.model_server import Call, Reply
from kernel.redaction import CUT, hidden_texts
from runs.step_api.base import StepFailed
from tests.support.agent_bench import AgentBench

SECRET = "sk-very/secret:123"
WORDS = f"Your key is {SECRET}, is it not?"
SCHEMA = {"type": "object", "properties": {"label": {"type": "string"}}}


@pytest.fixture
def known(bench: AgentBench) -> AgentBench:
    """The bench, its connection holding a secret."""
    model = bench.context.models["main"]
    bench.context.models["main"] = replace(model, secrets=lambda: hidden_texts(SECRET))
    return bench


def everything(bench: AgentBench) -> str:
    """All that is stored and shown of the attempt."""
    return json.dumps([bench.journal, "".join(bench.heard), [str(used) for used in bench.usage]])


def whole(content: str | None, finish: str = "stop", model: str = "m-1", **message: Any) -> Reply:
    choice = {"message": {"content": content, **message}, "finish_reason": finish}
    return Reply(raw=json.dumps({"model": model, "choices": [choice]}).encode())


async def test_it_is_cut_out_of_the_answer_and_of_what_is_heard_of_it(known: AgentBench) -> None:
    known.says("Your key is another, is it not?")
    assert await known.ask(prompt="x") == "Your key is another, is it not?"
    known.says(WORDS)

    assert await known.ask(prompt="x") == f"Your key is {CUT}, is it not?"
    assert "".join(known.heard).endswith(f"Your key is {CUT}, is it not?")
    assert SECRET not in everything(known)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_it_is_cut_out_however_it_comes_in_pieces(known: AgentBench, size: int) -> None:
    said = f"{WORDS} Then sk- and sk-very"
    pieces = [said[start : start + size] for start in range(0, len(said), size)]
    chunks: list[Any] = [{"choices": [{"delta": {"content": piece}, "finish_reason": None}]} for piece in pieces]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    known.says(Reply(raw=b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)))

    right = f"Your key is {CUT}, is it not? Then sk- and sk-very"
    assert await known.ask(prompt="x") == right
    assert "".join(known.heard) == right


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (whole(WORDS, "length"), "LLM_REPLY_CUT"),
        (whole("hi", SECRET), "LLM_REPLY_CUT"),
        (whole(None, refusal=WORDS), "LLM_REFUSED"),
        (Reply(raw=json.dumps({"oops": SECRET}).encode()), "LLM_REPLY_UNREADABLE"),
    ],
)
async def test_it_is_cut_out_of_failures(known: AgentBench, reply: Reply, code: str) -> None:
    known.says(reply)
    failure = await known.fail(prompt="x")
    assert failure.code == code
    assert SECRET not in json.dumps([failure.message, failure.details]) + everything(known)


async def test_it_is_cut_out_of_values_however_they_are_written(known: AgentBench) -> None:
    for written in (json.dumps({"label": SECRET}), json.dumps({"label": SECRET}).replace("v", "\\u0076")):
        known.says(whole(written))
        assert await known.ask(prompt="x", response_schema=SCHEMA) == {"label": CUT}


async def test_it_is_cut_out_of_names_and_reasoning(known: AgentBench) -> None:
    known.says(whole("hi", model=SECRET, reasoning_content=WORDS))
    assert await known.ask(prompt="x") == "hi"
    assert CUT in everything(known)
    assert SECRET not in everything(known)


async def test_no_tool_is_given_it(known: AgentBench) -> None:
    tool = {"name": "look", "client_ref": "shop", "path": "/{number}"}
    parameters = {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}}
    known.tool_connection("shop")
    known.says(Reply(calls=(Call("look", {"number": SECRET}, "c"),), finish="tool_calls"), "done")

    assert await known.ask(prompt="x", tools=[{**tool, "parameters": parameters}]) == "done"
    assert [call.path for call in known.tools.calls] == ["/api/%5Bcut%5D"]
    assert SECRET not in everything(known)


async def test_no_tool_is_given_one_of_digits_as_a_number(bench: AgentBench) -> None:
    parameters = {"type": "object", "required": ["number"], "properties": {"number": {"type": ["integer", "string"]}}}
    tool = {"name": "look", "client_ref": "shop", "path": "/find", "parameters": parameters}
    bench.tool_connection("shop")
    for secret, sent in (("another", "4815162342"), ("4815162342", CUT)):
        hidden = hidden_texts(secret)
        bench.context.models["main"] = replace(bench.context.models["main"], secrets=lambda hidden=hidden: hidden)
        bench.says(Reply(calls=(Call("look", {"number": 4815162342}, "c"),), finish="tool_calls"), "done")
        assert await bench.ask(prompt="x", tools=[tool]) == "done"
        assert bench.tools.calls[-1].query == {"number": [sent]}


async def test_a_provider_s_own_failure_does_not_tell_it(known: AgentBench) -> None:
    class Telling:
        async def complete(self, *_args: Any, **_options: Any) -> Any:
            raise StepFailed("LLM_SERVER_ERROR", WORDS, details={"provider_message": WORDS})

    known.context.models["main"] = replace(known.context.models["main"], provider=Telling())
    failure = await known.fail(prompt="x")
    assert failure.details == {"provider_message": f"Your key is {CUT}, is it not?"}
    assert SECRET not in failure.message
