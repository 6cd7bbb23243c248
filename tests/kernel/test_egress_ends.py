"""Where an answer ends: nothing behind it is the next one, and nobody on the way can end it."""

import gzip
import ssl
from collections.abc import Iterator
from typing import Any

import httpcore
import pytest

from kernel.egress import (
    BodyUnreadable,
    ConnectionFailed,
    build_policy,
    build_ssl_context,
    open_client,
    open_sync_client,
)
from kernel.egress.errors import Reason
from kernel.egress.responses.framing import BodyInChunks
from kernel.egress.responses.head import READ_BYTES
from tests.support.certificates import Authority, server_context
from tests.support.http_server import Answer, CountingServer

Fetch = Any
LOOPBACK = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])
FORGED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nforged"
TAIL = b"Content-Type: text/plain\r\n"


def with_length(body: bytes, behind: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s%s" % (TAIL, len(body), body, behind)


def chunked(*pieces: bytes, head: bytes = b"Transfer-Encoding: chunked") -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return b"HTTP/1.1 200 OK\r\n%s%s\r\n\r\n%s" % (TAIL, head, body)


def full_read(behind: bytes) -> bytes:
    """An answer that ends where the first read of a connection does."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4000\r\nX-Filler: "
    return head + b"f" * (READ_BYTES - len(head) - 4004) + b"\r\n\r\n" + b"b" * 4000 + behind


KEPT = {
    "GET": with_length(b"ok"),
    "chunks": chunked(b"ok"),
    "a full read": full_read(b""),
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
}
TEXTS = {"GET": "ok", "chunks": "ok", "a full read": "b" * 4000, "204": "", "HEAD": ""}
BEHIND = {
    "an answer": FORGED,
    "two answers": FORGED + FORGED,
    "a line end": b"\r\n",
    "a few bytes": b'"}',
    "much": b"x" * 300_000,
    "a hint": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.fixture(params=["http", "https"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[CountingServer, ssl.SSLContext | None]]:
    authority = Authority("ours")
    is_secure = request.param == "https"
    with CountingServer(ssl_context=server_context(authority) if is_secure else None) as server:
        server.route("POST", "/next", Answer(body="meant"))
        yield server, build_ssl_context(authorities=authority.pem) if is_secure else None


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND.keys())
@pytest.mark.parametrize("kind", KEPT)
async def test_what_stands_behind_an_answer_is_never_the_next(
    served: tuple[CountingServer, ssl.SSLContext | None], kind: str, behind: bytes
) -> None:
    server, context = served
    method = "HEAD" if kind == "HEAD" else "GET"
    server.route(method, "/clean", Answer(raw=KEPT[kind], stays_open=True))
    server.route(method, "/more", Answer(raw=KEPT[kind] + behind, stays_open=True))
    async with open_client(LOOPBACK, ssl_context=context) as client:
        for path, connections in (("/clean", 1), ("/more", 1), ("/more", 2)):
            assert (await client.request(method, server.url + path)).text == TEXTS[kind]
            assert (await client.post(f"{server.url}/next")).text == "meant"
            assert server.connections == connections + (path == "/more")
    assert server.count("/next") == 3


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND.keys())
def test_a_blocking_client_does_not_take_it_either(
    served: tuple[CountingServer, ssl.SSLContext | None], behind: bytes
) -> None:
    server, context = served
    server.route("GET", "/clean", Answer(raw=with_length(b"ok"), stays_open=True))
    server.route("GET", "/more", Answer(raw=with_length(b"ok", behind), stays_open=True))
    with open_sync_client(LOOPBACK, ssl_context=context) as client:
        for path, connections in (("/clean", 1), ("/more", 2), ("/more", 3)):
            assert client.get(server.url + path).text == "ok"
            assert client.post(f"{server.url}/next").text == "meant"
            assert server.connections == connections


async def test_a_redirect_is_not_answered_by_what_stands_behind_it(
    served: tuple[CountingServer, ssl.SSLContext | None],
) -> None:
    server, context = served
    moved = b"HTTP/1.1 302 Found\r\nLocation: /meant\r\nContent-Length: 0\r\n\r\n"
    server.route("GET", "/meant", Answer(body="meant"))
    for behind in (b"", FORGED):
        server.route("GET", "/moved", Answer(raw=moved + behind, stays_open=True))
        async with open_client(LOOPBACK, ssl_context=context) as client:
            assert (await client.get(f"{server.url}/moved")).text == "meant"


@pytest.fixture
def secure() -> Iterator[tuple[CountingServer, ssl.SSLContext]]:
    authority = Authority("ours")
    context = build_ssl_context(authorities=authority.pem)
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
    with CountingServer(ssl_context=server_context(authority)) as server:
        yield server, context


OPEN_ENDED = [
    b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\nrow1\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/csv\r\n\r\nrow1\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: identity\r\n\r\nrow1\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
]


@pytest.mark.parametrize("raw", OPEN_ENDED)
async def test_over_tls_an_answer_that_only_breaks_off_is_broken(
    secure: tuple[CountingServer, ssl.SSLContext], raw: bytes
) -> None:
    server, context = secure
    server.route("GET", "/ended", Answer(raw=raw, ends_tls=True))
    server.route("GET", "/cut", Answer(raw=raw))
    async with open_client(LOOPBACK, ssl_context=context) as client:
        assert (await client.get(f"{server.url}/ended")).content == raw.partition(b"\r\n\r\n")[2]
        with pytest.raises(ConnectionFailed) as failure:
            await client.get(f"{server.url}/cut")
    assert (failure.value.reason, failure.value.sent) == (Reason.BROKEN, True)
    with open_sync_client(LOOPBACK, ssl_context=context) as blocking:
        assert blocking.get(f"{server.url}/ended").content == raw.partition(b"\r\n\r\n")[2]
        with pytest.raises(ConnectionFailed):
            blocking.get(f"{server.url}/cut")


@pytest.mark.parametrize("raw", [with_length(b"row1\n"), chunked(b"row1\n"), b"HTTP/1.1 204 None\r\n\r\n"])
async def test_an_answer_that_says_itself_where_it_ends_needs_no_closing_word(
    secure: tuple[CountingServer, ssl.SSLContext], raw: bytes
) -> None:
    server, context = secure
    server.route("GET", "/cut", Answer(raw=raw))
    async with open_client(LOOPBACK, ssl_context=context) as client:
        assert (await client.get(f"{server.url}/cut")).content in (b"row1\n", b"")


GZIPPED = gzip.compress(b"packed")
CODINGS = {
    b"identity": (b"plain", b"plain"),
    b"Identity, chunked": (b"5\r\nplain\r\n0\r\n\r\n", b"plain"),
    b"chunked\r\nTransfer-Encoding: chunked": (b"5\r\nplain\r\n0\r\n\r\n", b"plain"),
    b"CHUNKED": (b"5\r\nplain\r\n0\r\n\r\n", b"plain"),
    b"gzip, chunked": (b"%x\r\n%s\r\n0\r\n\r\n" % (len(GZIPPED), GZIPPED), b"packed"),
    b"x-gzip\r\nTransfer-Encoding: chunked": (b"%x\r\n%s\r\n0\r\n\r\n" % (len(GZIPPED), GZIPPED), b"packed"),
    b"gzip": (GZIPPED, b"packed"),
    b"chunked\r\nContent-Length: 3": (b"5\r\nplain\r\n0\r\n\r\n", b"plain"),
    b"identity\r\nContent-Length: 5": (b"plain and more", b"plain"),
    b", ,identity": (b"plain", b"plain"),
}


@pytest.mark.parametrize("coding", CODINGS)
async def test_transfer_codings_are_read_as_they_are_meant(fetch: Fetch, server: CountingServer, coding: bytes) -> None:
    body, content = CODINGS[coding]
    server.route(
        "GET",
        "/coded",
        Answer(raw=b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: %s\r\n\r\n%s" % (coding, body)),
    )
    for _ in range(2):
        assert (await fetch("GET", f"{server.url}/coded")).content == content
        assert (await fetch("GET", server.url)).json() == {"ok": True}


@pytest.mark.parametrize(
    "coding", [b"chunked, gzip", b"chunked, gzip, chunked", b"compress, chunked", b"x", b"x, chunked"]
)
async def test_a_coding_nobody_knows_ends_the_call(fetch: Fetch, server: CountingServer, coding: bytes) -> None:
    raw = b"HTTP/1.1 201 OK\r\nConnection: close\r\nTransfer-Encoding: %s\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    server.route("GET", "/known", Answer(raw=raw % b"chunked"))
    assert (await fetch("GET", f"{server.url}/known")).content == b"ok"
    server.route("GET", "/unknown", Answer(raw=raw % coding))
    with pytest.raises(BodyUnreadable, match="Transfer-Encoding") as failure:
        await fetch("GET", f"{server.url}/unknown")
    assert failure.value.answered_with == 201


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunks_are_put_together_however_they_are_cut(size: int) -> None:
    pieces = [b"a", b"\r\n" * 40, b"0\r\n\r\n", b"x" * 300]
    sent = b"".join(b"%X ;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    sent += b"0\r\nX-Behind: 1\r\n Folded\r\n\r\n"
    body = BodyInChunks()
    passed = b"".join(body.take(sent[start : start + size]) for start in range(0, len(sent), size))
    assert (body.has_ended, body.has_surplus) == (True, False)
    again = BodyInChunks()
    assert again.take(passed) == b"%x\r\n%s\r\n0\r\n\r\n" % (len(b"".join(pieces)), b"".join(pieces))
    assert not again.has_surplus
    again.take(b"\r\n")
    assert again.has_surplus


def test_many_small_chunks_become_few_large_ones() -> None:
    body = BodyInChunks()
    assert body.take(b"1\r\na\r\n" * 1000) == b"3e8\r\n" + b"a" * 1000 + b"\r\n"
    assert body.at_most(65_536) < 65_536
    assert BodyInChunks().at_most(65_536) == 65_536


ODD_CHUNKS = {
    "no number": b"xyz\r\n",
    "a line end of another kind": b"3\nabc\n",
    "more than was said": b"2\r\nabcd\r\n",
    "a negative one": b"-3\r\nabc\r\n",
    "a line without an end": b"3;" + b"a" * 5_000,
    "too many digits": b"0" * 21 + b"1\r\na\r\n",
    "lines that are long": (b"1;" + b"x" * 4_000 + b"\r\na\r\n") * 400,
    "trailers without end": b"0\r\n" + b"X: y\r\n" * 20_000,
}


@pytest.mark.parametrize("odd", ODD_CHUNKS.values(), ids=ODD_CHUNKS.keys())
async def test_a_piece_that_is_none_ends_the_call(fetch: Fetch, server: CountingServer, odd: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
    server.route("GET", "/even", Answer(raw=head + b"0\r\n\r\n", stays_open=True))
    assert (await fetch("GET", f"{server.url}/even")).content == b"ok"
    server.route("GET", "/odd", Answer(raw=head + odd, stays_open=True))
    with pytest.raises(BodyUnreadable):
        await fetch("GET", f"{server.url}/odd")


async def test_chunks_that_break_off_are_no_whole_answer(fetch: Fetch, server: CountingServer) -> None:
    whole = chunked(b"some", b"more")
    for cut in range(len(whole) - 14, len(whole)):
        server.route("GET", "/cut", Answer(raw=whole[:cut]))
        with pytest.raises(ConnectionFailed):
            await fetch("GET", f"{server.url}/cut")
    server.route("GET", "/cut", Answer(raw=whole))
    assert (await fetch("GET", f"{server.url}/cut")).content == b"somemore"


async def test_line_ends_before_an_answer_are_passed_over(fetch: Fetch, server: CountingServer) -> None:
    server.route("GET", "/late", Answer(raw=b"\r\n\n\r\n" + with_length(b"ok")))
    assert (await fetch("GET", f"{server.url}/late")).content == b"ok"


class CountedNetwork(httpcore.AnyIOBackend):
    """Counts what is read on its connections."""

    def __init__(self) -> None:
        self.reads = 0

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        return CountedStream(self, await super().connect_tcp(*args, **options))


class CountedStream(httpcore.AsyncNetworkStream):
    def __init__(self, network: CountedNetwork, stream: httpcore.AsyncNetworkStream) -> None:
        self._network = network
        self._inner = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's protocol
        self._network.reads += 1
        return await self._inner.read(max_bytes, timeout)

    async def start_tls(self, *args: Any) -> httpcore.AsyncNetworkStream:
        return CountedStream(self._network, await self._inner.start_tls(*args))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's protocol
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@pytest.mark.parametrize("kind", ["text/plain", "text/event-stream"])
async def test_bytes_that_come_one_by_one_are_left_to_gather(
    served: tuple[CountingServer, ssl.SSLContext | None], kind: str
) -> None:
    server, context = served
    count = 5_000
    head = {"Content-Type": kind}
    server.route("GET", "/drops", Answer(headers=head, drip=[b"x"] * (count - 1) + [b"y"], ends_tls=True))
    network = CountedNetwork()
    async with open_client(LOOPBACK, ssl_context=context, network=network) as client:
        assert len((await client.get(f"{server.url}/drops")).content) == count
    assert network.reads < 1_000
