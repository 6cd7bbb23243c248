"""No line of a stream that tells of a failure is passed over, and a ping is not taken for one."""

import json
from typing import Any

import pytest

from examples.model_server import Reply
from tests.support.agent_bench import AgentBench

HALF = b'data: {"choices": [{"delta": {"content": "half"}, "finish_reason": null}]}\n\n'
USAGE = b'"usage": {"prompt_tokens": 5, "completion_tokens": 7}'
END = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}], %s}\n\n' % USAGE
DONE = b"data: [DONE]\n\n"
TOO_LONG = '{"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}'


def streamed(*lines: bytes) -> Reply:
    return Reply(raw=b"".join(lines))


@pytest.mark.parametrize("name", ["", ": kept alive\n\n", "id: 7\n\n", "retry: 3000\n\n", "event: chunk\n\n"])
async def test_lines_every_stream_may_have_say_nothing(bench: AgentBench, name: str) -> None:
    bench.says(streamed(HALF, name.encode(), END, DONE))
    assert await bench.ask(prompt="x") == "half"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"error: {TOO_LONG}\n\n", "LLM_CONTEXT_TOO_LONG"),
        (f"error: {TOO_LONG}\n", "LLM_CONTEXT_TOO_LONG"),
        (f'{{"error": {TOO_LONG}}}\n\n', "LLM_CONTEXT_TOO_LONG"),
        ('{"error": {"message": "boom", "code": 500}}\n\n', "LLM_SERVER_ERROR"),
        ('{"error": {"message": "slow down", "code": 429}}\n\n', "LLM_RATE_LIMITED"),
        ('Error: {"message": "boom"}\n\n', "LLM_SERVER_ERROR"),
        ("err: x\n\n", "LLM_SERVER_ERROR"),
        ("error:\n\n", "LLM_SERVER_ERROR"),
        ("Internal Server Error\n\n", "LLM_SERVER_ERROR"),
        ("<html><body>502 Bad Gateway</body></html>\n\n", "LLM_SERVER_ERROR"),
        ("upstream connect error or disconnect/reset before headers. reset reason: overflow\n\n", "LLM_SERVER_ERROR"),
        ("event: error\n\n", "LLM_SERVER_ERROR"),
        ("event: error\ndata:\n\n", "LLM_SERVER_ERROR"),
        ('event: error\ndata: {"type": "busy", "message": "x"}\n\n', "LLM_SERVER_ERROR"),
        ('event: exception\ndata: {"message": "x"}\n\n', "LLM_SERVER_ERROR"),
        ('data: {"error_code": 336100, "error_msg": "busy"}\n\n', "LLM_SERVER_ERROR"),
        ('data: {"errorMessage": "x", "errorType": "y"}\n\n', "LLM_SERVER_ERROR"),
        ('data: {"internalServerException": {"message": "x"}}\n\n', "LLM_SERVER_ERROR"),
        (
            'data: {"throttlingException": {"message": "Too many requests, try again in 3 seconds"}}\n\n',
            "LLM_RATE_LIMITED",
        ),
        ('data: {"error_msg": "prompt is too long: 9 tokens"}\n\n', "LLM_CONTEXT_TOO_LONG"),
    ],
)
async def test_a_line_that_tells_of_a_failure_is_one_by_its_words(bench: AgentBench, line: str, code: str) -> None:
    bench.says(streamed(HALF, END, DONE))
    assert await bench.ask(prompt="x") == "half"
    bench.says(streamed(HALF, line.encode(), END, DONE))

    failure = await bench.fail(prompt="x")

    assert failure.code == code
    assert len(bench.usage) == 1, "what had come is counted"


@pytest.mark.parametrize("rest", [b'data: {"id": "x", "choi', b"dat", b'data: {"choices": [{"delta": {"content": "h'])
async def test_an_event_that_was_cut_in_two_is_a_connection_that_broke_off(bench: AgentBench, rest: bytes) -> None:
    bench.says(streamed(HALF, END))
    assert await bench.ask(prompt="x") == "half"
    bench.says(streamed(HALF, rest))
    assert (await bench.fail(prompt="x")).code == "LLM_CONNECTION_FAILED"


async def test_an_error_that_is_all_that_came_is_blamed_by_its_words(bench: AgentBench) -> None:
    bench.says(streamed(f"error: {TOO_LONG}\n\n".encode(), DONE))
    assert (await bench.fail(prompt="x")).code == "LLM_CONTEXT_TOO_LONG"
    bench.says(streamed(b"Internal Server Error\n"))
    assert (await bench.fail(prompt="x")).code == "LLM_REPLY_UNREADABLE"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_an_error_nobody_knows_is_no_plain_end_in_either_format(bench: AgentBench, provider: str) -> None:
    bench.model("main", provider)
    bench.says("Hello.")
    assert await bench.ask(prompt="x") == "Hello."
    events: list[Any] = [
        {"type": "message_start", "message": {"model": "m-1", "content": [], "stop_reason": None}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}},
        {"modelStreamErrorException": {"message": "it broke"}},
        {"type": "message_stop"},
    ]
    spoken = b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)
    bench.says(Reply(raw=spoken if provider == "anthropic" else HALF + spoken.split(b"\n\n")[2] + b"\n\n" + END + DONE))
    assert (await bench.fail(prompt="x")).code == "LLM_SERVER_ERROR"


@pytest.mark.parametrize(
    "ping",
    ["data: : OPENROUTER PROCESSING", "data: ping", 'data: "ping"', "data: [heartbeat]", "data: keep-alive", "data:"],
)
async def test_keeping_a_connection_alive_within_the_data_says_nothing(bench: AgentBench, ping: str) -> None:
    line = f"{ping}\n\n".encode()
    bench.says(streamed(line, HALF, line, END, line, DONE))

    assert await bench.ask(prompt="x") == "half"
    assert [(used.input_tokens, used.output_tokens, used.is_estimated) for used in bench.usage] == [(5, 7, False)]

    bench.says(streamed(b"data: nonsense\n\n", HALF, END, DONE))
    assert (await bench.fail(prompt="x")).code == "LLM_REPLY_UNREADABLE"
