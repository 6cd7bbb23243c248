"""A bench for llm_agent, with a connection to each provider."""

from collections.abc import AsyncIterator

import pytest

from examples.model_server import ModelServer
from kernel.egress import open_client
from tests.support.agent_bench import AgentBench, AgentContext
from tests.support.http_server import CountingServer
from tests.support.model_server import LOOPBACK


@pytest.fixture
async def bench() -> AsyncIterator[AgentBench]:
    with ModelServer(key="key") as server, CountingServer() as tools:
        async with open_client(LOOPBACK) as client:
            bench = AgentBench(server, tools, AgentContext(client))
            bench.model("main")
            yield bench


@pytest.fixture(params=["openai", "anthropic"])
def either(request: pytest.FixtureRequest, bench: AgentBench) -> AgentBench:
    """The bench, its connection ``main`` of either wire format."""
    bench.model("main", request.param)
    return bench
