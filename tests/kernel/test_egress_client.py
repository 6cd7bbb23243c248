"""The guarded clients against a real server on loopback: bodies, time, redirects, headers, connections."""

import asyncio
import gzip
import socket
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from kernel.egress import (
    BodyTooLarge,
    BodyUnreadable,
    ConnectionFailed,
    DeadlineExceeded,
    EgressBlocked,
    EgressClient,
    HeaderRefused,
    SyncEgressClient,
    build_policy,
    open_client,
    open_sync_client,
)
from kernel.egress.backend import AsyncGuardedBackend, SyncGuardedBackend
from kernel.egress.body import MAX_BODY_BYTES
from kernel.errors import Invalid, Unavailable
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


async def test_a_listed_server_is_reached(fetch: Fetch, server: CountingServer) -> None:
    response = await fetch("GET", f"{server.url}/?x=1#part")
    assert response.json() == {"ok": True}
    assert server.calls[0].query == {"x": ["1"]}
    assert server.calls[0].headers["host"] == f"127.0.0.1:{server.port}"


async def test_without_the_allow_list_no_socket_is_opened(server: CountingServer) -> None:
    async with open_client(LOOPBACK) as opened:
        assert (await opened.get(server.url)).status_code == 200
    before = server.connections
    async with open_client(build_policy(ports=[server.port])) as closed:
        for host in ("127.0.0.1", "localhost", "localtest.me"):
            with pytest.raises(EgressBlocked):
                await closed.get(
                    f"http://{host}:{server.port}/", timeout=1
                ) if host != "localtest.me" else await open_client(
                    build_policy(ports=[server.port]), resolver=lambda *_: ["127.0.0.1"]
                ).get(f"http://{host}:{server.port}/")
    assert server.connections == before


async def test_connections_are_kept_alive(fetch: Fetch, server: CountingServer) -> None:
    for _ in range(20):
        await fetch("GET", server.url)
    assert (server.count("/"), server.connections) == (20, 1)


async def test_a_call_on_loopback_takes_about_a_millisecond(client: EgressClient, server: CountingServer) -> None:
    await client.get(server.url)
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(20):
            await client.get(server.url)
        best = min(best, (time.perf_counter() - started) / 20)
    print(f"egress: {best * 1000:.2f} ms a call")
    assert best < 0.02


# Bodies


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("gzip, deflate", lambda data: zlib.compress(gzip.compress(data))),
        ("identity", lambda data: data),
    ],
)
async def test_a_compressed_body_is_read(fetch: Fetch, server: CountingServer, encoding: str, encode: Any) -> None:
    text = b"hello " * 10_000
    server.route("GET", "/c", Answer(body=encode(text), headers={"Content-Encoding": encoding}))
    response = await fetch("GET", f"{server.url}/c")
    assert response.content == text


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"x" * 1000)[:-9]),
        ("gzip", gzip.compress(b"x") + b"more"),
        ("deflate", b"\xff\xff\xff"),
        ("gzip, gzip, gzip", gzip.compress(b"x")),
    ],
)
async def test_a_body_that_cannot_be_decompressed_is_an_error(
    fetch: Fetch, server: CountingServer, encoding: str, body: bytes
) -> None:
    server.route("GET", "/good", Answer(body=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"}))
    assert (await fetch("GET", f"{server.url}/good")).content == b"x"
    server.route("GET", "/bad", Answer(body=body, headers={"Content-Encoding": encoding}))
    with pytest.raises(BodyUnreadable):
        await fetch("GET", f"{server.url}/bad")


async def test_a_head_answer_may_name_an_encoding(fetch: Fetch, server: CountingServer) -> None:
    server.route("HEAD", "/c", Answer(headers={"Content-Encoding": "gzip"}))
    assert (await fetch("HEAD", f"{server.url}/c")).status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "gzip, gzip"])
async def test_a_body_over_the_bound_is_an_error_however_small_on_the_wire(
    fetch: Fetch, server: CountingServer, encoding: str
) -> None:
    wrappers: dict[str, Callable[[bytes], bytes]] = {
        "identity": lambda data: data,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    }
    wrap = wrappers[encoding]
    server.route("GET", "/fits", Answer(body=wrap(b"0" * MAX_BODY_BYTES), headers={"Content-Encoding": encoding}))
    server.route("GET", "/over", Answer(body=wrap(b"0" * (MAX_BODY_BYTES + 1)), headers={"Content-Encoding": encoding}))
    server.route("GET", "/bomb", Answer(body=wrap(b"0" * 60_000_000), headers={"Content-Encoding": encoding}))
    assert len((await fetch("GET", f"{server.url}/fits")).content) == MAX_BODY_BYTES
    for path in ("/over", "/bomb"):
        with pytest.raises(BodyTooLarge) as error:
            await fetch("GET", f"{server.url}{path}")
        assert isinstance(error.value, Invalid)
        assert error.value.extra == {"limit": MAX_BODY_BYTES}
    assert (await fetch("GET", server.url)).status_code == 200


async def test_the_bound_holds_for_a_streamed_body_too(client: EgressClient, server: CountingServer) -> None:
    server.route("GET", "/bomb", Answer(body=gzip.compress(b"0" * 60_000_000), headers={"Content-Encoding": "gzip"}))
    async with client.stream("GET", server.url) as response:
        assert await response.aread() == b'{"ok": true}'

    async def count(response: Any) -> None:
        received = 0
        async for chunk in response.aiter_bytes():
            received += len(chunk)
            assert received <= MAX_BODY_BYTES

    async with client.stream("GET", f"{server.url}/bomb") as response:
        with pytest.raises(BodyTooLarge):
            await count(response)


# Time


@pytest.mark.parametrize(
    "slow",
    [
        Answer(delay_seconds=3),
        Answer(drip=[b"x"] * 40, drip_seconds=0.1),
    ],
    ids=["silent", "dripping"],
)
async def test_one_deadline_bounds_everything(fetch: Fetch, server: CountingServer, slow: Answer) -> None:
    server.route("GET", "/slow", slow)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded) as error:
        await fetch("GET", f"{server.url}/slow", timeout=0.4)
    assert 0.35 < time.monotonic() - started < 1.5
    assert isinstance(error.value, Unavailable)


async def test_the_deadline_bounds_headers_that_drip(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/drip", Answer(raw=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 40, drip_seconds=0.05))
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await fetch("GET", f"{server.url}/drip", timeout=0.4)
    assert time.monotonic() - started < 1.5


async def test_the_deadline_bounds_the_hops_together(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/hop", Answer(302, headers={"Location": "/hop"}, delay_seconds=0.15))
    with pytest.raises(DeadlineExceeded):
        await fetch("GET", f"{server.url}/hop", timeout=0.4)
    assert server.count("/hop") <= 3


async def test_the_deadline_bounds_a_streamed_body(client: EgressClient, server: CountingServer) -> None:
    server.route("GET", "/drip", Answer(drip=[b"x"] * 40, drip_seconds=0.1))
    started = time.monotonic()
    async with client.stream("GET", f"{server.url}/drip", timeout=0.4) as response:
        with pytest.raises(DeadlineExceeded):
            await response.aread()
    assert time.monotonic() - started < 1.5


async def test_the_deadline_bounds_a_lookup(server: CountingServer) -> None:
    def slow_lookup(_host: str, _port: int) -> list[str]:
        time.sleep(1.5)
        return ["1.1.1.1"]

    async with open_client(build_policy(), resolver=slow_lookup) as opened:
        with pytest.raises(DeadlineExceeded):
            await opened.get("https://example.com/", timeout=0.2)
    with open_sync_client(build_policy(), resolver=slow_lookup) as blocking, pytest.raises(DeadlineExceeded):
        await asyncio.to_thread(blocking.get, "https://example.com/", timeout=0.2)


async def test_two_calls_run_at_the_same_time(client: EgressClient, server: CountingServer) -> None:
    server.route("GET", "/slow", Answer(delay_seconds=0.5))
    started = time.monotonic()
    await asyncio.gather(client.get(f"{server.url}/slow"), client.get(f"{server.url}/slow"))
    assert time.monotonic() - started < 0.9


# Connections


async def test_a_closed_port_is_a_failed_connection_and_names_no_address(fetch: Fetch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ConnectionFailed) as error:
        await fetch("GET", f"http://127.0.0.1:{port}/")
    assert "127" not in str(error.value)
    assert isinstance(error.value, Unavailable)


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"nonsense\r\n\r\n"])
async def test_a_broken_answer_is_a_failed_connection(fetch: Fetch, server: CountingServer, raw: bytes) -> None:
    server.route("GET", "/broken", Answer(raw=raw))
    with pytest.raises(ConnectionFailed):
        await fetch("GET", f"{server.url}/broken")
    assert (await fetch("GET", server.url)).status_code == 200


async def test_a_name_that_cannot_be_resolved_is_a_failed_connection() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with open_client(build_policy(), resolver=unknown) as opened:
        with pytest.raises(ConnectionFailed):
            await opened.get("https://nowhere.example/")
    with open_sync_client(build_policy(), resolver=unknown) as blocking, pytest.raises(ConnectionFailed):
        blocking.get("https://nowhere.example/")


# Redirects


async def test_five_hops_are_followed_and_not_six(fetch: Fetch, server: CountingServer) -> None:
    for hop in range(7):
        server.route("GET", f"/{hop}", Answer(302, headers={"Location": f"/{hop + 1}"}))
    server.route("GET", "/7", Answer(body="end"))
    assert (await fetch("GET", f"{server.url}/2")).text == "end"
    server.forget()
    with pytest.raises(EgressBlocked, match="more than 5 redirects"):
        await fetch("GET", f"{server.url}/1")
    assert server.count("/7") == 0


async def test_a_redirect_to_another_port_is_not_followed_where_it_is_not_open(
    fetch: Fetch, server: CountingServer
) -> None:
    with CountingServer() as other:
        other.route("GET", "/", Answer(body="other"))
        server.route("GET", "/out", Answer(302, headers={"Location": f"{other.url}/"}))
        assert (await fetch("GET", f"{server.url}/out", headers={"X-Api-Key": "s"})).text == "other"
        assert "x-api-key" not in other.calls[0].headers
        only_first = build_policy(allow_hosts=[f"127.0.0.1:{server.port}"], allow_cidrs=["127.0.0.1/32"])
        async with open_client(only_first) as narrow:
            with pytest.raises(EgressBlocked):
                await narrow.get(f"{server.url}/out")
        assert other.connections == 1


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (303, "HEAD", "HEAD"),
    ],
)
async def test_a_redirect_keeps_method_and_body_as_its_status_says(
    fetch: Fetch, server: CountingServer, status: int, method: str, then: str
) -> None:
    server.route(method, "/from", Answer(status, headers={"Location": "/to"}))
    server.route(then, "/to", Answer(204))
    body = b"" if method == "HEAD" else b'{"a": 1}'
    response = await fetch(method, f"{server.url}/from", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 204
    last = server.calls[-1]
    assert (last.method, last.body) == (then, body if then == method else b"")
    assert ("content-type" in last.headers) == (then == method)


async def test_redirects_can_be_left_to_the_caller(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/from", Answer(302, headers={"Location": "/to"}))
    response = await fetch("GET", f"{server.url}/from", follow_redirects=False)
    assert (response.status_code, server.count()) == (302, 1)


# Headers and memory


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "connection",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Content-Length",
        "Expect",
        "Accept-Encoding",
    ],
)
async def test_headers_of_the_connection_may_not_be_given(fetch: Fetch, server: CountingServer, name: str) -> None:
    assert (await fetch("GET", server.url, headers={"X-Mine": "fine"})).status_code == 200
    with pytest.raises(HeaderRefused, match=name):
        await fetch("GET", server.url, headers={name: "x"})
    assert server.count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "s3cret\r\nHost: b"),
        ("X-A", "s3cret\n"),
        ("X-A", "s3cret\0"),
        ("X-A", " s3cret"),
        ("X-A", "s3créts3cret"),
        ("X A", "s3cret"),
        ("", "s3cret"),
    ],
)
async def test_headers_that_cannot_be_sent_are_refused_without_showing_their_value(
    fetch: Fetch, server: CountingServer, name: str, value: str
) -> None:
    assert (await fetch("GET", server.url, headers={"X-A": 'a, b;c="d"'})).status_code == 200
    with pytest.raises(HeaderRefused) as error:
        await fetch("GET", server.url, headers={name: value})
    assert "s3cr" not in str(error.value)
    assert server.count() == 1


async def test_nothing_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, server: CountingServer, tmp_path: Any
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    async with open_client(LOOPBACK) as opened:
        assert (await opened.get(server.url)).status_code == 200
    with open_sync_client(LOOPBACK) as blocking:
        assert (await asyncio.to_thread(blocking.get, server.url)).status_code == 200
    assert not any("authorization" in call.headers for call in server.calls)


async def test_cookies_are_never_kept(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/login", Answer(302, headers={"Set-Cookie": "session=1; Path=/", "Location": "/"}))
    await fetch("GET", f"{server.url}/login")
    await fetch("GET", server.url)
    assert not any("cookie" in call.headers for call in server.calls)


# Names and addresses


async def test_a_listed_name_is_resolved_by_the_system(fetch: Fetch, server: CountingServer) -> None:
    policy = build_policy(allow_hosts=["localhost:*"], allow_cidrs=["127.0.0.1/32", "::1/128"])
    with pytest.raises(EgressBlocked):
        await fetch("GET", f"http://localhost:{server.port}/")
    async with open_client(policy) as opened:
        assert (await opened.get(f"http://localhost:{server.port}/")).json() == {"ok": True}
    with open_sync_client(policy) as blocking:
        assert (await asyncio.to_thread(blocking.get, f"http://localhost:{server.port}/")).json() == {"ok": True}
    assert {call.headers["host"] for call in server.calls} == {f"localhost:{server.port}"}


async def test_the_next_address_is_tried_when_one_is_closed(server: CountingServer) -> None:
    policy = build_policy(allow_hosts=["shop:*"], allow_cidrs=["127.0.0.0/8"])
    answers = ["127.0.0.2", "127.0.0.1"]
    async with open_client(policy, resolver=lambda *_: answers) as opened:
        assert (await opened.get(f"http://shop:{server.port}/")).status_code == 200
    with open_sync_client(policy, resolver=lambda *_: answers) as blocking:
        assert (await asyncio.to_thread(blocking.get, f"http://shop:{server.port}/")).status_code == 200
        answers[:] = ["127.0.0.2"]
    with open_sync_client(policy, resolver=lambda *_: answers) as blocking, pytest.raises(ConnectionFailed):
        await asyncio.to_thread(blocking.get, f"http://shop:{server.port}/")


async def test_a_name_without_an_address_is_blocked_in_both_clients() -> None:
    async with open_client(build_policy(), resolver=lambda *_: []) as opened:
        with pytest.raises(EgressBlocked):
            await opened.get("https://example.com/")
    with open_sync_client(build_policy(), resolver=lambda *_: []) as blocking, pytest.raises(EgressBlocked):
        blocking.get("https://example.com/")


async def test_a_socket_file_is_never_a_target() -> None:
    with pytest.raises(EgressBlocked):
        await AsyncGuardedBackend(LOOPBACK).connect_unix_socket("/run/x.sock")
    with pytest.raises(EgressBlocked):
        SyncGuardedBackend(LOOPBACK).connect_unix_socket("/run/x.sock")
