"""Answers that are a little beside their rules and clear all the same; texts in a charset of the step's own."""

import gzip
from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "none", "binary", "aws-chunked", "aws-chunked, identity"])
async def test_a_content_encoding_that_is_none_says_nothing(bench: Bench, url: str, encoding: str) -> None:
    bench.server.route("GET", "/x", Answer(body={"n": 1}, headers={"Content-Encoding": encoding}))
    assert (await bench.run({"method": "GET", "url": f"{url}/x"})).ports["response"] == {"n": 1}
    bench.server.route("GET", "/x", Answer(body={"n": 1}, headers={"Content-Encoding": "zstd"}))
    assert (await bench.fail({"method": "GET", "url": f"{url}/x"})).code == "RESPONSE_UNREADABLE"


@pytest.mark.parametrize(
    ("content_type", "body", "token"),
    [
        ("application/json", b'{"access_token": "abc"}', "abc"),
        ("application/json", b'{"access_token": " abc\\n"}', "abc"),
        ("application/json", b'{"access_token": 12345}', "12345"),
        (
            "application/x-www-form-urlencoded; charset=utf-8",
            b"access_token=a%2Bc&expires_in=60",
            "a+c",
        ),
    ],
)
async def test_a_token_is_taken_as_servers_give_it(
    bench: Bench, url: str, content_type: str, body: bytes, token: str
) -> None:
    bench.server.route("POST", "/token", Answer(body=body, headers={"Content-Type": content_type}))
    bench.server.route("GET", "/base/x", Answer(body={"n": 1}))
    auth = {"auth": "oauth2", "token_url": f"{url}/token", "client_id": "c", "secret": "s3cr3t"}
    bench.connect("crm", {"base_url": f"{url}/base", **auth})
    await bench.run({"client_ref": "crm", "method": "GET", "path": "/x"})
    assert bench.server.calls[-1].headers["authorization"] == f"Bearer {token}"


@pytest.mark.parametrize("body", [b"access_token=", b"&" * 60_000, b"a=1&" * 10_000 + b"access_token=abc"])
async def test_a_form_without_a_token_is_a_refusal(bench: Bench, url: str, body: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bench.server.route("POST", "/token", Answer(body=body, headers=form))
    auth = {"auth": "oauth2", "token_url": f"{url}/token", "client_id": "c", "secret": "s3cr3t"}
    bench.connect("crm", {"base_url": f"{url}/base", **auth})
    assert (await bench.fail({"client_ref": "crm", "method": "GET", "path": "/x"})).code == "OAUTH2_REFUSED"


@pytest.mark.parametrize(
    ("charset", "sent"),
    [("iso-8859-1", b"\xfc"), ("windows-1251", None), ("utf-8", b"\xc3\xbc"), ("unheard-of", b"\xc3\xbc")],
)
async def test_a_text_goes_out_in_the_charset_it_names(
    bench: Bench, url: str, charset: str, sent: bytes | None
) -> None:
    headers = {"Content-Type": f"text/plain; charset={charset}"}
    config = {"method": "POST", "url": f"{url}/ok", "headers": headers, "body": "ü"}
    if sent is None:
        assert (await bench.fail(config)).code == "BODY_REFUSED"
        config["body"] = "ж"
        sent = b"\xe6"
    await bench.run(config)
    assert bench.server.calls[-1].body == sent
    assert bench.server.calls[-1].headers["content-type"] == headers["Content-Type"]


def with_token(bench: Bench, url: str, **auth: Any) -> dict[str, Any]:
    known = {"auth": "oauth2", "token_url": f"{url}/token", "client_id": "c", "secret": "s3cr3t-of-c"}
    bench.connect("crm", {"base_url": f"{url}/base", **known, **auth})
    bench.server.route("GET", "/base/x", Answer(body={"n": 1}))
    return {"client_ref": "crm", "method": "GET", "path": "/x"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("http://other.example/login?code=abc", " to http://other.example/login"),
        ("http://other.example/s3cr3t-of-c", " to http://other.example/[cut]"),
        ("http://[::1/", ""),
        ("http://localhost:PORT/token", " to http://localhost:PORT/token"),
        ("https://127.0.0.1:PORT/token", " to https://127.0.0.1:PORT/token"),
        ("http://127.0.0.1:9/token", " to http://127.0.0.1:9/token"),
    ],
)
async def test_a_token_server_that_leads_elsewhere_is_told_as_one(
    bench: Bench, url: str, status: int, place: str, shown: str
) -> None:
    place, shown = (text.replace("PORT", str(bench.server.port)) for text in (place, shown))
    bench.server.route("POST", "/token", Answer(body={"access_token": "t"}))
    assert (await bench.run(with_token(bench, url))).ports["status"] == 200
    bench.server.route("POST", "/token", Answer(status=status, headers={"Location": place}))
    bench.server.forget()
    failure = await bench.fail(with_token(bench, url, secret_in="body"))
    assert (failure.code, failure.retryable) == ("OAUTH2_REFUSED", False)
    assert failure.message == (
        f"The token server of the connection crm redirects: status {status}{shown}. "
        "Name the address it leads to as the connection's `token_url`, if it is one."
    )
    assert [call.path for call in bench.server.calls] == ["/token"]


@pytest.mark.parametrize(
    ("status", "is_asked_again"), [(301, False), (302, False), (303, False), (307, True), (308, True)]
)
async def test_a_token_is_asked_for_again_only_where_the_question_stays_what_it_is(
    bench: Bench, url: str, status: int, is_asked_again: bool
) -> None:
    bench.server.route("POST", "/token", Answer(status=status, headers={"Location": "/token/"}))
    bench.server.route("POST", "/token/", Answer(body={"access_token": "t"}))
    config = with_token(bench, url, secret_in="body")
    if is_asked_again:
        await bench.run(config)
        assert bench.server.calls[-1].headers["authorization"] == "Bearer t"
        assert bench.server.calls[0].body == bench.server.calls[1].body
    else:
        failure = await bench.fail(config)
        assert f"status {status} to {url}/token/." in failure.message
        assert bench.server.count() == 1


async def test_a_token_server_that_leads_round_and_round_is_told(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/token", Answer(status=307, headers={"Location": "/token"}))
    failure = await bench.fail(with_token(bench, url))
    assert failure.code == "OAUTH2_REFUSED"
    assert "redirects: status 307" in failure.message
    assert bench.server.count() == 6


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json, application/json",
        "application/json charset=utf-8",
        "application/json,text/html",
        "Application/JSON ;charset=utf-8",
        ["application/json", "application/json; charset=utf-8"],
        "json",
    ],
)
async def test_json_under_a_type_that_is_written_oddly_is_json(bench: Bench, url: str, kind: str | list[str]) -> None:
    bench.server.route("GET", "/x", Answer(body=b'{"n": 1}', headers={"Content-Type": kind}))
    assert (await bench.run({"method": "GET", "url": f"{url}/x"})).ports["response"] == {"n": 1}
    bench.server.route("GET", "/x", Answer(body=b'{"n": 1}', headers={"Content-Type": "text/html, application/json"}))
    assert (await bench.run({"method": "GET", "url": f"{url}/x"})).ports["response"] == '{"n": 1}'


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_without_a_body_is_told_by_its_challenge(bench: Bench, url: str, status: int) -> None:
    challenge = 'Bearer error="invalid_token", error_description="The access token expired"'
    bench.server.route("GET", "/x", Answer(status, headers={"WWW-Authenticate": challenge}))
    failure = await bench.fail({"method": "GET", "url": f"{url}/x"})
    assert failure.details == {"status": status, "response": challenge}
    bench.server.route("GET", "/x", Answer(status, body={"why": "closed"}, headers={"WWW-Authenticate": challenge}))
    assert (await bench.fail({"method": "GET", "url": f"{url}/x"})).details["response"] == {"why": "closed"}


@pytest.mark.parametrize(
    ("covers", "headers", "is_whole"),
    [
        ("bytes 0-6/5000", {}, False),
        ("bytes 5-6/7", {}, False),
        ("bytes 0-6/*", {}, False),
        ("", {}, False),
        (None, {}, False),
        ("bytes", {}, False),
        ("bytes */5000", {}, False),
        ("", {"Range": "bytes=0-6"}, True),
        ("bytes 0-6/7", {}, True),
        ("0-24/3573458", {}, True),
        ("items 0-6/5000", {}, True),
        ("bytes 0-6/5000", {"Range": "bytes=0-6"}, True),
        ("bytes 0-9/10", {}, False),
    ],
)
async def test_a_part_that_nobody_asked_for_is_no_success(
    bench: Bench, url: str, covers: str | None, headers: dict[str, str], is_whole: bool
) -> None:
    config = {"method": "GET", "url": f"{url}/x", "headers": headers}
    parts = {"Content-Type": "multipart/byteranges; boundary=x"}
    said = {} if covers is None else {"Content-Range": covers} if covers else parts
    bench.server.route("GET", "/x", Answer(206, body="row1\nro", headers=said))
    if is_whole:
        assert (await bench.run(config)).ports == {"response": "row1\nro", "status": 206}
        return
    failure = await bench.fail(config)
    assert (failure.code, failure.retryable, failure.details) == (
        "HTTP_STATUS",
        False,
        {"status": 206, "response": "row1\nro"},
    )
    assert ("was not requested" in failure.message) is (covers != "bytes 0-9/10")
    assert (await bench.run({**config, "accept_statuses": [206]})).ports["status"] == 206


@pytest.mark.parametrize(
    ("asked", "right", "wrong"),
    [
        ("bytes=10-16", ["bytes 10-16/70", "bytes 10-16/*"], ["bytes 0-6/70", "bytes 10-15/70"]),
        ("bytes=10-99", ["bytes 10-16/17"], ["bytes 10-16/70", "bytes 10-16/*", "bytes 10-99/100", "bytes 11-17/18"]),
        ("bytes=10-", ["bytes 10-16/17"], ["bytes 0-6/17", "bytes 10-16/70", "bytes 10-16/*"]),
        ("bytes=-7", ["bytes 10-16/17", "bytes 10-16/*"], ["bytes 0-6/17", "bytes 10-15/17"]),
        ("bytes=-99", ["bytes 0-6/7"], ["bytes 10-16/17", "bytes 10-16/*"]),
        ("bytes=0-1,5-9", ["bytes 0-6/70", ""], ["bytes 0-9/70", "bytes"]),
        ("items=0-9", ["items 0-6/7", "0-6/7", ""], []),
    ],
)
async def test_a_part_that_was_asked_for_is_held_against_what_came(
    bench: Bench, url: str, asked: str, right: list[str], wrong: list[str]
) -> None:
    config = {"method": "GET", "url": f"{url}/x", "headers": {"Range": asked}}
    for covers in right:
        bench.server.route("GET", "/x", Answer(206, body="row1\nro", headers={"Content-Range": covers}))
        assert (await bench.run(config)).ports["response"] == "row1\nro"
    for covers in wrong:
        bench.server.route("GET", "/x", Answer(206, body="row1\nro", headers={"Content-Range": covers}))
        failure = await bench.fail(config)
        assert (failure.code, failure.details["status"], failure.retryable) == ("HTTP_STATUS", 206, False)
        assert "part" in failure.message or "bytes came" in failure.message
    bench.server.route("GET", "/x", Answer(body="all of it"))
    assert (await bench.run(config)).ports["status"] == 200, "who is asked for a part may send all"


async def test_the_length_of_a_part_that_is_packed_or_unread_says_nothing(bench: Bench, url: str) -> None:
    config = {"method": "GET", "url": f"{url}/x", "headers": {"Range": "bytes=0-99"}}
    covers = {"Content-Range": "bytes 0-99/100"}
    bench.server.route("GET", "/x", Answer(206, body="row1", headers=covers))
    assert (await bench.fail(config)).code == "HTTP_STATUS"
    assert (await bench.run({**config, "response_as": "none"})).ports["status"] == 206
    packed = Answer(206, body=gzip.compress(b"row1"), headers={**covers, "Content-Encoding": "gzip"})
    bench.server.route("GET", "/x", packed)
    assert (await bench.run(config)).ports["status"] == 206


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            Answer(400, body=b"<html><title>Oops</title><p>Invalid  client</p>", headers={"Content-Type": "text/html"}),
            "refused: status 400. It says: Oops Invalid client",
        ),
        (Answer(503, body="Down s3cr3t"), "status 503. It says: Down [cut]"),
        (Answer(200, body=b"<p>Log in", headers={"Content-Type": "text/html"}), "it is not a JSON object (text/html)"),
        (Answer(body={"accessToken": "tok3n", "expiresIn": 3}), "no `access_token`, but `accessToken`, `expiresIn`"),
        (Answer(body={"access_token": "töken"}), "its `access_token` has characters that no header can carry"),
    ],
)
async def test_a_token_server_s_words_are_told_whatever_it_speaks(
    bench: Bench, url: str, answer: Answer, told: str
) -> None:
    bench.server.route("GET", "/base/x", Answer(body={"n": 1}))
    bench.server.route("POST", "/token", [Answer(body={"access_token": "t"}), answer])
    auth = {"auth": "oauth2", "token_url": f"{url}/token", "client_id": "c", "secret": "s3cr3t"}
    for ref in ("first", "second"):
        bench.connect(ref, {"base_url": f"{url}/base", **auth})
    await bench.run({"client_ref": "first", "method": "GET", "path": "/x"})
    failure = await bench.fail({"client_ref": "second", "method": "GET", "path": "/x"})
    assert told in failure.message
    assert "tok3n" not in failure.message
    assert "töken" not in failure.message


@pytest.mark.parametrize(("status", "header"), [(429, "Retry-After"), (503, "Retry-After"), (429, "X-RateLimit-Reset")])
async def test_a_token_server_is_waited_for_as_it_asks(bench: Bench, url: str, status: int, header: str) -> None:
    bench.server.route("POST", "/token", Answer(status=status, headers={header: "20"}))
    failure = await bench.fail(with_token(bench, url))
    assert (failure.code, failure.retryable, failure.retry_after_seconds) == ("OAUTH2_UNAVAILABLE", True, 20)


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 2\r\n\r\nno",
        b"Content-Length: 50\r\n\r\nno",
        b"Content-Length: 1, 2\r\n\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno",
    ],
    ids=["whole", "cut", "odd length", "bad gzip"],
)
async def test_a_token_server_s_refusal_stays_one_whatever_becomes_of_its_body(
    bench: Bench, url: str, body: bytes
) -> None:
    bench.server.route("POST", "/token", Answer(raw=b"HTTP/1.1 401 No\r\nConnection: close\r\n" + body))
    failure = await bench.fail(with_token(bench, url))
    assert (failure.code, failure.retryable) == ("OAUTH2_REFUSED", False)
    assert "status 401" in failure.message
    bench.server.route(
        "POST", "/token", Answer(raw=b"HTTP/1.1 503 No\r\nConnection: close\r\nRetry-After: 7\r\n" + body)
    )
    failure = await bench.fail(with_token(bench, url))
    assert (failure.code, failure.retryable) == ("OAUTH2_UNAVAILABLE", True)
    assert "status 503" in failure.message
    assert failure.retry_after_seconds == (None if b"1, 2" in body else 7.0)
