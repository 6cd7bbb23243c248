"""What strangers send is bounded in size, time and number before the application hears of it."""

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_websocket

from llmteam.api.content import MAX_BODY_BYTES
from tests.conftest import Customer
from tests.support.best_tries import least_of, quick_once
from tests.support.raw_http import GET, ask, connect, read_answer, read_to_end, seconds_until_closed
from tests.support.server import ServerProcess, running_server

HEADER_SECONDS, BODY_SECONDS, PER_ADDRESS, IN_ALL = 2.0, 4.0, 20, 50
POST = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


@pytest.fixture(scope="module")
def strict(django_db_setup: None) -> Iterator[ServerProcess]:
    """A server that has little patience and little room."""
    environment = {
        "HTTP_HEADER_SECONDS": f"{HEADER_SECONDS}",
        "HTTP_BODY_SECONDS": f"{BODY_SECONDS}",
        "HTTP_IDLE_SECONDS": "3",
        "HTTP_CONNECTIONS_PER_ADDRESS": f"{PER_ADDRESS}",
        "HTTP_CONNECTIONS": f"{IN_ALL}",
    }
    with running_server(**environment) as server:
        yield server


def test_a_body_of_a_mebibyte_is_read_and_one_byte_more_is_refused_before_it_is_sent(strict: ServerProcess) -> None:
    with connect(strict.port) as taken:
        taken.sendall(POST + f"Content-Length: {MAX_BODY_BYTES}\r\n\r\n".encode())
        taken.sendall(b"x" * MAX_BODY_BYTES)
        assert read_answer(taken).status == 404
    with connect(strict.port) as refused:
        refused.sendall(POST + f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
        answer = read_answer(refused)
        assert (answer.status, answer.json()["code"], answer.json()["limit"]) == (413, "TOO_LARGE", MAX_BODY_BYTES)
        assert answer.headers["connection"] == "close"
        assert read_to_end(refused) == b""


def test_expect_continue_is_answered_for_a_body_that_fits_only(strict: ServerProcess) -> None:
    expecting = POST + b"Expect: 100-continue\r\n"
    with connect(strict.port) as taken:
        taken.sendall(expecting + b"Content-Length: 2\r\n\r\n")
        assert read_answer(taken).status == 100
        taken.sendall(b"{}")
        assert read_answer(taken).status == 404
    with connect(strict.port) as refused:
        refused.sendall(expecting + b"Content-Length: 1073741824\r\n\r\n")
        assert read_answer(refused).status == 413


@pytest.mark.parametrize("declared", [True, False], ids=["with its length", "in chunks"])
def test_a_gibibyte_is_refused_within_a_mebibyte_of_reading(strict: ServerProcess, declared: bool) -> None:
    """Counted by the system: what was sent, less what still waits on either side to be read."""
    sent = 0
    head = b"Content-Length: 1073741824\r\n\r\n" if declared else b"Transfer-Encoding: chunked\r\n\r\n"
    with connect(strict.port, seconds=0.3) as connection:
        connection.sendall(POST + head)
        with contextlib.suppress(TimeoutError):
            while sent < 1024**3:
                sent += connection.send(b"x" * 65_536 if declared else CHUNK)
        has_read = sent - unread_between(connection)
        received = read_to_end(connection)
    print(f"of {sent} that were sent the server read {has_read}")
    assert received.startswith(b"HTTP/1.1 413")
    assert sent < 16 * 1024**2
    assert has_read < (65_536 if declared else 1024**2 + 2 * 65_536)


def test_headers_have_a_bound_in_bytes_and_in_number(strict: ServerProcess) -> None:
    fits = b"".join(b"X-%d: y\r\n" % number for number in range(90))
    assert ask(strict.port, GET[:-2] + fits + b"\r\n").status == 200
    assert ask(strict.port, GET[:-2] + b"X: " + b"y" * 12_000 + b"\r\n\r\n").status == 200
    too_many = b"".join(b"X-%d: y\r\n" % number for number in range(110))
    for flaw in (too_many + b"\r\n", b"X: " + b"y" * 20_000 + b"\r\n\r\n", b"X: " + b"y" * 200_000):
        answer = ask(strict.port, GET[:-2] + flaw)
        assert (answer.status, answer.json()["code"]) == (431, "HEADERS_TOO_LARGE")
    assert ask(strict.port, b"\x16\x03\x01 this is not HTTP\r\n\r\n").json()["code"] == "MALFORMED"


def test_headers_that_drip_are_cut_however_steadily(strict: ServerProcess) -> None:
    with connect(strict.port) as steady:
        steady.sendall(GET[:20])
        time.sleep(HEADER_SECONDS / 2)
        steady.sendall(GET[20:])
        assert read_answer(steady).status == 200

    def be_cut() -> None:
        with connect(strict.port, seconds=0.2) as dripping:
            received = drip(dripping, b"GET / HTTP/1.1\r\n", b"X: y\r\n")
            assert received.startswith(b"HTTP/1.1 408")
            assert b"The headers did not arrive within 2 s." in received

    assert quick_once(be_cut, seconds=HEADER_SECONDS + 2) > HEADER_SECONDS - 0.1


def test_a_body_that_drips_is_cut_however_steadily(strict: ServerProcess) -> None:
    def be_cut(head: bytes, piece: bytes) -> None:
        with connect(strict.port, seconds=0.2) as dripping:
            assert b"The body did not arrive within 4 s." in drip(dripping, POST + head, piece)

    for head, piece in (
        (b"Content-Length: 1000\r\n\r\n", b"x"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ):
        assert quick_once(partial(be_cut, head, piece), seconds=BODY_SECONDS + 2) > BODY_SECONDS - 0.1


def test_a_second_request_has_its_own_time_and_an_idle_connection_ends(strict: ServerProcess) -> None:
    with connect(strict.port) as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert read_answer(connection).status == 200
            time.sleep(HEADER_SECONDS / 2)
        began = time.monotonic()
        connection.sendall(b"G")
        assert seconds_until_closed(connection, began) < HEADER_SECONDS + 2

    def idle_seconds() -> float:
        with connect(strict.port) as idle:
            idle.sendall(GET)
            read_answer(idle)
            return seconds_until_closed(idle, time.monotonic())

    assert least_of(idle_seconds, below=3 + 2) > 2


def test_one_address_has_so_many_connections_and_others_still_theirs(strict: ServerProcess) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(PER_ADDRESS):
            held.enter_context(connect(strict.port, source="127.0.0.2"))
        answer = read_refusal(strict, "127.0.0.2")
        assert b"HTTP/1.1 429" in answer
        assert b"TOO_MANY_CONNECTIONS" in answer
        assert b"Retry-After: 10" in answer
        assert ask(strict.port, source="127.0.0.3").status == 200
        for number in range(IN_ALL - PER_ADDRESS):
            held.enter_context(connect(strict.port, source=f"127.0.1.{number % 3 + 1}"))
        assert b"SERVER_FULL" in read_refusal(strict, "127.0.0.3")
    wait_until_open(strict, "127.0.0.2")


def test_a_websocket_keeps_its_connection_s_place_and_gives_it_back(strict: ServerProcess) -> None:
    upgrade = b"GET /ws/v1/events/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    upgrade += b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    for _ in range(3):
        with contextlib.ExitStack() as held:
            for _ in range(PER_ADDRESS):
                socket_of_one = held.enter_context(connect(strict.port, source="127.0.0.4"))
                socket_of_one.sendall(upgrade)
                assert socket_of_one.recv(12) == b"HTTP/1.1 101"
            assert b"TOO_MANY_CONNECTIONS" in read_refusal(strict, "127.0.0.4")
        wait_until_open(strict, "127.0.0.4")


@pytest.mark.django_db(transaction=True)
def test_a_websocket_takes_short_messages_only_however_they_are_cut(strict: ServerProcess, acme: Customer) -> None:
    """A short one is told that nothing is to be said here; a long one is not even read."""
    address = f"ws://127.0.0.1:{strict.port}/ws/v1/events/"
    for flaw, code in (("x" * 4_000, 4400), ("x" * 5_000, 1006), (["x" * 3_000, "y" * 3_000], 1006)):
        with open_websocket(address, additional_headers={"X-API-Key": acme.key}) as caller:
            with contextlib.suppress(ConnectionClosed):
                caller.send(flaw)
                while True:
                    caller.recv(timeout=10)
            assert caller.close_code == code, len(flaw)


@pytest.fixture(scope="module")
def as_delivered(django_db_setup: None) -> Iterator[ServerProcess]:
    """A server with the bounds it has by default."""
    with running_server() as server:
        yield server


@pytest.mark.soak
def test_two_thousand_dripping_connections_are_closed_within_thirty_seconds(as_delivered: ServerProcess) -> None:
    starts = (b"GET / HTTP/1.1\r\n", POST + b"Content-Length: 1000000\r\n\r\n", POST, b"")
    looking = selectors.DefaultSelector()
    began = time.monotonic()
    for number in range(2_000):
        connection = connect(as_delivered.port, source=f"127.0.0.{2 + number % 4}")
        connection.sendall(starts[number % len(starts)])
        connection.setblocking(False)
        looking.register(connection, selectors.EVENT_READ)
    opened = time.monotonic() - began
    slowest_answer = 0.0
    while looking.get_map() and time.monotonic() - began < 60:
        asked = time.monotonic()
        assert ask(as_delivered.port).status == 200
        slowest_answer = max(slowest_answer, time.monotonic() - asked)
        for key, _ in looking.select(0.05):
            let_go_of_closed(looking, key.fileobj)  # type: ignore[arg-type]
        for key in list(looking.get_map().values()):
            with contextlib.suppress(OSError):
                key.fileobj.send(b"y")  # type: ignore[union-attr]
        time.sleep(0.5)
    took = time.monotonic() - began
    print(f"2,000 opened in {opened:.1f} s, all closed after {took:.1f} s; /healthz at worst {slowest_answer:.3f} s")
    assert took - opened < 30


def let_go_of_closed(looking: selectors.BaseSelector, connection: socket.socket) -> None:
    try:
        is_closed = connection.recv(65_536) == b""
    except BlockingIOError:
        return
    except OSError:
        is_closed = True
    if is_closed:
        looking.unregister(connection)
        connection.close()


def drip(connection: socket.socket, start: bytes, piece: bytes) -> bytes:
    """Send a piece five times a second until the server ends the connection; give what it said."""
    connection.sendall(start)
    received = bytearray()
    while True:
        try:
            connection.sendall(piece)
            said = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return bytes(received)
        if not said:
            return bytes(received)
        received += said


def read_refusal(server: ServerProcess, source: str) -> bytes:
    with connect(server.port, source=source) as connection:
        return read_to_end(connection)


def wait_until_open(server: ServerProcess, source: str) -> None:
    """Return once the address is served again: the server hears of closed connections a little later."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError, AssertionError):
            if ask(server.port, source=source).status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the places were not given back")


def unread_between(connection: socket.socket) -> int:
    """Bytes of a connection over the loopback that its two ends have not sent on, or not read, yet."""
    ports = [f"{connection.getsockname()[1]:04X}", f"{connection.getpeername()[1]:04X}"]
    unread = 0
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        ends = local.partition(":")[2], remote.partition(":")[2]
        to_send, to_read = (int(text, 16) for text in queues.split(":"))
        if ends == tuple(ports):
            unread += to_send
        elif ends == tuple(reversed(ports)):
            unread += to_read
    return unread
