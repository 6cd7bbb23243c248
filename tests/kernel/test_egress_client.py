"""The guarded clients against a real server on loopback: bodies, time, redirects, headers, connections."""

import asyncio
import socket
from typing import Any

import pytest

from kernel.egress import (
    BodyUnreadable,
    ConnectionFailed,
    EgressBlocked,
    EgressClient,
    HeaderRefused,
    build_policy,
    open_client,
    open_sync_client,
)
from kernel.egress.backend import AsyncGuardedBackend, SyncGuardedBackend
from kernel.errors import Unavailable
from tests.support.best_tries import quick_once_on_loop
from tests.support.http_server import Answer, CountingServer

Fetch = Any


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

    async def call_twenty_times() -> None:
        for _ in range(20):
            await client.get(server.url)

    best = await quick_once_on_loop(call_twenty_times, seconds=20 * 0.02) / 20
    print(f"egress: {best * 1000:.2f} ms a call")


# Connections


async def test_a_closed_port_is_a_failed_connection_and_names_no_address(fetch: Fetch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ConnectionFailed) as error:
        await fetch("GET", f"http://127.0.0.1:{port}/")
    assert "127" not in str(error.value)
    assert isinstance(error.value, Unavailable)


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
async def test_a_broken_answer_is_a_failed_connection(fetch: Fetch, server: CountingServer, raw: bytes) -> None:
    server.route("GET", "/broken", Answer(raw=raw))
    with pytest.raises(ConnectionFailed):
        await fetch("GET", f"{server.url}/broken")
    assert (await fetch("GET", server.url)).status_code == 200


async def test_an_answer_that_is_no_http_is_of_a_host_that_is_there(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/broken", Answer(raw=b"nonsense\r\n\r\n"))
    with pytest.raises(BodyUnreadable, match="not HTTP"):
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
        "Transfer_Encoding",
        "CONTENT_LENGTH",
    ],
)
async def test_headers_of_the_connection_may_not_be_given(fetch: Fetch, server: CountingServer, name: str) -> None:
    assert (await fetch("GET", server.url, headers={"X-Mine": "fine", "X_Mine": "fine"})).status_code == 200
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

Fetch = Any
LOOPBACK = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])


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
