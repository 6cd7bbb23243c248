"""Answers that come in floods: of pieces, of headers, of hints before the answer; from a real server on loopback."""

import gzip
import re
import zlib
from contextlib import suppress
from typing import Any

import brotli
import pytest
from h11 import _abnf, _readers

from kernel.egress import BodyUnreadable, EgressClient
from kernel.egress.responses.body import MAX_BODY_BYTES, MAX_PIECES
from kernel.egress.responses.framing import READ_BYTES
from kernel.egress.responses.head import MAX_LINES, HeadReader
from kernel.egress.responses.trailers import patch_h11_fields
from tests.support.http_server import Answer, CountingServer
from tests.support.loop_holds import held_briefly

Fetch = Any
MOST_HELD = 0.02
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"


def in_chunks(count: int) -> bytes:
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * count + b"0\r\n\r\n"


def with_headers(count: int) -> bytes:
    return HEAD + b"".join(b"X-%d: a\r\n" % number for number in range(count)) + b"Content-Length: 2\r\n\r\nok"


def behind_hints(count: int) -> bytes:
    return b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + HEAD + b"Content-Length: 2\r\n\r\nok"


async def test_a_body_may_come_in_many_pieces_but_not_in_millions(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/some", Answer(raw=in_chunks(20_000)))
    assert (await fetch("GET", f"{server.url}/some")).content == b"a" * 20_000
    server.route("GET", "/flood", Answer(raw=in_chunks(3_000_000)))
    with pytest.raises(BodyUnreadable, match=str(MAX_PIECES)):
        await fetch("GET", f"{server.url}/flood")


async def test_the_loop_has_its_turns_while_pieces_come(client: EgressClient, server: CountingServer) -> None:
    server.route("GET", "/flood", Answer(raw=in_chunks(3_000_000)))

    async def read() -> None:
        with pytest.raises(BodyUnreadable):
            await client.get(f"{server.url}/flood")

    holds = await held_briefly(read, below=MOST_HELD)
    assert holds.turns > MAX_PIECES * len(b"1\r\na\r\n") / READ_BYTES / 2


@pytest.mark.parametrize("shape", [with_headers, behind_hints])
async def test_a_head_is_bounded_in_lines_and_bytes(fetch: Fetch, server: CountingServer, shape: Any) -> None:
    server.route("GET", "/some", Answer(raw=shape(200)))
    assert (await fetch("GET", f"{server.url}/some")).content == b"ok"
    server.route("GET", "/flood", Answer(raw=shape(100_000)))
    with pytest.raises(BodyUnreadable, match=str(MAX_LINES)):
        await fetch("GET", f"{server.url}/flood")
    assert (await fetch("GET", server.url)).status_code == 200


@pytest.mark.parametrize("raw", [with_headers(100_000), behind_hints(100_000)], ids=["headers", "hints"])
async def test_the_loop_has_its_turns_while_a_head_comes(
    client: EgressClient, server: CountingServer, raw: bytes
) -> None:
    server.route("GET", "/flood", Answer(raw=raw))

    async def read() -> None:
        with pytest.raises(BodyUnreadable):
            await client.get(f"{server.url}/flood")

    await held_briefly(read, below=MOST_HELD)


@pytest.mark.parametrize(
    "line",
    [
        b"A:%s\0" % (b" " * 60_000),
        b"A%s:b" % (b" " * 60_000),
        b"Content-Length:%s\0" % (b" \t" * 30_000),
        b"A: b%s\0c" % (b" " * 60_000),
        b"A:%s\0" % (b" b" * 30_000),
        b"content" * 8_000,
        b"A: b" + b"\r\n " * 400,
    ],
)
async def test_the_loop_has_its_turns_whatever_a_head_holds(
    client: EgressClient, server: CountingServer, line: bytes
) -> None:
    server.route("GET", "/odd", Answer(raw=HEAD + line + b"\r\n\r\nok"))

    async def read() -> None:
        with suppress(BodyUnreadable):
            assert (await client.get(f"{server.url}/odd")).content == b"ok"

    await held_briefly(read, below=MOST_HELD)


@pytest.mark.parametrize("line", [b"A: b", b"A:%s\0" % (b" " * 90_000), b"A: b%s\0" % (b" \t" * 40_000), b"A" * 90_000])
async def test_the_loop_has_its_turns_whatever_stands_behind_a_body(
    client: EgressClient, server: CountingServer, line: bytes
) -> None:
    pieces = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    server.route("GET", "/behind", Answer(raw=pieces + line + b"\r\n\r\n"))

    async def read() -> None:
        with suppress(BodyUnreadable):
            assert (await client.get(f"{server.url}/behind")).content == b"ok"

    await held_briefly(read, below=MOST_HELD)


@pytest.mark.parametrize("text", [b"", b"b", b" b", b"\tb  c \t", b"  ", b"b\0", b"b\x0bc", "ü".encode(), b"b:c"])
def test_h11_reads_the_same_fields_in_linear_time(text: bytes) -> None:
    field = b"A:" + text
    theirs = re.fullmatch(_abnf.header_field.encode(), field)
    patch_h11_fields()
    ours = _readers.header_field_re.fullmatch(field)
    assert (theirs and theirs.groupdict()) == (ours and ours.groupdict())


async def test_lines_of_a_body_do_not_count_as_lines_of_the_head(fetch: Fetch, server: CountingServer) -> None:
    body = b"\n" * 100_000
    server.route("GET", "/lines", Answer(body=body))
    for _ in range(2):
        assert (await fetch("GET", f"{server.url}/lines")).content == body


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_the_end_of_a_head_is_seen_however_it_is_cut(size: int) -> None:
    answer = HEAD + b"Content-Length: 9\r\n\r\n"
    bound = HeadReader()
    bound.begin()
    for start in range(0, len(answer), size):
        bound.take(answer[start : start + size] + b"\n" * 10_000 * (start + size >= len(answer)))
    bound.begin()
    with pytest.raises(BodyUnreadable):
        bound.take(b"X: a\r\n" * (MAX_LINES + 1))


WRAPS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "br": brotli.compress,
    "br, br": lambda data: brotli.compress(brotli.compress(data)),
}


@pytest.mark.parametrize("encoding", WRAPS)
async def test_decompressing_goes_in_slices(client: EgressClient, server: CountingServer, encoding: str) -> None:
    body = b"0" * MAX_BODY_BYTES
    server.route("GET", "/large", Answer(body=WRAPS[encoding](body), headers={"Content-Encoding": encoding}))

    async def read() -> None:
        received = 0
        async with client.stream("GET", f"{server.url}/large") as response:
            async for piece in response.aiter_raw():
                received += len(piece)
        assert received == len(body)

    await held_briefly(read, below=MOST_HELD)


@pytest.mark.parametrize("label", ["punycode", "unicode_escape", "idna", "rot13", "unknown"])
async def test_whoever_reads_an_answer_s_text_reads_it_by_a_charset_we_know(
    fetch: Fetch, server: CountingServer, label: str
) -> None:
    server.route(
        "GET",
        "/known",
        Answer(body="grün".encode("latin-1"), headers={"Content-Type": "text/plain; charset=iso-8859-1"}),
    )
    assert (await fetch("GET", f"{server.url}/known")).text == "grün"
    body = b"a" * 200_000 + b"-" + b"b" * 200_000
    server.route("GET", "/odd", Answer(body=body, headers={"Content-Type": f"text/plain; charset={label}"}))
    response = await fetch("GET", f"{server.url}/odd")
    assert response.text == body.decode()
    assert response.encoding == "utf-8"
