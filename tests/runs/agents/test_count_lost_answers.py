"""What an answer took is counted although it broke off, or is of no use."""

import json
from typing import Any

import pytest

from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

WORDS = "word " * 1000
END: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
USAGE: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 20}}
ERROR: dict[str, Any] = {"error": {"message": "it broke", "type": "server_error"}}
START: dict[str, Any] = {
    "type": "message_start",
    "message": {"model": "m-1", "content": [], "usage": {"input_tokens": 30, "output_tokens": 1}},
}
SPOKEN: dict[str, Any] = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "text_delta", "text": WORDS},
}
COUNTED: dict[str, Any] = {
    "type": "message_delta",
    "delta": {"stop_reason": None},
    "usage": {"output_tokens": 20},
}
BROKEN: dict[str, Any] = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


THOUGHT: dict[str, Any] = {
    "type": "content_block_delta",
    "index": 0,
    "delta": {"type": "thinking_delta", "thinking": WORDS},
}


def said(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": None}]}


def thought(text: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"reasoning_content": text}, "finish_reason": None}]}


def stream(*events: Any) -> Answer:
    content = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    return Answer(200, content, {"Content-Type": "text/event-stream"})


@pytest.mark.parametrize(
    ("provider", "events", "counted"),
    [
        ("openai", [said(WORDS)], (None, 1250, True)),
        ("openai", [said(WORDS), ERROR], (None, 1250, True)),
        ("openai", [said(WORDS), USAGE, ERROR], (30, 20, False)),
        ("openai", [USAGE, {"choices": [1]}], (30, 20, False)),
        ("anthropic", [START, SPOKEN], (30, 1250, True)),
        ("anthropic", [START, SPOKEN, BROKEN], (30, 1250, True)),
        ("anthropic", [START, SPOKEN, COUNTED, BROKEN], (30, 20, False)),
        ("openai", [thought(WORDS)], (None, 1250, True)),
        ("openai", [said(f"<think>{WORDS}")], (None, 1250, True)),
        ("anthropic", [START, THOUGHT], (30, 1250, True)),
        ("openai", [ERROR], None),
        ("anthropic", [BROKEN], None),
    ],
)
async def test_an_answer_that_broke_off_is_counted(
    bench: AgentBench, provider: str, events: list[Any], counted: tuple[int | None, int, bool] | None
) -> None:
    with CountingServer() as field:
        field.route("POST", "/*", stream(*events))
        bench.model("main", provider, base_url=field.url)

        await bench.fail(prompt="Tell")

    used = [(one.input_tokens, one.output_tokens, one.is_estimated) for one in bench.usage]
    assert len(used) == (counted is not None)
    if counted is not None:
        given, answered, is_estimated = counted
        assert used[0][1:] == (answered, is_estimated)
        assert used[0][0] == given if given else used[0][0] > 0


async def test_a_whole_answer_that_cannot_be_used_is_counted_as_told(bench: AgentBench) -> None:
    usage = {"prompt_tokens": 30, "completion_tokens": 20}
    with CountingServer() as field:
        bench.model("main", base_url=field.url, stream="never")
        field.route("POST", "/*", Answer(body={"choices": [], "usage": usage}))
        assert (await bench.fail(prompt="Tell")).code == "LLM_REPLY_UNREADABLE"
        assert [(one.input_tokens, one.output_tokens) for one in bench.usage] == [(30, 20)]


FOREIGN = [
    Answer(body={"choices": [{"message": WORDS, "finish_reason": "stop"}]}),
    Answer(body={"response": WORDS, "done": True}),
    Answer(body=f'{{"choices": [{{"message": "{WORDS}'.encode(), headers={"Content-Type": "application/json"}),
    stream({"choices": [{"delta": "x"}], "note": WORDS}),
]


@pytest.mark.parametrize("answer", FOREIGN, ids=["message a text", "another format", "broken JSON", "a stream"])
async def test_an_answer_in_no_format_is_guessed(bench: AgentBench, answer: Answer) -> None:
    """The prompt was read and something was said, so it counts for budgets, within the longest answer."""
    with CountingServer() as field:
        bench.model("main", base_url=field.url)
        field.route("POST", "/*", answer)
        assert (await bench.fail(prompt=WORDS, max_tokens=900)).code == "LLM_REPLY_UNREADABLE"
        (used,) = bench.usage
        assert (used.input_tokens > 1250, used.output_tokens, used.is_estimated) == (True, 900, True)
        field.route("POST", "/*", Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}))
        await bench.fail(prompt=WORDS)
        assert bench.usage == []


async def test_what_was_asked_before_it_was_asked_otherwise_is_counted_too(bench: AgentBench) -> None:
    refused = {"error": {"code": 500, "message": "failed to parse grammar", "type": "server_error"}}
    with CountingServer() as field:
        bench.model("main", base_url=field.url)
        answers = [stream(said("{"), USAGE, refused), stream(said("{}"), END, USAGE)]
        field.route("POST", "/*", answers)

        assert await bench.ask(prompt="Tell", response_schema={"type": "object"}) == {}

    assert [(one.input_tokens, one.output_tokens) for one in bench.usage] == [(60, 40)]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 20, "completion_tokens": 7}, (20, 7)),
        ({"prompt_tokens": 20.0, "completion_tokens": 7.0}, (20, 7)),
        ({"prompt_tokens": "20", "completion_tokens": "7"}, (20, 7)),
        ({"input_tokens": 20, "output_tokens": 7}, (20, 7)),
        ({"prompt_tokens": 20, "total_tokens": 27}, (20, 7)),
        ({"prompt_tokens": 20.5, "completion_tokens": 7}, None),
        ({"prompt_tokens": True, "completion_tokens": 7}, None),
        ({"prompt_tokens": 20, "total_tokens": 7}, None),
        ({"prompt_tokens": 20, "completion_tokens": 10**30}, None),
        ([1], None),
    ],
)
async def test_a_count_is_read_however_it_is_told(
    bench: AgentBench, usage: Any, counted: tuple[int, int] | None
) -> None:
    for place in ({"usage": usage}, {"x_groq": {"usage": usage}}):
        with CountingServer() as field:
            bench.model("main", base_url=field.url)
            field.route("POST", "/*", stream(said("Hello"), END, {"choices": [], **place}))
            assert await bench.ask(prompt="Tell") == "Hello"
        (used,) = bench.usage
        assert used.is_estimated == (counted is None)
        assert counted in (None, (used.input_tokens, used.output_tokens))


@pytest.mark.parametrize("thoughts", [thought(WORDS), said(f"<think>{WORDS}</think>")])
async def test_reasoning_is_guessed_with_the_answer_where_nobody_counts(bench: AgentBench, thoughts: Any) -> None:
    with CountingServer() as field:
        bench.model("main", base_url=field.url)
        field.route("POST", "/*", stream(thoughts, said("ok"), END))
        assert await bench.ask(prompt="Tell") == "ok"
    assert 1250 <= bench.usage[0].output_tokens <= 1251


ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
ANTHROPIC_ZEROS: dict[str, Any] = {
    "type": "message_delta",
    "delta": {},
    "usage": {"input_tokens": 0, "output_tokens": 0},
}


@pytest.mark.parametrize(
    ("provider", "events"),
    [
        ("openai", [said("Hello"), END, USAGE, {"choices": [], "usage": ZEROS}]),
        ("openai", [said("Hello"), END, USAGE, {"choices": [], "usage": None}]),
        ("anthropic", [START, SPOKEN, COUNTED, ANTHROPIC_ZEROS, {"type": "message_stop"}]),
    ],
)
async def test_a_count_is_not_lost_to_zeros_behind_it(bench: AgentBench, provider: str, events: list[Any]) -> None:
    with CountingServer() as field:
        bench.model("main", provider, base_url=field.url)
        field.route("POST", "/*", stream(*events))
        await bench.ask(prompt="Tell")
    assert [(one.input_tokens, one.output_tokens, one.is_estimated) for one in bench.usage] == [(30, 20, False)]


THINKING = {"completion_tokens_details": {"reasoning_tokens": 100}}


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, (10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 105, "total_tokens": 115, **THINKING}, (10, 105)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115}, (10, 105)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115, **THINKING}, (10, 105)),
        ({"prompt_tokens": 10, "completion_tokens": 5, **THINKING}, (10, 105)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 85,
                "prompt_tokens_details": {"cached_tokens": 70},
            },
            (80, 5),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 3}, (10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": "many", "prompt_tokens_details": []}, (10, 5)),
    ],
    ids=["plain", "thought within", "in the total", "beside, in the total", "beside", "kept", "too few", "odd"],
)
async def test_what_stands_beside_the_answer_s_tokens_is_counted(
    bench: AgentBench, usage: dict[str, Any], counted: tuple[int, int]
) -> None:
    with CountingServer() as server:
        bench.model("main", base_url=f"{server.url}/v1")
        server.route("POST", "/*", Answer(body={"choices": [{"message": {"content": "done"}}], "usage": usage}))
        assert await bench.ask(prompt="x") == "done"
    [used] = bench.usage
    assert (used.input_tokens, used.output_tokens, used.is_estimated) == (*counted, False)
