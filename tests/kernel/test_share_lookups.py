"""Names are looked up in threads that tenants share: one tenant's slow names hold up nobody else's call."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from kernel.egress import DeadlineExceeded, EgressClient, Policy, build_policy, open_client, open_sync_client
from kernel.egress.backend import LOOKUPS
from tests.support.best_tries import quick_once_on_loop
from tests.support.http_server import CountingServer
from tests.support.process_ends import eventually

SLOW_NAMES = 100


class Names:
    """A resolver that does not answer for slow names until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, host: str, port: int) -> list[str]:
        if host.startswith("slow"):
            self.let_go.wait(30)
        return ["127.0.0.1"]


@pytest.fixture
def names() -> Iterator[Names]:
    found = Names()
    yield found
    found.let_go.set()
    assert eventually(lambda: LOOKUPS.waiting == 0, seconds=10)


@pytest.fixture
def policy(server: CountingServer) -> Policy:
    hosts = ["fast.example:*", *(f"slow-{number}.example:*" for number in range(SLOW_NAMES))]
    return build_policy(allow_hosts=hosts, ports=[server.port], allow_cidrs=["127.0.0.1/32"])


async def ask_for_slow_names(client: EgressClient, port: int) -> list[asyncio.Task[object]]:
    calls = [
        asyncio.create_task(client.get(f"http://slow-{number}.example:{port}/", timeout=20))
        for number in range(SLOW_NAMES)
    ]
    while LOOKUPS.waiting < SLOW_NAMES - 16:  # noqa: ASYNC110 - the threads tell nobody
        await asyncio.sleep(0.01)
    return calls  # type: ignore[return-value]  # what they answer is nobody's business


async def test_a_hundred_slow_names_of_one_tenant_delay_nobody_else_s_call(
    names: Names, policy: Policy, server: CountingServer
) -> None:
    async with (
        open_client(policy, resolver=names, owner="acme") as acme,
        open_client(policy, resolver=names, owner="acme") as also_acme,
    ):
        calls = await ask_for_slow_names(acme, server.port)
        url = f"http://fast.example:{server.port}/"

        async def call_twenty_times() -> None:
            for _ in range(20):
                async with open_client(policy, resolver=names, owner="globex") as globex:
                    assert (await globex.get(url, timeout=2)).status_code == 200

        took = await quick_once_on_loop(call_twenty_times, seconds=2)
        with open_sync_client(policy, resolver=names, owner="initech") as blocking:
            assert (await asyncio.to_thread(blocking.get, url, timeout=2)).status_code == 200
        with pytest.raises(DeadlineExceeded):
            await also_acme.get(url, timeout=0.5)
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    print(f"20 calls of another tenant took {took:.3f} s while {SLOW_NAMES} names of one hung")


async def test_look_ups_that_nobody_waits_for_any_more_are_not_done(
    names: Names, policy: Policy, server: CountingServer
) -> None:
    async with open_client(policy, resolver=names, owner="acme") as acme:
        calls = await ask_for_slow_names(acme, server.port)
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        names.let_go.set()
        answer = await acme.get(f"http://fast.example:{server.port}/", timeout=5)
        assert answer.status_code == 200
