"""A model is asked, in one piece or streamed, and tells what it took."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from examples.model_server import Reply
from runs.step_api.language_models import Message
from tests.support.model_server import ModelBench, asking

LLAMA_EVENTS = {
    "openai": (
        {"choices": [{"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"finish_reason": None, "index": 0, "delta": {"content": "Hello"}}]},
        {"choices": [{"finish_reason": "stop", "index": 0, "delta": {}}]},
    ),
    "anthropic": (
        {
            "type": "message_start",
            "message": {"type": "message", "content": [], "usage": {"input_tokens": 9, "output_tokens": 0}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ),
}


def _stream(events: Sequence[Any]) -> bytes:
    """Write a stream as llama.cpp's server does: it promises to keep the connection."""
    head = "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    chunks = [f"data: {json.dumps(event)}\n\n" for event in events]
    written = "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks)
    return f"{head}Keep-Alive: timeout=5, max=100\r\n\r\n{written}0\r\n\r\n".encode()


async def test_a_plain_answer_has_text_model_tokens_and_the_service_s_name_of_the_call(bench: ModelBench) -> None:
    reply = await bench.ask("How are you?")

    assert reply.text == "You asked: How are you?"
    assert reply.model.startswith("m-1")
    assert reply.finish_reason == "stop"
    assert reply.request_id == "req_00000001"
    assert reply.tokens.output_tokens == 6
    assert reply.tokens.input_tokens > 3
    assert not reply.tokens.is_estimated


async def test_a_streamed_answer_comes_in_pieces_and_is_the_same_in_the_end(bench: ModelBench) -> None:
    pieces: list[str] = []
    streamed = await bench.ask("How are you?", on_delta=pieces.append)

    assert pieces == ["You", " asked:", " How", " are", " you?"]
    assert streamed == replace(await bench.ask("How are you?"), request_id="req_00000001")
    assert [asked.streamed for asked in bench.server.asked] == [True, False]


async def test_system_prompts_and_earlier_turns_reach_the_model(bench: ModelBench) -> None:
    await bench.ask(
        Message("system", "Be brief."),
        Message("system", "Be kind."),
        Message("user", "One?"),
        Message("assistant", "One."),
        Message("user", "Two?"),
    )

    asked = bench.server.asked[0]
    assert asked.system.split() == ["Be", "brief.", "Be", "kind."]
    assert asked.prompt == "Two?"
    assert [turn["role"] for turn in asked.body["messages"] if turn["role"] != "system"] == [
        "user",
        "assistant",
        "user",
    ]


async def test_temperature_length_and_key_go_along(bench: ModelBench) -> None:
    await bench.ask(temperature=0.2, max_tokens=77, idempotency_key="run.step.1")

    asked = bench.server.asked[0]
    assert asked.body["temperature"] == 0.2
    assert asked.body["max_tokens"] == 77
    assert asked.headers["idempotency-key"] == "run.step.1"


async def test_an_unset_temperature_is_the_service_s_own(bench: ModelBench) -> None:
    await bench.ask()

    assert "temperature" not in bench.server.asked[0].body


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_cut_off_by_its_length_says_so(bench: ModelBench, *, streams: bool) -> None:
    bench.answers(Reply("Once upon a", finish="length"))

    reply = await bench.ask(on_delta=(lambda _text: None) if streams else None)

    assert (reply.finish_reason, reply.text) == ("length", "Once upon a")


@pytest.mark.parametrize("streams", [False, True])
async def test_tokens_are_guessed_and_marked_where_the_service_tells_none(bench: ModelBench, *, streams: bool) -> None:
    bench.answers(Reply("x" * 400, tells_usage=False))

    reply = await bench.ask("y" * 80, on_delta=(lambda _text: None) if streams else None)

    assert reply.tokens.is_estimated
    assert reply.tokens.output_tokens == 100
    assert 20 <= reply.tokens.input_tokens <= 30


@pytest.mark.parametrize("streams", [False, True])
async def test_a_model_that_refuses_replies_and_its_tokens_count(bench: ModelBench, *, streams: bool) -> None:
    bench.answers(Reply("I would rather not.", finish="refused"))

    reply = await bench.ask(on_delta=(lambda _text: None) if streams else None)

    assert (reply.finish_reason, reply.text) == ("refused", "I would rather not.")
    assert reply.tokens.output_tokens > 0
    assert not reply.tokens.is_estimated


async def test_an_empty_answer_is_an_answer(bench: ModelBench) -> None:
    bench.answers(Reply(""))

    assert (await bench.ask()).text == ""
    assert (await bench.ask(on_delta=lambda _text: None)).text == ""


async def test_a_provider_serves_many_steps_over_few_connections(bench: ModelBench) -> None:
    provider = bench.provider()
    for _ in range(5):
        await provider.complete(asking())

    assert len(bench.server.asked) == 5
    assert bench.server.connections == 1


async def test_a_server_that_closes_behind_every_stream_without_saying_so_loses_no_call(
    bench: ModelBench,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request as llama.cpp's server does; a second one on the same connection is never read."""
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_stream(LLAMA_EVENTS[bench.name]))
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    provider = bench.provider(base_url=base_url)
    async with listening:
        replies = [await provider.complete(asking(timeout_seconds=5), on_delta=lambda _text: None) for _ in range(3)]
    assert [reply.text for reply in replies] == ["Hello"] * 3


async def test_text_no_journal_could_hold_is_mended(openai: ModelBench) -> None:
    openai.answers(Reply("a\x00b"))
    pieces: list[str] = []

    assert (await openai.ask(on_delta=pieces.append)).text == "a\N{REPLACEMENT CHARACTER}b"
    assert "".join(pieces) == "a\N{REPLACEMENT CHARACTER}b"
    assert (await openai.ask()).text == "a\N{REPLACEMENT CHARACTER}b"
