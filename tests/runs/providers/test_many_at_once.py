"""Hundreds of calls wait at the same time, at little cost each."""

import asyncio
import time
from typing import Any

import pytest

from tests.support.model_server import ModelBench, asking

CALLS = 300
LATENCIES_SECONDS = (2, 8, 30)
"""The next, where 300 calls took longer to begin: a busy machine is slower."""


def _nothing(_text: str) -> None:
    """Follow without interest."""


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_three_hundred_calls_wait_together(bench: ModelBench, on_delta: Any) -> None:
    provider = bench.provider()
    await provider.complete(asking())
    for seconds in LATENCIES_SECONDS:
        bench.server.latency_seconds = seconds
        started, used = time.monotonic(), time.thread_time()
        replies = await asyncio.gather(*(provider.complete(asking(), on_delta=on_delta) for _ in range(CALLS)))
        took, cost = time.monotonic() - started, (time.thread_time() - used) / CALLS * 1000
        if bench.server.most_at_once == CALLS:
            break

    print(f"{bench.name}: {CALLS} calls in {took:.2f} s, {cost:.2f} ms of processor time each")
    assert len({reply.request_id for reply in replies}) == CALLS
    assert bench.server.most_at_once == CALLS
    assert cost < 8
