"""Services that send too much, or in odd ways: bounded, linear, the event loop free meanwhile."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kernel.egress import EgressClient
from runs.providers.decoding import mended
from runs.providers.event_stream import MAX_EVENT_BYTES, MAX_EVENTS, split_events
from runs.providers.reasoning import MAX_BLOCKS
from runs.providers.registry import build_provider
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionReply
from tests.support.http_server import Answer, CountingServer
from tests.support.loop_holds import measured_holds
from tests.support.model_server import asking

MOST_HELD = 0.02
EVENTS = {"Content-Type": "text/event-stream"}
Ask = Callable[..., Any]


@pytest.fixture
def ask(http_client: EgressClient) -> Any:
    """A model of OpenAI's format, answered by whatever a test says."""
    with CountingServer() as server:
        provider = build_provider("openai", http_client=http_client, base_url=f"{server.url}/v1")

        async def ask(answer: Answer, *, streamed: bool = False) -> CompletionReply:
            server.route("POST", "/v1/chat/completions", answer)
            return await provider.complete(asking("Hello?"), on_delta=(lambda _text: None) if streamed else None)

        yield ask


def whole(content: Any) -> Answer:
    return Answer(body={"model": "m", "choices": [{"message": {"content": content}, "finish_reason": "stop"}]})


def delta(text: str, finish: str | None = None) -> bytes:
    said = {"model": "m", "choices": [{"delta": {"content": text}, "finish_reason": finish}]}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def streamed(*events: bytes) -> Answer:
    return Answer(body=b"".join(events), headers=EVENTS)


async def test_a_long_answer_is_read_beside_the_loop(ask: Ask) -> None:
    text = "word " * 150_000
    assert (await ask(whole("short"))).text == "short"
    await ask(whole(text))
    async with measured_holds() as holds:
        reply = await ask(whole(text))
    assert reply.text == text
    assert holds.longest < MOST_HELD


@pytest.mark.parametrize("body", [b"[" * 2_000_000, b'{"a": ' * 400_000, b"9" * 3_000_000, b"[0," * 700_000])
async def test_a_long_answer_that_is_none_ends_the_call_beside_the_loop(ask: Ask, body: bytes) -> None:
    assert (await ask(whole("short"))).text == "short"
    async with measured_holds() as holds:
        with pytest.raises(StepFailed) as failure:
            await ask(Answer(body=body, headers={"Content-Type": "application/json"}))
    assert failure.value.code == "LLM_REPLY_UNREADABLE"
    assert holds.longest < MOST_HELD


async def test_a_long_error_is_not_read(ask: Ask) -> None:
    said = {"error": {"message": "no such model " + "x" * 100, "code": "model_not_found"}}
    with pytest.raises(StepFailed) as short:
        await ask(Answer(404, said))
    assert "provider_message" in short.value.details
    async with measured_holds() as holds:
        with pytest.raises(StepFailed) as long:
            await ask(Answer(404, {**said, "more": [0] * 1_000_000}))
    assert long.value.details == {"status": 404}
    assert holds.longest < MOST_HELD


async def test_a_long_stream_is_read_in_turns(ask: Ask) -> None:
    words = [delta("word ") for _ in range(20_000)]
    async with measured_holds() as holds:
        reply = await ask(streamed(*words, delta("end", "stop"), b"data: [DONE]\n\n"), streamed=True)
    assert reply.text == "word " * 20_000 + "end"
    assert holds.longest < MOST_HELD


@pytest.mark.parametrize(
    "flood",
    [
        b"data: a\n" * 600_000,
        b": comment\n" * 400_000,
        b"a" * 5_000_000,
        delta("x" * (MAX_EVENT_BYTES + 1)),
        b": x\n\n" * (MAX_EVENTS + 1),
    ],
    ids=["one event of many lines", "comments", "one line", "one long event", "many events"],
)
async def test_a_stream_that_floods_ends_the_call_at_once(ask: Ask, flood: bytes) -> None:
    end = (delta("end", "stop"), b"data: [DONE]\n\n")
    assert (await ask(streamed(delta("x" * 50_000), *end), streamed=True)).text == "x" * 50_000 + "end"
    async with measured_holds() as holds:
        with pytest.raises(StepFailed) as failure:
            await ask(streamed(flood, *end), streamed=True)
    assert failure.value.code == "LLM_REPLY_UNREADABLE"
    assert holds.longest < MOST_HELD


async def test_blanks_without_end_are_read_in_turns(ask: Ask) -> None:
    pieces = [delta(" " * 80) for _ in range(20_000)]
    async with measured_holds() as holds:
        reply = await ask(streamed(*pieces, delta("end", "stop"), b"data: [DONE]\n\n"), streamed=True)
    assert reply.text.endswith("end")
    assert holds.longest < MOST_HELD


async def test_a_model_begins_to_think_a_few_times_only(ask: Ask) -> None:
    for blocks in (1, MAX_BLOCKS, 100_000):
        text = (await ask(whole("<think></think>" * blocks + "end"))).text
        assert text == "<think></think>" * max(0, blocks - MAX_BLOCKS) + "end"


def with_calls(calls: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"tool_calls": calls}}]}


@pytest.mark.parametrize("event", [[], 7, with_calls([{"index": []}]), with_calls(7)])
async def test_an_event_of_another_shape_ends_the_call(ask: Ask, event: Any) -> None:
    with pytest.raises(StepFailed) as failure:
        await ask(streamed(b"data: " + json.dumps(event).encode() + b"\n\n"), streamed=True)
    assert failure.value.code == "LLM_REPLY_UNREADABLE"


@pytest.mark.parametrize("ends", [b"\n\n", b"\r\n\r\n", b"\r\r"])
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_events_are_found_however_they_are_cut(ends: bytes, size: int) -> None:
    written = b"".join(b"data: %d%s" % (number, ends) for number in range(50))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(written), size):
            yield written[start : start + size]

    found = [event async for event in split_events(pieces())]
    assert found == [b"data: %d%s" % (number, ends) for number in range(50)]


@pytest.mark.parametrize("value", [1, 2**70, "ok", {"a": ["b", None, 1.5]}, [[[]]]])
def test_what_can_be_kept_is_left_as_it_is(value: Any) -> None:
    assert mended(value) == value


def test_what_cannot_be_kept_is_replaced() -> None:
    assert mended({"a\0": ["\ud800x", {"b": "\0"}]}) == {"a�": ["�x", {"b": "�"}]}
