"""Answers that are a little beside their rules and clear all the same; texts in a charset of the step's own."""

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
