"""Services that send too much, or in odd ways: bounded, linear, the event loop free meanwhile."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from kernel.egress import EgressClient
from runs.providers.decoding import storable_text
from runs.providers.event_stream import EVENTS_AT_ONCE, MAX_EVENT_BYTES, MAX_EVENTS, split_events
from runs.providers.reasoning import MAX_BLOCKS
from runs.providers.registry import build_provider
from runs.step_api.base import StepFailed
from runs.step_api.language_models import CompletionReply
from tests.support.http_server import Answer, CountingServer
from tests.support.loop_holds import measured_holds
from tests.support.model_server import asking

MOST_HELD = 0.02
CHECKOUT = Path(__file__).parents[3]
OURS = tuple(f"{CHECKOUT / folder}/" for folder in ("platform", "runs"))
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


ENDS = {"openai": (delta("end", "stop"), b"data: [DONE]\n\n"), "anthropic": (b'data: {"type":"message_stop"}\n\n',)}
PIECES = {
    "text": ("openai", delta("w ")),
    "nothing": ("openai", b'data: {"choices":[]}\n\n'),
    "comments": ("openai", b": here\n\n"),
    "named text": (
        "anthropic",
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"w "}}\n\n',
    ),
}
MOST_CALLS = {"text": 19, "nothing": 14, "comments": 4, "named text": 14}
"""Of our own functions, for an event: to find, read and judge it, and to put its text to the others."""


@pytest.fixture
def stream_of(http_client: EgressClient) -> Any:
    """A stream of so many pieces of a kind, as a model's service may send at once; heard by whoever says so."""
    with CountingServer() as server:

        async def stream_of(kind: str, count: int, hear: Callable[[str], None] = lambda _text: None) -> CompletionReply:
            name, piece = PIECES[kind]
            path = f"/{kind.replace(' ', '_')}/{count}"
            provider = build_provider(name, http_client=http_client, base_url=server.url + path)
            server.route(
                "POST",
                path + ("/chat/completions" if name == "openai" else "/v1/messages"),
                streamed(*[piece] * count, *ENDS[name]),
            )
            return await provider.complete(asking("Hello?"), on_delta=hear)

        yield stream_of


async def calls_of(work: Awaitable[Any]) -> int:
    """How many functions of ours this thread calls meanwhile."""
    count = 0

    def note(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(OURS)

    sys.setprofile(note)
    try:
        await work
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", PIECES)
async def test_an_event_takes_few_calls(stream_of: Any, kind: str) -> None:
    await stream_of(kind, 10)
    few, many = await calls_of(stream_of(kind, 1_000)), await calls_of(stream_of(kind, 5_000))
    an_event = (many - few) / 4_000
    assert an_event < MOST_CALLS[kind], an_event


async def test_of_a_tenant_s_streams_one_is_read_on_at_a_time(stream_of: Any) -> None:
    at_once: list[int] = []
    heard = 0

    def hear(text: str) -> None:
        nonlocal heard
        heard += len(text) // 2

    async def neighbour() -> None:
        nonlocal heard
        while True:
            heard = 0
            await asyncio.sleep(0)
            at_once.append(heard)

    beside = asyncio.create_task(neighbour())
    replies = await asyncio.gather(*(stream_of("text", 5_000, hear) for _ in range(8)))
    beside.cancel()
    assert {reply.text for reply in replies} == {"w " * 5_000 + "end"}
    assert sum(at_once) >= 40_000
    assert max(at_once) <= 2 * EVENTS_AT_ONCE, max(at_once)


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

    found = [event async for events in split_events(pieces()) for event in events]
    assert found == [b"data: %d%s" % (number, ends) for number in range(50)]


@pytest.mark.parametrize("value", [1, 2**70, "ok", {"a": ["b", None, 1.5]}, [[[]]]])
def test_what_can_be_kept_is_left_as_it_is(value: Any) -> None:
    assert storable_text(value) == value


def test_what_cannot_be_kept_is_replaced() -> None:
    assert storable_text({"a\0": ["\ud800x", {"b": "\0"}]}) == {"a�": ["�x", {"b": "�"}]}
