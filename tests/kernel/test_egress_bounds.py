"""The guarded clients against a real server on loopback: bodies and time are bounded."""

import asyncio
import gzip
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest

from kernel.egress import (
    BodyTooLarge,
    BodyUnreadable,
    DeadlineExceeded,
    EgressClient,
    build_policy,
    open_client,
    open_sync_client,
)
from kernel.egress.responses import decompression
from kernel.egress.responses.body import MAX_BODY_BYTES
from kernel.egress.responses.decompression import MAX_BROTLI_WINDOW, accepted_encodings, brotli_window
from kernel.errors import Invalid, Unavailable
from tests.support.best_tries import quick_once_on_loop
from tests.support.http_server import Answer, CountingServer, RecordedRequest

Fetch = Any


# Bodies


def quickly(data: bytes) -> bytes:
    return bytes(brotli.compress(data, quality=1))


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("gzip, deflate", lambda data: zlib.compress(gzip.compress(data))),
        ("br", brotli.compress),
        ("br, gzip", lambda data: gzip.compress(brotli.compress(data))),
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
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9]),
        ("gzip", gzip.compress(b"x", mtime=0) + b"more"),
        ("deflate", b"\xff\xff\xff"),
        ("br", brotli.compress(b"x" * 1000)[:-2]),
        ("br", brotli.compress(b"x") + b"more"),
        ("gzip, gzip, gzip", gzip.compress(b"x", mtime=0)),
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


async def test_brotli_is_asked_for_where_its_library_is(
    fetch: Fetch, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.route("GET", "/br", Answer(body=brotli.compress(b"x"), headers={"Content-Encoding": "br"}))
    assert (await fetch("GET", f"{server.url}/br")).content == b"x"
    assert server.calls[0].headers["accept-encoding"] == accepted_encodings() == "gzip, deflate, br"
    monkeypatch.setattr(decompression, "brotli", None)
    assert accepted_encodings() == "gzip, deflate"
    with pytest.raises(BodyUnreadable, match="not asked for"):
        await fetch("GET", f"{server.url}/br")


@pytest.mark.parametrize("bits", range(10, 25))
async def test_the_window_of_brotli_is_bounded(fetch: Fetch, server: CountingServer, bits: int) -> None:
    body = brotli.compress(b"x" * 100, lgwin=bits)
    assert brotli_window(body[0]) == bits
    server.route("GET", "/br", Answer(body=body, headers={"Content-Encoding": "br"}))
    if bits <= MAX_BROTLI_WINDOW:
        assert (await fetch("GET", f"{server.url}/br")).content == b"x" * 100
    else:
        with pytest.raises(BodyUnreadable, match="more than 4 MiB"):
            await fetch("GET", f"{server.url}/br")


async def test_a_head_answer_may_name_an_encoding(fetch: Fetch, server: CountingServer) -> None:
    server.route("HEAD", "/c", Answer(headers={"Content-Encoding": "gzip"}))
    assert (await fetch("HEAD", f"{server.url}/c")).status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "gzip, gzip", "br", "br, br"])
async def test_a_body_over_the_bound_is_an_error_however_small_on_the_wire(
    fetch: Fetch, server: CountingServer, encoding: str
) -> None:
    wrappers: dict[str, Callable[[bytes], bytes]] = {
        "identity": lambda data: data,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
        "br": quickly,
        "br, br": lambda data: quickly(quickly(data)),
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

    async def fail() -> None:
        with pytest.raises(DeadlineExceeded) as error:
            await fetch("GET", f"{server.url}/slow", timeout=0.4)
        assert isinstance(error.value, Unavailable)

    assert await quick_once_on_loop(fail, seconds=1.5) > 0.35


async def test_the_deadline_bounds_headers_that_drip(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/drip", Answer(raw=b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 40, drip_seconds=0.05))

    async def fail() -> None:
        with pytest.raises(DeadlineExceeded):
            await fetch("GET", f"{server.url}/drip", timeout=0.4)

    await quick_once_on_loop(fail, seconds=1.5)


async def test_the_deadline_bounds_the_hops_together(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/hop", Answer(302, headers={"Location": "/hop"}, delay_seconds=0.15))
    with pytest.raises(DeadlineExceeded):
        await fetch("GET", f"{server.url}/hop", timeout=0.4)
    assert server.count("/hop") <= 3


async def test_the_deadline_bounds_a_streamed_body(client: EgressClient, server: CountingServer) -> None:
    server.route("GET", "/drip", Answer(drip=[b"x"] * 40, drip_seconds=0.1))

    async def fail() -> None:
        async with client.stream("GET", f"{server.url}/drip", timeout=0.4) as response:
            with pytest.raises(DeadlineExceeded):
                await response.aread()

    await quick_once_on_loop(fail, seconds=1.5)


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
    both = threading.Barrier(2)

    def answer(_request: RecordedRequest) -> Answer:
        both.wait(10)
        return Answer()

    server.route("GET", "/slow", answer)
    answers = await asyncio.gather(client.get(f"{server.url}/slow"), client.get(f"{server.url}/slow"))
    assert [answer.status_code for answer in answers] == [200, 200]
