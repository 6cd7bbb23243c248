"""Each provider before a server that speaks its wire format."""

from collections.abc import AsyncIterator, Iterator

import pytest

from examples.model_server import ModelServer
from kernel.egress import EgressClient, open_client
from tests.support.model_server import KEY, LOOPBACK, ModelBench


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(key=KEY) as server:
        yield server


@pytest.fixture
async def http_client() -> AsyncIterator[EgressClient]:
    async with open_client(LOOPBACK) as client:
        yield client


@pytest.fixture(params=["openai", "anthropic"])
def bench(request: pytest.FixtureRequest, server: ModelServer, http_client: EgressClient) -> ModelBench:
    return ModelBench(request.param, server, http_client)


@pytest.fixture
def openai(server: ModelServer, http_client: EgressClient) -> ModelBench:
    return ModelBench("openai", server, http_client)


@pytest.fixture
def anthropic(server: ModelServer, http_client: EgressClient) -> ModelBench:
    return ModelBench("anthropic", server, http_client)
