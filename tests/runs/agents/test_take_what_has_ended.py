"""An answer whose end came is whole, whatever comes or does not come behind it; one without its end is not."""

import threading
from collections.abc import Iterator

import pytest

from examples.model_server import Problem, Reply
from runs.providers import sdk_provider
from tests.support.agent_bench import AgentBench
from tests.support.http_server import Answer, CountingServer

HALF = b'data: {"choices": [{"delta": {"content": "whole"}, "finish_reason": null}]}\n\n'
END = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}\n\n'
ANTHROPIC = (
    b'data: {"type": "message_start", "message": {"model": "m", "content": [], "usage": {"input_tokens": 5}}}\n\n'
    b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "whole"}}\n\n'
)
ANTHROPIC_END = (
    b'data: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}\n\n'
)
STRAYS = [
    b"data: null\n\n",
    b"data: []\n\n",
    b"data: 1\n\n",
    b"data: END\n\n",
    b'data: "done"\n\n',
    b'data: {"done": true}\n\n',
    b'data: {"type": "ping"}\n\n',
    b'data: {"id": "x", "choi',
    b"data:  [DONE] \n\n",
    b"data: [done]\n\n",
]


@pytest.fixture
def field(bench: AgentBench) -> Iterator[CountingServer]:
    with CountingServer() as server:
        bench.model("main", base_url=f"{server.url}/v1")
        bench.model("other", "anthropic", base_url=server.url)
        yield server


def answers(server: CountingServer, answer: Answer) -> None:
    for path in ("/v1/chat/completions", "/v1/messages"):
        server.route("POST", path, answer)


def chunked(body: bytes) -> Answer:
    """A body in chunks, of which the last never comes."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Answer(raw=head + b"%x\r\n%s\r\n" % (len(body), body))


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize(("ref", "ended"), [("main", HALF + END), ("other", ANTHROPIC + ANTHROPIC_END)])
async def test_what_stands_behind_the_end_takes_nothing_away(
    bench: AgentBench, field: CountingServer, ref: str, ended: bytes, stray: bytes
) -> None:
    answers(field, Answer(body=ended + stray, headers={"Content-Type": "text/event-stream"}))
    assert await bench.ask(llm_ref=ref, prompt="x") == "whole"
    assert (len(field.calls), "".join(bench.heard)) == (1, "whole")


@pytest.mark.parametrize("stray", [one for one in STRAYS if b"one" not in one.lower() and b"ping" not in one])
async def test_the_same_before_the_end_is_a_failure(bench: AgentBench, field: CountingServer, stray: bytes) -> None:
    answers(field, Answer(body=HALF + stray, headers={"Content-Type": "text/event-stream"}))
    assert (await bench.fail(prompt="x")).code in ("LLM_REPLY_UNREADABLE", "LLM_CONNECTION_FAILED")


async def test_a_count_behind_a_stray_event_counts(bench: AgentBench, field: CountingServer) -> None:
    answers(field, Answer(body=HALF + END + b"data: null\n\n" + USAGE, headers={"Content-Type": "text/event-stream"}))
    assert await bench.ask(prompt="x") == "whole"
    assert [(used.input_tokens, used.output_tokens) for used in bench.usage] == [(5, 7)]


async def test_a_connection_that_breaks_off_behind_the_end_takes_nothing_away(
    bench: AgentBench, field: CountingServer
) -> None:
    answers(field, chunked(HALF + END))
    assert await bench.ask(prompt="x") == "whole"
    answers(field, chunked(HALF))
    assert (await bench.fail(prompt="x")).code == "LLM_CONNECTION_FAILED"


async def test_a_connection_that_stays_open_behind_the_end_is_not_waited_for(
    bench: AgentBench, field: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk_provider, "AFTER_END_SECONDS", 0.2)
    release = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield HALF + END
        release.wait(20)

    bench.model("main", base_url=f"{field.url}/v1", timeout_seconds=4)
    answers(field, Answer(drip=pieces(), headers={"Content-Type": "text/event-stream"}))
    try:
        assert await bench.ask(prompt="x") == "whole"
    finally:
        release.set()
    assert len(field.calls) == 1


async def test_an_error_behind_the_end_stays_one(bench: AgentBench, field: CountingServer) -> None:
    told = b'data: {"error": {"message": "boom", "code": 500}}\n\n'
    answers(field, Answer(body=HALF + END + told, headers={"Content-Type": "text/event-stream"}))
    assert (await bench.fail(prompt="x")).code == "LLM_SERVER_ERROR"


async def test_a_path_that_lm_studio_does_not_have_is_no_fault_of_the_host(
    bench: AgentBench, field: CountingServer
) -> None:
    told = {"error": "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}
    answers(field, Answer(body=told))
    failure = await bench.fail(prompt="x")
    assert (failure.code, failure.retryable, failure.host_failed) == ("LLM_API_NOT_FOUND", False, False)
    assert "Unexpected endpoint" in str(failure.details["provider_message"])
    answers(field, Answer(body={"error": "it broke"}))
    assert (await bench.fail(prompt="x")).code == "LLM_SERVER_ERROR"


async def test_what_a_model_answered_is_not_lost_behind_one_that_fails(bench: AgentBench) -> None:
    bench.model("second", "anthropic", model="m-2")
    cut = Reply("Hel", finish="length")
    bench.by_model(m_1=cut, m_2=Problem("unauthorised"))
    failure = await bench.fail(prompt="x", fallback=["second"])
    assert (failure.code, failure.details["text"], failure.details["reason"]) == ("LLM_REPLY_CUT", "Hel", "length")
    assert [one["code"] for one in failure.details["tried"]] == ["LLM_REPLY_CUT", "LLM_AUTH_FAILED"]  # type: ignore[index,union-attr,call-overload]
    bench.by_model(m_1=cut, m_2=Problem("server_error"))
    failure = await bench.fail(prompt="x", fallback=["second"])
    assert (failure.code, failure.retryable) == ("LLM_SERVER_ERROR", True)
    assert failure.details["tried"] == [
        {"llm_ref": "main", "model": None, "code": "LLM_REPLY_CUT", "text": "Hel", "reason": "length"},
        {"llm_ref": "second", "model": None, "code": "LLM_SERVER_ERROR"},
    ]
    bench.by_model(m_1="no", m_2=Problem("unauthorised"))
    schema = {"type": "object", "required": ["l"]}
    failure = await bench.fail(prompt="x", response_schema=schema, fallback=["second"])
    assert (failure.code, bool(failure.details["errors"])) == ("LLM_REPLY_INVALID", True)
