"""A real server on loopback, and both guarded clients for it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from kernel.egress import (
    EgressClient,
    SyncEgressClient,
    build_policy,
    open_client,
    open_sync_client,
)
from tests.support.http_server import Answer, CountingServer

LOOPBACK = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        running.route("GET", "/", Answer(body={"ok": True}))
        yield running


@pytest.fixture
async def client() -> AsyncIterator[EgressClient]:
    async with open_client(LOOPBACK) as opened:
        yield opened


@pytest.fixture
def sync_client() -> Iterator[SyncEgressClient]:
    with open_sync_client(LOOPBACK) as opened:
        yield opened


Fetch = Any


@pytest.fixture(params=["async", "sync"])
def fetch(request: pytest.FixtureRequest, client: EgressClient, sync_client: SyncEgressClient) -> Fetch:
    """Call either client in the same way."""

    async def fetch_async(method: str, url: str, **options: Any) -> Any:
        return await client.request(method, url, **options)

    async def fetch_sync(method: str, url: str, **options: Any) -> Any:
        return await asyncio.to_thread(sync_client.request, method, url, **options)

    return fetch_async if request.param == "async" else fetch_sync
