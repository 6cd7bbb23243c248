"""A call ends in its time, whatever the service does, and leaves no connection behind."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from examples.model_server import ModelServer, Reply
from runs.step_api.base import StepFailed
from tests.support.model_server import ModelBench, asking


def _nothing(_text: str) -> None:
    """Follow without interest."""


async def _abandoned(server: ModelServer) -> bool:
    for _ in range(3_000):
        if server.abandoned:
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize(
    "reply", [Reply("late", latency_seconds=30), Reply("word " * 40, stalls_after=60)], ids=["silent", "stalled"]
)
async def test_a_model_that_takes_too_long(bench: ModelBench, reply: Reply, on_delta: Any) -> None:
    assert await bench.ask(timeout_seconds=5, on_delta=on_delta)
    bench.answers(reply)

    started = time.monotonic()
    failure = await bench.fail(timeout_seconds=0.3, on_delta=on_delta)

    assert 0.25 < time.monotonic() - started < 2
    assert (failure.code, failure.retryable, failure.host_failed) == ("LLM_TIMED_OUT", True, True)
    assert await _abandoned(bench.server), "the connection was closed"


async def test_the_time_is_for_all_of_a_stream_not_for_each_piece(bench: ModelBench) -> None:
    bench.answers(Reply("word " * 40, stalls_after=400))
    pieces: list[str] = []

    failure = await bench.fail(timeout_seconds=0.3, on_delta=pieces.append)

    assert failure.code == "LLM_TIMED_OUT"
    assert len(pieces) <= 40


@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize("bytes_sent", [0, 30, 400])
async def test_a_connection_that_breaks_off(bench: ModelBench, bytes_sent: int, on_delta: Any) -> None:
    bench.answers(Reply("word " * 200, breaks_after=bytes_sent))

    failure = await bench.fail(on_delta=on_delta)

    assert (failure.code, failure.retryable, failure.host_failed) == ("LLM_CONNECTION_FAILED", True, True)


async def test_a_stream_without_an_end_broke_off(bench: ModelBench) -> None:
    bench.answers(Reply(raw=b'event: ping\ndata: {"type": "ping", "choices": []}\n\n'))

    assert (await bench.fail(on_delta=_nothing)).code == "LLM_CONNECTION_FAILED"


async def test_nobody_there(bench: ModelBench) -> None:
    with ModelServer() as gone:
        port = gone.port
    provider = bench.provider(base_url=f"http://127.0.0.1:{port}")

    with pytest.raises(Exception, match="connection to the model service failed"):
        await provider.complete(asking())


@pytest.mark.parametrize("cancels", [1, 2, 3])
@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize(
    "reply", [Reply("late", latency_seconds=30), Reply("word " * 40, stalls_after=60)], ids=["silent", "stalled"]
)
async def test_cancelling_closes_the_connection_however_often_it_is_done(
    bench: ModelBench, reply: Reply, on_delta: Any, cancels: int
) -> None:
    bench.answers(reply)
    call = asyncio.create_task(bench.provider().complete(asking(), on_delta=on_delta))
    for _ in range(3_000):
        await asyncio.sleep(0.01)
        if bench.server.asked:
            break
    await asyncio.sleep(0.05)
    assert not bench.server.abandoned

    for _ in range(cancels):
        call.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await call

    assert await _abandoned(bench.server)


async def test_a_slow_way_to_get_credentials_counts_too(bench: ModelBench) -> None:
    async def authorise(_request: httpx.Request) -> None:
        await asyncio.sleep(30)

    with pytest.raises(StepFailed) as raised:
        await bench.provider(authorise=authorise).complete(asking(timeout_seconds=0.1))

    assert raised.value.code == "LLM_TIMED_OUT"
    assert bench.server.calls == 0


async def test_a_follower_that_fails_leaves_no_connection_open(bench: ModelBench) -> None:
    def fail(_text: str) -> None:
        raise LookupError("nobody follows")

    bench.answers(Reply("word " * 40, stalls_after=900))

    with pytest.raises(LookupError) as raised:
        await bench.provider().complete(asking(), on_delta=fail)

    assert await _abandoned(bench.server)
    assert raised.value
