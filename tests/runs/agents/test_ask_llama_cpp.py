"""llama.cpp's own server with a small model: what `llm_agent` makes of its answers, its errors and its silences.

Skipped, with a sentence, where neither is to be had; `tests/support/llama_server.py` says how they are found.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from devserver.processes import free_port
from examples.model_server import ModelServer
from kernel.egress import open_client
from runs.step_api.base import StepFailed
from runs.step_api.language_models import Message, Tool, ToolCall
from tests.support.agent_bench import AgentBench, AgentContext
from tests.support.http_server import Answer, CountingServer
from tests.support.llama_server import CONTEXT, llama_argv, llama_server
from tests.support.model_server import LOOPBACK, asking
from tests.support.process_ends import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
QUESTION = "What is the capital of France?"
BASES = {"openai": "/v1", "anthropic": ""}
CLOSED = {
    "type": "object",
    "properties": {"refund": {"type": "boolean"}, "mood": {"enum": ["good", "bad"]}},
    "required": ["refund", "mood"],
    "additionalProperties": False,
}
ANCHORED = {
    "type": "object",
    "properties": {"word": {"$ref": "#word"}},
    "required": ["word"],
    "$defs": {"word": {"$anchor": "word", "type": "string"}},
}
LOOK = {
    "name": "look",
    "client_ref": "shop",
    "path": "/orders/{number}",
    "parameters": {"type": "object", "required": ["number"], "properties": {"number": {"type": "string"}}},
}
LIKE_THIS = [
    turn
    for number in ("B2", "C3")
    for turn in (
        {"role": "user", "content": f"Look up order {number}"},
        {
            "role": "assistant",
            "content": f'<tool_call>\n{{"name": "look", "arguments": {{"number": "{number}"}}}}\n</tool_call>',
        },
    )
]
"""A small model does what it has done before."""


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has loaded its model."""
    folder, port = tmp_path_factory.mktemp("llama"), free_port()
    url = f"http://127.0.0.1:{port}"
    with llama_server(llama_argv(), folder, port=port, key="key") as process:
        assert eventually(lambda: is_up(url) or process.poll() is not None, seconds=300)
        assert process.poll() is None, (folder / f"llama-{port}.log").read_text()
        yield url


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
async def nowhere() -> AsyncIterator[AgentBench]:
    """A tenant whose models are elsewhere than the bench's own."""
    with ModelServer(key="key") as unused, CountingServer() as tools:
        async with open_client(LOOPBACK) as client:
            yield AgentBench(unused, tools, AgentContext(client))


@pytest.fixture
def llama_bench(nowhere: AgentBench, llama: str) -> AgentBench:
    nowhere.model("main", base_url=f"{llama}/v1")
    return nowhere


@pytest.fixture(params=["openai", "anthropic"])
def either(request: pytest.FixtureRequest, nowhere: AgentBench, llama: str) -> AgentBench:
    """The tenant's connection ``main`` of either wire format; the server speaks both."""
    nowhere.model("main", request.param, base_url=llama + BASES[request.param])
    return nowhere


async def test_an_answer_is_heard_in_pieces_and_counted(either: AgentBench) -> None:
    answer = await either.ask(QUESTION, max_tokens=100, temperature=0)
    assert isinstance(answer, str)
    assert len(either.heard) > 2
    assert "".join(either.heard) == answer
    (used,) = either.usage
    assert not used.is_estimated
    assert used.input_tokens > 10
    assert len(either.heard) <= used.output_tokens <= 100


async def test_a_whole_answer_is_the_streamed_one(llama_bench: AgentBench, llama: str) -> None:
    llama_bench.model("whole", base_url=f"{llama}/v1", stream="never")
    streamed, whole = [
        await llama_bench.ask(QUESTION, llm_ref=ref, max_tokens=100, temperature=0) for ref in ("main", "whole")
    ]
    assert whole == streamed


async def test_a_model_is_held_to_a_schema(llama_bench: AgentBench) -> None:
    answer = await llama_bench.ask("All good. Refund?", response_schema=CLOSED, temperature=0)
    assert isinstance(answer, dict)
    assert (answer["refund"] in (True, False), answer["mood"] in ("good", "bad")) == (True, True)
    moods = await llama_bench.ask(
        "How is everybody?", response_schema={"type": "array", "items": {"enum": ["good"]}, "maxItems": 3}
    )
    assert isinstance(moods, list)
    assert {"good"}.issuperset(moods)


async def test_a_schema_the_server_cannot_hold_a_model_to_is_asked_otherwise(
    llama_bench: AgentBench, llama: str
) -> None:
    asked = {"messages": [Message("user", QUESTION)], "temperature": 0, "max_tokens": 60}
    llama_bench.model("strict", base_url=f"{llama}/v1", schema_mode="json_schema")
    strict = llama_bench.context.models["strict"].provider
    assert (await strict.complete(asking(response_schema=CLOSED, **asked))).text.startswith("{")
    with pytest.raises(StepFailed) as refused:
        await strict.complete(asking(response_schema=ANCHORED, **asked))
    assert refused.value.code == "LLM_BAD_REQUEST"
    assert "schema" in str(refused.value.details["provider_message"])

    reply = await llama_bench.context.models["main"].provider.complete(asking(response_schema=ANCHORED, **asked))
    assert reply.text.lstrip().startswith("{")


async def test_tools_are_called_and_their_answers_read(llama_bench: AgentBench) -> None:
    llama_bench.tool_connection("shop")
    llama_bench.tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
    answer = await llama_bench.ask(
        prompt="Look up order A17", messages=LIKE_THIS, tools=[LOOK], temperature=0, max_tokens=60
    )
    assert llama_bench.tools.calls[0].path == "/api/orders/A17"
    assert answer
    assert len(llama_bench.usage) == len(llama_bench.tools.calls) + 1
    assert not any(used.is_estimated for used in llama_bench.usage)


@pytest.mark.parametrize(("mode", "paths"), [("auto", []), ("prompt", ["/api/orders/A17"])])
async def test_tools_and_a_schema_go_together_where_the_schema_is_put_in_words(
    llama_bench: AgentBench, llama: str, mode: str, paths: list[str]
) -> None:
    llama_bench.model("main", base_url=f"{llama}/v1", schema_mode=mode)
    llama_bench.tool_connection("shop")
    llama_bench.tools.route("GET", "/api/orders/*", Answer(body={"state": "sent"}))
    with suppress(StepFailed):
        await llama_bench.ask(
            prompt="Look up order A17",
            messages=LIKE_THIS,
            tools=[LOOK],
            response_schema=CLOSED,
            temperature=0,
            max_tokens=60,
        )
    assert [call.path for call in llama_bench.tools.calls[:1]] == paths


async def test_a_call_whose_arguments_broke_off_does_no_harm(llama_bench: AgentBench) -> None:
    look = Tool("look", "Finds an order.", LOOK["parameters"])  # type: ignore[arg-type]
    for arguments in ({"number": "A17"}, '{"number": "'):
        said = [
            Message("user", "Look up order A17"),
            Message("assistant", tool_calls=(ToolCall("c1", "look", arguments),)),
            Message("tool", '{"state": "sent"}', call_id="c1"),
        ]
        reply = await llama_bench.context.models["main"].provider.complete(
            asking(*said, tools=(look,), temperature=0, max_tokens=20)
        )
        assert reply.text or reply.tool_calls


async def test_an_answer_ends_at_max_tokens_and_at_a_stop(either: AgentBench) -> None:
    whole = await either.ask(QUESTION, max_tokens=100, temperature=0)
    cut = await either.fail(QUESTION, max_tokens=4, temperature=0)
    assert (cut.code, cut.details["reason"]) == ("LLM_REPLY_CUT", "length")
    assert str(whole).startswith(str(cut.details["text"]))
    assert either.usage[0].output_tokens == 4

    word = str(whole).split()[2]
    stopped = await either.ask(QUESTION, max_tokens=100, temperature=0, stop=[word])
    assert str(stopped) == str(whole)[: str(whole).index(word)]


async def test_an_answer_ends_where_the_context_does(llama_bench: AgentBench) -> None:
    full = await llama_bench.fail("word " * (CONTEXT - 100), max_tokens=2 * CONTEXT, extra={"ignore_eos": True})
    assert (full.code, full.details["reason"]) == ("LLM_REPLY_CUT", "length")
    (used,) = llama_bench.usage
    assert CONTEXT - 2 <= used.input_tokens + used.output_tokens <= CONTEXT


async def test_a_prompt_beyond_the_context_is_called_that(either: AgentBench) -> None:
    failure = await either.fail("word " * 2 * CONTEXT)
    assert (failure.code, failure.retryable, failure.host_failed) == ("LLM_CONTEXT_TOO_LONG", False, False)
    assert f"({CONTEXT} tokens)" in str(failure.details["provider_message"])
    assert list(either.usage) == []


async def test_a_wrong_key_and_a_wrong_address_are_told_apart(either: AgentBench, llama: str) -> None:
    assert await either.ask(QUESTION, max_tokens=100)
    kind = either.context.models["main"].provider_name
    either.model("main", kind, base_url=llama + BASES[kind], secret="another-key")
    either.model("elsewhere", kind, base_url=f"{llama}/nothing{BASES[kind]}")
    failures = [await either.fail(QUESTION, llm_ref=ref) for ref in ("main", "elsewhere")]
    assert [failure.code for failure in failures] == ["LLM_AUTH_FAILED", "LLM_API_NOT_FOUND"]
    assert not any(failure.retryable or failure.host_failed for failure in failures)


async def test_the_one_model_answers_by_whatever_name_and_usage_says_which(llama_bench: AgentBench) -> None:
    assert await llama_bench.ask(QUESTION, model="no-such-model", max_tokens=100)
    assert llama_bench.usage[0].model not in ("", "no-such-model")


async def test_while_it_loads_its_model_asking_later_helps(nowhere: AgentBench, llama: str, tmp_path: Path) -> None:
    port = free_port()
    nowhere.model("main", base_url=f"http://127.0.0.1:{port}/v1")
    failures: list[StepFailed] = []
    with llama_server(llama_argv(), tmp_path, port=port, key="key"):
        until = time.monotonic() + 300
        while time.monotonic() < until:
            try:
                await nowhere.ask(QUESTION, max_tokens=100)
                break
            except StepFailed as failure:
                failures.append(failure)
    assert {failure.code for failure in failures} == {"LLM_CONNECTION_FAILED", "LLM_SERVER_ERROR"}
    assert all(failure.retryable for failure in failures)
    assert "Loading model" in str(failures[-1].details)


async def test_nobody_s_answer_is_written_on(llama_bench: AgentBench, llama: str) -> None:
    endless: dict[str, Any] = {"max_tokens": 450, "extra": {"ignore_eos": True}}
    going = asyncio.create_task(llama_bench.ask(QUESTION, **endless))
    assert await later(lambda: is_writing(llama) and bool(llama_bench.heard))
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert await later(lambda: not is_writing(llama), seconds=5)

    main = llama_bench.context.models["main"]
    llama_bench.context.models["main"] = replace(main, timeout_seconds=1.0)
    assert (await llama_bench.fail(QUESTION, **endless)).code == "LLM_TIMED_OUT"
    assert await later(lambda: not is_writing(llama), seconds=5)


def is_writing(url: str) -> bool:
    slots = httpx.get(f"{url}/slots", headers={"authorization": "Bearer key"}, trust_env=False).json()
    return any(slot["is_processing"] for slot in slots)


async def later(condition: Any, *, seconds: float = 60) -> bool:
    return await asyncio.to_thread(eventually, condition, seconds=seconds)


async def test_a_connection_the_server_has_closed_meanwhile_is_no_failure(llama_bench: AgentBench) -> None:
    first = await llama_bench.ask(QUESTION, max_tokens=100, temperature=0)
    await asyncio.sleep(6)
    assert await llama_bench.ask(QUESTION, max_tokens=100, temperature=0) == first


def test_the_server_speaks_for_itself(llama: str) -> None:
    answer = httpx.get(f"{llama}/health", trust_env=False)
    assert (answer.headers["server"], json.loads(answer.text)) == ("llama.cpp", {"status": "ok"})
