"""A bench for http_action."""

from collections.abc import AsyncIterator

import pytest

from kernel.egress import build_policy, open_client
from tests.support.http_bench import Bench, Context
from tests.support.http_server import Answer, CountingServer


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    policy = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])
    with CountingServer() as server:
        server.route("GET", "/ok", Answer(body={"n": 1}))
        server.route("POST", "/ok", Answer(status=201, body={"made": True}))
        async with open_client(policy) as client:
            yield Bench(server, Context(client, {"shop": f"{server.url}/api/"}))


@pytest.fixture
def url(bench: Bench) -> str:
    return bench.server.url
