"""What a step tells of an answer that came: by redirects, with a body that cannot be read, or with no HTTP at all."""

import gzip
import json
from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer

POST = {"method": "POST", "body": {"a": 1}}


def to(place: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": place})


def told(bench: Bench) -> dict[str, Any]:
    return bench.journal[-1][1]


# Redirects


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("/plain?q=a b", "/plain?q=a%20b"),
        ("/my file.pdf", "/my%20file.pdf"),
        (" /my%20file.pdf ", "/my%20file.pdf"),
        ("/a  b?c= d", "/a%20%20b?c=%20d"),
    ],
)
async def test_a_redirect_with_blanks_is_followed(bench: Bench, url: str, place: str, target: str) -> None:
    bench.server.route("GET", "/from", to(place))
    bench.server.route("GET", "/*", Answer(body={"n": 1}))
    bench.server.route("GET", "/from", to(place))
    assert (await bench.run({"method": "GET", "url": f"{url}/from"})).ports["response"] == {"n": 1}
    assert bench.server.calls[-1].target == target
    bench.server.route("GET", "/from", to("http://127.0.0.1 .example/x"))
    assert (await bench.fail({"method": "GET", "url": f"{url}/from"})).code == "EGRESS_BLOCKED"


async def test_a_host_that_redirects_without_an_end_is_told_from_one_that_is_forbidden(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/round", [to("/ok"), to("/round")])
    assert (await bench.run({"method": "GET", "url": f"{url}/round"})).ports["status"] == 200
    failure = await bench.fail({"method": "GET", "url": f"{url}/round"})
    assert (failure.code, failure.retryable, failure.host_failed) == ("TOO_MANY_REDIRECTS", False, False)
    assert failure.details == {"status": 302}
    assert len(told(bench)["redirects"]) == 5


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_that_became_a_get_is_told(bench: Bench, url: str, status: int) -> None:
    bench.server.route("POST", "/from", to("/list?token=s3cr3t&page=1", status))
    bench.server.route("GET", "/list", [Answer(body=[]), Answer(status=404)])
    emitted = await bench.run({**POST, "url": f"{url}/from"})
    assert (emitted.ports["response"], emitted.ports["status"]) == ([], 200)
    assert [(call.method, call.body) for call in bench.server.calls] == [("POST", b'{"a":1}'), ("GET", b"")]
    place = f"{url}/list?token=[cut]&page=1"
    assert told(bench)["redirects"] == [{"status": status, "method": "GET", "url": place}]
    assert (
        told(bench)["remark"]
        == f"The host redirected the POST with {status}: it was followed by GET, without its body."
    )
    failure = await bench.fail({**POST, "url": f"{url}/from"})
    assert told(bench)["remark"] in failure.message
    assert told(bench)["status"] == 404


@pytest.mark.parametrize("status", [307, 308])
async def test_a_post_that_stayed_one_needs_no_remark(bench: Bench, url: str, status: int) -> None:
    bench.server.route("POST", "/from", to("/ok", status))
    await bench.run({**POST, "url": f"{url}/from"})
    assert [call.body for call in bench.server.calls] == [b'{"a":1}'] * 2
    assert told(bench)["redirects"] == [{"status": status, "method": "POST", "url": f"{url}/ok"}]
    assert "remark" not in told(bench)
    await bench.run({**POST, "url": f"{url}/ok"})
    assert "redirects" not in told(bench)


# Bodies


def cut(status: int, body: bytes = b'{"id": 1') -> Answer:
    return Answer(
        raw=b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n%s" % (status, body)
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (cut(201), "CONNECTION_FAILED"),
        (Answer(status=201, drip=[b"{"] * 9, drip_seconds=0.2), "REQUEST_TIMED_OUT"),
        (Answer(status=201, body=b"no gzip", headers={"Content-Encoding": "gzip"}), "RESPONSE_UNREADABLE"),
        (Answer(status=201, body=b"a" * 6_000_000), "RESPONSE_TOO_LARGE"),
        (Answer(status=201, body=b"<h1>Done", headers={"Content-Type": "application/json"}), "MALFORMED_JSON"),
    ],
)
async def test_the_status_that_came_is_told_whatever_became_of_the_body(
    bench: Bench, url: str, answer: Answer, code: str
) -> None:
    bench.server.route("POST", "/make", [Answer(status=201, body={}), answer])
    config = {**POST, "url": f"{url}/make", "timeout_seconds": 0.5}
    assert (await bench.run(config)).ports["status"] == 201
    failure = await bench.fail(config)
    assert (failure.code, failure.retryable) == (code, False)
    assert failure.details["status"] == told(bench)["status"] == 201
    assert ("response" in failure.details) == (code == "MALFORMED_JSON")
    if code in {"CONNECTION_FAILED", "REQUEST_TIMED_OUT"}:
        assert "answered with status 201" in failure.message
    assert ".;" not in failure.message


@pytest.mark.parametrize(
    "answer",
    [
        cut(400, b'{"message": "no such id"'),
        Answer(status=400, drip=[b'{"message": "no such id"', b"."] * 9, drip_seconds=0.2),
        Answer(
            status=400,
            body=gzip.compress(json.dumps({"message": "no such id"}).encode())[:-9],
            headers={"Content-Encoding": "gzip"},
        ),
        Answer(status=400, body='{"message": "no such id"' + "." * 6_000_000),
    ],
)
async def test_a_refusal_is_one_and_shows_its_beginning_whatever_became_of_its_body(
    bench: Bench, url: str, answer: Answer
) -> None:
    bench.server.route("GET", "/x", answer)
    failure = await bench.fail({"method": "GET", "url": f"{url}/x", "timeout_seconds": 0.5})
    assert (failure.code, failure.retryable, failure.host_failed) == ("HTTP_STATUS", False, False)
    assert failure.details["status"] == 400
    assert "no such id" in str(failure.details["response"])


# Heads


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: two",
        b"Content-Length: -2",
        b"Transfer-Encoding: compress",
        b"Transfer-Encoding: gzip",
        b"Content-Length : 2",
        b"Content Length: 2",
        b"X Odd: 1\r\nContent-Length\t: 2",
        b"Transfer-Encoding : chunked",
        b"Transfer Encoding: chunked",
        b"X-A: b\rContent-Length: 2",
        b"Content Type: application/json",
        b"Content\0-Encoding: gzip",
        b"HTTP/1.1 500 Internal",
    ],
)
async def test_an_answer_whose_length_or_type_cannot_be_read_is_no_dead_host(
    bench: Bench, url: str, line: bytes
) -> None:
    def answer(line: bytes) -> Answer:
        return Answer(raw=b"HTTP/1.1 200 OK\r\n%s\r\nConnection: close\r\n\r\n{}" % line)

    bench.server.route("GET", "/odd", [answer(b"Content-Length: 2"), answer(line)])
    assert (await bench.run({"method": "GET", "url": f"{url}/odd"})).ports["status"] == 200
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.code, failure.retryable, failure.host_failed) == ("RESPONSE_UNREADABLE", False, False)
    assert failure.details["status"] == 200


@pytest.mark.parametrize(
    "raw",
    [b"hello\r\n", b'{"a": 1}', b"<html></html>", b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b"\x15\x03\x03"],
)
async def test_a_host_that_speaks_no_http_is_no_dead_host(bench: Bench, url: str, raw: bytes) -> None:
    bench.server.route("GET", "/odd", [Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Answer(raw=raw)])
    assert (await bench.run({"method": "GET", "url": f"{url}/odd"})).ports["status"] == 200
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.code, failure.retryable, failure.host_failed) == ("RESPONSE_UNREADABLE", False, False)
    bench.server.route("GET", "/odd", Answer(raw=b"HTTP/1.1 200 OK\r\nContent-"))
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.code, failure.retryable, failure.host_failed) == ("CONNECTION_FAILED", True, True)


async def test_a_host_that_switches_protocols_is_told_with_its_status(bench: Bench, url: str) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    bench.server.route("GET", "/odd", Answer(raw=switching + b"\x81\x02hi"))
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.code, failure.retryable, failure.host_failed) == ("RESPONSE_UNREADABLE", False, False)
    assert failure.details["status"] == 101
    assert "another protocol" in failure.message


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
@pytest.mark.parametrize("beside", ["", "X-Other: \xe4\r\n"])
async def test_a_kept_header_is_read_in_utf_8_or_else_in_latin_1(
    bench: Bench, url: str, charset: str, beside: str
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + beside.encode("latin-1")
    bench.server.route("GET", "/named", Answer(raw=head + "X-Name: Müller\r\n\r\n".encode(charset)))
    config = {"method": "GET", "url": f"{url}/named", "response_headers": ["X-Name"]}
    assert (await bench.run(config)).ports["headers"] == {"x-name": "Müller"}


async def test_a_body_in_pieces_that_are_none_is_told_as_such(bench: Bench, url: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    bench.server.route("GET", "/odd", [Answer(raw=head + b"0\r\n\r\n"), Answer(raw=head + b"zz\r\nhello\r\n")])
    assert (await bench.run({"method": "GET", "url": f"{url}/odd"})).ports["status"] == 200
    failure = await bench.fail({"method": "GET", "url": f"{url}/odd"})
    assert (failure.code, failure.retryable) == ("RESPONSE_UNREADABLE", False)
    assert failure.message.startswith("The answer's body has a piece")
