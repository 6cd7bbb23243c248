"""Heads with lines that are none of HTTP: what is read all the same, and what is taken by its status alone."""

from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer

POST = {"method": "POST", "body": {"a": 1}}
UNREADABLE = [
    b"Content-Length: 2\r\nContent-Length: 3",
    b"Content-Length : 2",
    b"Content Length: 2",
    b"Transfer-Encoding: compress",
    b"Transfer-Encoding: chunked, gzip",
    b"Transfer Encoding: chunked",
    b"HTTP/1.1 500 Internal",
    b"X-Filler: " + b"a" * 70_000,
]


def answer(line: bytes, status: bytes = b"201 Made") -> Answer:
    head = b"HTTP/1.1 %s\r\n%s\r\nContent-Type: application/json\r\nX-Last: z\r\nConnection: close\r\n" % (status, line)
    length = b"" if b"ength" in line or b"ncoding" in line else b"Content-Length: 8\r\n"
    return Answer(raw=head + length + b'\r\n{"n": 1}')


def told(bench: Bench) -> dict[str, Any]:
    return bench.journal[-1][1]


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        (b"X-Even: 1", {"x-even": "1"}),
        (b"X Odd: 1", {}),
        ("X-Näme: a".encode(), {}),
        (b"no colon", {}),
        (b": nameless", {}),
        (b"X-Nul: a\0b", {}),
        (b"X-Return: a\rb", {}),
        (b"X-Blank : 1", {"x-blank": "1"}),
        (b"X-Tab\t: 1", {"x-tab": "1"}),
        (b" folded at once", {}),
        (b"X-Even: 1\r\n  folded", {"x-even": "1 folded"}),
        (b"X Odd: 1\r\n  folded", {}),
        (b"X-Even: 1\nX-Other: 2", {"x-even": "1", "x-other": "2"}),
        (b"Set Cookie: a=b", {}),
    ],
)
async def test_a_line_that_nothing_hangs_on_is_left_out(
    bench: Bench, url: str, line: bytes, headers: dict[str, str]
) -> None:
    bench.server.route("POST", "/odd", answer(line))
    names = ["X-Even", "X-Odd", "X-Nul", "X-Return", "X-Blank", "X-Tab", "X-Other", "X-Last"]
    emitted = await bench.run({**POST, "url": f"{url}/odd", "response_headers": names})
    assert (emitted.ports["status"], emitted.ports["response"]) == (201, {"n": 1})
    assert emitted.ports["headers"] == {**headers, "x-last": "z"}
    assert bench.server.count() == 1


@pytest.mark.parametrize(
    "status", [b"201", b"201 ", b"201 M\0de", b"201Made", b"201\tMade", "201 Создано".encode("cp1251")]
)
async def test_what_stands_behind_a_status_is_no_matter(bench: Bench, url: str, status: bytes) -> None:
    bench.server.route("POST", "/odd", [answer(b"X-Even: 1"), answer(b"X-Even: 1", status)])
    for _ in range(2):
        assert (await bench.run({**POST, "url": f"{url}/odd"})).ports == {"response": {"n": 1}, "status": 201}


@pytest.mark.parametrize("status", [b"2010 Made", b"20 Made", b"-201 Made", b"abc"])
async def test_a_status_that_is_none_is_never_one(bench: Bench, url: str, status: bytes) -> None:
    bench.server.route("POST", "/odd", [answer(b"X-Even: 1"), answer(b"X-Even: 1", status)])
    config = {**POST, "url": f"{url}/odd", "response_as": "none"}
    assert (await bench.run(config)).ports["status"] == 201
    failure = await bench.fail(config)
    assert (failure.code, failure.retryable, failure.details) == ("RESPONSE_UNREADABLE", False, {})


@pytest.mark.parametrize("line", UNREADABLE)
async def test_an_answer_nobody_wants_to_read_is_taken_by_its_status(bench: Bench, url: str, line: bytes) -> None:
    bench.server.route("POST", "/odd", answer(line))
    failure = await bench.fail({**POST, "url": f"{url}/odd"})
    assert (failure.code, failure.retryable) == ("RESPONSE_UNREADABLE", False)
    assert failure.details["status"] == told(bench)["status"] == 201
    assert "response_as: none" in failure.message
    emitted = await bench.run({**POST, "url": f"{url}/odd", "response_as": "none"})
    assert emitted.ports == {"response": None, "status": 201}
    assert bench.journal[-1][0] == "action.completed"
    assert told(bench)["status"] == 201
    assert bench.server.count() == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 201 Made\r\n",
        b"HTTP/1.1 201 Made\r\nContent-",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-",
    ],
)
async def test_a_head_that_breaks_off_tells_its_status(bench: Bench, url: str, raw: bytes) -> None:
    bench.server.route("POST", "/odd", Answer(raw=raw))
    failure = await bench.fail({**POST, "url": f"{url}/odd"})
    assert (failure.code, failure.retryable, failure.details["status"]) == ("CONNECTION_FAILED", False, 201)
    emitted = await bench.run({**POST, "url": f"{url}/odd", "response_as": "none"})
    assert emitted.ports == {"response": None, "status": 201}


async def test_a_head_that_comes_too_late_tells_its_status(bench: Bench, url: str) -> None:
    late = Answer(raw=b"HTTP/1.1 201 Made\r\nX: " + b"a" * 90, drip_seconds=0.02)
    bench.server.route("POST", "/odd", late)
    config = {**POST, "url": f"{url}/odd", "timeout_seconds": 1.0}
    failure = await bench.fail(config)
    assert (failure.code, failure.retryable, failure.details["status"]) == ("REQUEST_TIMED_OUT", False, 201)
    assert (await bench.run({**config, "response_as": "none"})).ports == {"response": None, "status": 201}


@pytest.mark.parametrize("line", UNREADABLE)
@pytest.mark.parametrize(("status", "retryable"), [(b"503 Busy", True), (b"400 No", False)])
async def test_a_refusal_stays_one_whatever_its_head_is_like(
    bench: Bench, url: str, line: bytes, status: bytes, retryable: bool
) -> None:
    bench.server.route("POST", "/odd", answer(line, status))
    for response_as in ("auto", "none"):
        failure = await bench.fail({**POST, "url": f"{url}/odd", "response_as": response_as})
        assert (failure.code, failure.retryable, failure.host_failed) == ("HTTP_STATUS", retryable, retryable)
        assert failure.details["status"] == int(status[:3])


async def test_a_redirect_nobody_can_follow_is_no_success(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/odd", answer(b"Content Length: 2\r\nLocation: /ok", b"302 Found"))
    failure = await bench.fail({**POST, "url": f"{url}/odd", "response_as": "none"})
    assert (failure.code, failure.details["status"]) == ("RESPONSE_UNREADABLE", 302)


async def test_nothing_is_read_on_a_connection_behind_a_head_that_was_mended(bench: Bench, url: str) -> None:
    behind = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"n": 66666}'
    raw = b'HTTP/1.1 200 OK\r\n%s\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"n": 1}'
    bench.server.route("GET", "/odd", Answer(raw=raw % b"no colon" + behind))
    for _ in range(2):
        assert (await bench.run({"method": "GET", "url": f"{url}/odd"})).ports["response"] == {"n": 1}
        assert (await bench.run({"method": "GET", "url": f"{url}/ok"})).ports["response"] == {"n": 1}


async def test_a_host_that_speaks_tls_is_told_as_one(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/x", Answer(raw=b"SSH-2.0-x\r\n"))
    other = await bench.fail({"method": "GET", "url": f"{url}/x"})
    bench.server.route("GET", "/x", Answer(raw=b"\x15\x03\x01\x00\x02\x02\x46"))
    failure = await bench.fail({"method": "GET", "url": f"{url}/x"})
    assert (failure.code, other.code) == ("RESPONSE_UNREADABLE", "RESPONSE_UNREADABLE")
    assert "not HTTP" in other.message
    assert "speaks TLS at that port; try https" in failure.message
    assert not failure.host_failed
