"""A refusal keeps its status, its wait and its blame, whatever becomes of its body; so does what it led to."""

import gzip
from typing import Any

import pytest

from runs.providers.errors import lost_tokens
from runs.step_api.base import StepFailed
from tests.support.http_server import Answer, CountingServer
from tests.support.model_server import ModelBench, asking

PATHS = ("/chat/completions", "/v1/messages")
SAID = {"choices": [{"message": {"content": "Hi"}}], "content": [{"type": "text", "text": "Hi"}]}
WORDS = b'{"error": {"message": "No.", "type": "t"}}'
BODIES = {
    "whole": b"Content-Length: %d\r\n\r\n%s" % (len(WORDS), WORDS),
    "cut": b"Content-Length: %d\r\n\r\n%s" % (len(WORDS) + 50, WORDS),
    "cut chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(WORDS), WORDS),
    "odd chunks": b"Transfer-Encoding: chunked\r\n\r\nmore\r\n",
    "bad gzip": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(WORDS), WORDS),
    "zstd": b"Content-Encoding: zstd\r\nContent-Length: %d\r\n\r\n%s" % (len(WORDS), WORDS),
    "too large": b"Content-Length: 6000000\r\n\r\n%s" % WORDS.ljust(6_000_000),
    "odd length": b"Content-Length: 1, 2\r\n\r\n",
}
MEANINGS = {
    401: ("LLM_AUTH_FAILED", False, False, None),
    429: ("LLM_RATE_LIMITED", True, False, 7.0),
    500: ("LLM_SERVER_ERROR", True, True, 7.0),
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
BEGUN = b'data: {"choices": [{"delta": {"content": "Hello there, my friend."}}]}\n\n'
OVER = (
    b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}], '
    b'"usage": {"prompt_tokens": 3, "completion_tokens": 9}}\n\n'
)


def _nothing(_text: str) -> None:
    """Follow without interest."""


def refusal(status: int, body: str, *headers: bytes) -> Answer:
    head = (b"Content-Type: application/json", b"Retry-After: 7", b"Connection: close", *headers)
    lines = b"".join(header + b"\r\n" for header in head)
    return Answer(raw=b"HTTP/1.1 %d No\r\n%s%s" % (status, lines, BODIES[body]))


async def failure_of(bench: ModelBench, url: str, on_delta: Any = None, **request: Any) -> StepFailed:
    with pytest.raises(StepFailed) as raised:
        await bench.provider(base_url=url).complete(asking(**request), on_delta=on_delta)
    return raised.value


@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize("body", [*BODIES])
async def test_a_refusal_stays_one_whatever_becomes_of_its_body(bench: ModelBench, body: str, on_delta: Any) -> None:
    with CountingServer() as service:
        for status, (code, retryable, host_failed, seconds) in MEANINGS.items():
            for path in PATHS:
                service.route("POST", path, refusal(status, body))
            failure = await failure_of(bench, service.url, on_delta)
            assert (failure.code, failure.retryable, failure.host_failed) == (code, retryable, host_failed)
            assert failure.details["status"] == status
            if body != "odd length":
                assert failure.retry_after_seconds == (seconds if retryable else failure.retry_after_seconds)


async def test_a_refusal_that_never_ends_is_told_within_the_time(bench: ModelBench) -> None:
    head = b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 90\r\n\r\n{"
    with CountingServer() as service:
        for path in PATHS:
            service.route("POST", path, Answer(raw=head, stays_open=True))
        failure = await failure_of(bench, service.url, timeout_seconds=0.5)
    assert (failure.code, failure.retry_after_seconds) == ("LLM_RATE_LIMITED", 7.0)


@pytest.mark.parametrize("body", ["whole", "cut", "bad gzip"])
async def test_a_token_that_is_refused_is_fetched_again_whatever_becomes_of_the_body(
    bench: ModelBench, body: str
) -> None:
    renewed: list[bool] = []
    with CountingServer() as service:
        for path in PATHS:
            service.route("POST", path, [refusal(401, body), Answer(body=SAID)])
        provider = bench.provider(base_url=service.url, renew=lambda: not renewed.append(True))
        assert (await provider.complete(asking())).text == "Hi"
    assert renewed == [True]


@pytest.mark.parametrize("body", ["whole", "cut", "bad gzip"])
async def test_a_service_that_moved_is_followed_whatever_becomes_of_the_body(bench: ModelBench, body: str) -> None:
    with CountingServer() as service:
        for path in PATHS:
            service.route("POST", path, refusal(308, body, b"Location: /new" + path.encode()))
            service.route("POST", f"/new{path}", Answer(body=SAID))
        assert (await bench.provider(base_url=service.url).complete(asking())).text == "Hi"


def packed(content: bytes, cut: int) -> bytes:
    return HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(content)[:-cut]


@pytest.mark.parametrize("raw", [HEAD + b"Connection: close\r\n\r\n" + BEGUN, packed(BEGUN, 9)], ids=["plain", "gzip"])
async def test_a_stream_that_breaks_off_is_a_broken_connection_and_counted_whatever_packs_it(
    openai: ModelBench, raw: bytes
) -> None:
    with CountingServer() as service:
        service.route("POST", "/chat/completions", Answer(raw=raw))
        failure = await failure_of(openai, service.url, _nothing)
    assert (failure.code, failure.retryable) == ("LLM_CONNECTION_FAILED", True)
    assert lost_tokens(failure).output_tokens > 0
    assert lost_tokens(failure).is_estimated


@pytest.mark.parametrize("ends", [b"Connection: close\r\n", b"Content-Length: %d\r\n"], ids=["close", "length"])
@pytest.mark.parametrize("cut", [0, 8])
async def test_a_packed_stream_that_has_ended_lacks_nothing(openai: ModelBench, ends: bytes, cut: int) -> None:
    content = gzip.compress(BEGUN + OVER)
    content = content[: len(content) - cut]
    ends = ends % len(content) if b"%d" in ends else ends
    with CountingServer() as service:
        head = HEAD + b"Content-Encoding: gzip\r\n" + ends + b"\r\n"
        service.route("POST", "/chat/completions", Answer(raw=head + content))
        reply = await openai.provider(base_url=service.url).complete(asking(), on_delta=_nothing)
    assert (reply.text, reply.tokens.output_tokens) == ("Hello there, my friend.", 9)
