"""Connections: kept, bounded, given back, never reused when dead."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpcore
import pytest

from kernel.egress import ConnectionFailed, DeadlineExceeded, build_policy, open_client, open_sync_client
from kernel.egress.backend import AsyncGuardedBackend
from kernel.egress.pool import AsyncConnections, PoolKey
from kernel.egress.progress import RequestProgress
from kernel.egress.trust import default_ssl_context
from kernel.errors import LlmteamError
from tests.support.http_server import Answer, CountingServer, RecordedRequest

LOOPBACK = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        running.route("GET", "/", Answer(body="ok"))
        running.route("GET", "/slow", Answer(body="ok", delay_seconds=0.2))
        yield running


@pytest.fixture
async def narrow() -> AsyncIterator[AsyncConnections]:
    """Two in use at most, one kept at most."""
    connections = AsyncConnections(AsyncGuardedBackend(LOOPBACK), max_active=2, max_idle=1)
    yield connections
    await connections.aclose()


async def call(connections: AsyncConnections, url: str) -> None:
    request = httpcore.Request("GET", url, headers={"Host": "x"})
    place = PoolKey.of(request.url.origin, default_ssl_context())
    response, connection = await connections.send(request, place, RequestProgress())
    stream: Any = response.stream
    async for _ in stream:
        pass
    await stream.aclose()
    await connections.give_back(connection, place)


async def test_no_more_calls_run_at_once_than_there_are_slots(narrow: AsyncConnections, server: CountingServer) -> None:
    started = time.monotonic()
    await asyncio.gather(*(call(narrow, f"{server.url}/slow") for _ in range(6)))
    assert time.monotonic() - started >= 0.55
    assert server.count("/slow") == 6


async def test_no_more_connections_are_kept_than_allowed(narrow: AsyncConnections, server: CountingServer) -> None:
    await asyncio.gather(call(narrow, f"{server.url}/slow"), call(narrow, f"{server.url}/slow"))
    assert server.connections == 2
    await asyncio.gather(call(narrow, f"{server.url}/slow"), call(narrow, f"{server.url}/slow"))
    assert server.connections == 3


async def test_a_connection_is_not_kept_behind_a_head_that_was_mended(server: CountingServer) -> None:
    server.route("GET", "/odd", Answer(body="ok", headers={"X Odd": "1"}))
    async with open_client(LOOPBACK) as client:
        for path, connections in (("/", 1), ("/", 1), ("/odd", 1), ("/", 2), ("/odd", 2), ("/odd", 3)):
            assert (await client.get(server.url + path)).text == "ok"
            assert server.connections == connections


def test_a_blocking_client_does_not_keep_it_either(server: CountingServer) -> None:
    server.route("GET", "/odd", Answer(body="ok", headers={"X Odd": "1"}))
    with open_sync_client(LOOPBACK) as client:
        for path, connections in (("/", 1), ("/odd", 1), ("/odd", 2), ("/", 3)):
            assert client.get(server.url + path).text == "ok"
            assert server.connections == connections


async def test_one_origin_never_gets_the_connection_of_another(server: CountingServer) -> None:
    with CountingServer() as other:
        other.route("GET", "/", Answer(body="other"))
        async with open_client(LOOPBACK) as client:
            for _ in range(3):
                assert (await client.get(server.url)).text == "ok"
                assert (await client.get(other.url)).text == "other"
        assert (server.connections, other.connections) == (1, 1)


async def test_a_connection_the_server_closed_is_not_used_again(server: CountingServer) -> None:
    server.route("GET", "/bye", Answer(body="bye", headers={"Connection": "close"}))
    async with open_client(LOOPBACK) as client:
        for _ in range(3):
            await client.get(f"{server.url}/bye")
        assert server.connections == 3
        with CountingServer() as restarted:
            restarted.route("GET", "/", Answer(body="ok"))
            await client.get(restarted.url)
            restarted._server.close_connections()
            await asyncio.sleep(0.05)
            assert (await client.get(restarted.url)).text == "ok"
            assert restarted.connections == 2


async def test_a_cancelled_call_gives_its_slot_back(narrow: AsyncConnections, server: CountingServer) -> None:
    server.route("GET", "/hang", Answer(delay_seconds=5))
    for _ in range(5):
        hanging = asyncio.create_task(call(narrow, f"{server.url}/hang"))
        await asyncio.sleep(0.03)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
    await asyncio.wait_for(call(narrow, server.url), 30)


async def test_calls_that_fail_in_any_way_leave_no_slot_behind(server: CountingServer) -> None:
    server.route("GET", "/broken", Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
    server.route("GET", "/br", Answer(body=b"x", headers={"Content-Encoding": "br"}))
    server.route("GET", "/drip", Answer(drip=[b"x"] * 20, drip_seconds=0.05))
    server.route("GET", "/loop", Answer(302, headers={"Location": "/loop"}))
    async with open_client(LOOPBACK) as client:
        connections = client._transport._connections  # type: ignore[attr-defined] # our transport
        free = connections._slots._value
        for path in ("/broken", "/br", "/drip", "/loop"):
            with pytest.raises(LlmteamError):
                await client.get(f"{server.url}{path}", timeout=0.2)
        for path in ("/", "/nowhere"):
            await client.get(f"{server.url}{path}")
            async with client.stream("GET", f"{server.url}{path}") as unread:
                assert unread.status_code in {200, 404}
        assert connections._slots._value == free


async def test_waiting_for_a_slot_counts_for_the_deadline(server: CountingServer) -> None:
    may_answer = threading.Event()

    def hang(_request: RecordedRequest) -> Answer:
        assert may_answer.wait(30)
        return Answer(body="late")

    server.route("GET", "/hang", hang)
    async with open_client(LOOPBACK) as client:
        client._transport._connections._slots = asyncio.Semaphore(1)  # type: ignore[attr-defined] # our transport
        first = asyncio.create_task(client.get(f"{server.url}/hang"))
        while not server.count("/hang"):  # noqa: ASYNC110 - the server's thread tells nobody
            await asyncio.sleep(0.01)
        with pytest.raises(DeadlineExceeded):
            await client.get(server.url, timeout=0.2)
        may_answer.set()
        assert (await first).text == "late"
        assert (await client.get(server.url)).text == "ok"


@pytest.mark.parametrize("cancels", [1, 2, 3])
@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], ids=["in the head", "in the body"]
)
async def test_a_call_cancelled_however_often_leaves_no_connection_open(head: bytes, cancels: int) -> None:
    heard, left = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        heard.set()
        if not await reader.read():
            left.set()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, open_client(LOOPBACK) as client:
        going = asyncio.create_task(client.get(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"))
        await asyncio.wait_for(heard.wait(), 5)
        await asyncio.sleep(0.05)
        for _ in range(cancels):
            going.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([going])
        await asyncio.wait_for(left.wait(), 2)


@dataclass
class ClosedMeanwhile:
    """A network whose second use of a connection finds it closed, though it did not look so before."""

    sent: list[bytes] = field(default_factory=list)
    opened: int = 0
    takes_bytes: bool = False

    async def connect_tcp(self, *_: Any, **__: Any) -> "ClosingStream":
        self.opened += 1
        return ClosingStream(self)


@dataclass
class ClosingStream:
    network: ClosedMeanwhile
    uses: int = 0
    is_first: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_first = self.network.opened == 1

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's protocol
        if b" HTTP/1.1" in buffer:
            self.uses += 1
        if self.is_closed and not self.network.takes_bytes:
            raise httpcore.WriteError
        self.network.sent.append(buffer)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's protocol
        return b"" if self.is_closed else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    @property
    def is_closed(self) -> bool:
        return self.is_first and self.uses > 1

    async def aclose(self) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        return None


@pytest.mark.parametrize(
    ("method", "takes_bytes", "opened"),
    [("GET", False, 2), ("POST", False, 2), ("GET", True, 2), ("PUT", True, 2), ("POST", True, 1), ("PATCH", True, 1)],
)
async def test_a_kept_connection_closed_meanwhile_costs_only_what_may_have_had_an_effect(
    method: str, takes_bytes: bool, opened: int
) -> None:
    network = ClosedMeanwhile(takes_bytes=takes_bytes)
    policy = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])
    async with open_client(policy, network=network) as client:  # type: ignore[arg-type]  # as much of one as is used
        assert (await client.request("GET", "http://127.0.0.1:9/")).status_code == 200
        if opened == 2:
            assert (await client.request(method, "http://127.0.0.1:9/")).status_code == 200
        else:
            with pytest.raises(ConnectionFailed) as error:
                await client.request(method, "http://127.0.0.1:9/")
            assert error.value.sent
    assert network.opened == opened
