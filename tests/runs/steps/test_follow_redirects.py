"""A call that is redirected: what was answered, who is to blame, and what may be made again."""

import json
from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer, CountingServer

POST = {"method": "POST", "body": {"a": 1}}


def to(place: str, status: int = 302) -> Answer:
    return Answer(status=status, headers={"Location": place})


def told(bench: Bench) -> dict[str, Any]:
    return bench.journal[-1][1]


@pytest.fixture
def gone() -> str:
    with CountingServer() as server:
        return server.url


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_post_that_was_answered_is_not_made_again_for_what_the_get_behind_it_was_told(
    bench: Bench, url: str, status: int
) -> None:
    bench.server.route("POST", "/orders", to("/orders/7", 303))
    bench.server.route("GET", "/orders/7", [Answer(body={"id": 7}), Answer(status=status)])
    assert (await bench.run({**POST, "url": f"{url}/orders"})).ports["response"] == {"id": 7}
    failure = await bench.fail({**POST, "url": f"{url}/orders"})
    assert (failure.code, failure.retryable) == ("HTTP_STATUS", False)
    assert failure.details["status"] == status
    assert "The POST was answered with status 303" in failure.message
    bench.server.route("POST", "/orders", to("/orders/7", 307))
    bench.server.route("POST", "/orders/7", Answer(status=status))
    assert (await bench.fail({**POST, "url": f"{url}/orders"})).retryable is (status in (429, 503))
    bench.server.route("GET", "/orders", to("/orders/7", 303))
    assert (await bench.fail({"method": "GET", "url": f"{url}/orders"})).retryable is True
    bench.server.route("POST", "/orders", to("/orders/7", 303))
    knows_keys = {**POST, "url": f"{url}/orders", "honours_idempotency_key": True}
    assert (await bench.fail(knows_keys)).retryable is True


@pytest.mark.parametrize("answer", [Answer(raw=b""), Answer(delay_seconds=0.6)])
async def test_a_post_that_was_answered_is_not_made_again_for_want_of_an_answer_behind_it(
    bench: Bench, url: str, answer: Answer
) -> None:
    bench.server.route("POST", "/orders", to("/orders/7", 303))
    bench.server.route("GET", "/orders/7", [Answer(body={"id": 7}), answer])
    config = {**POST, "url": f"{url}/orders", "timeout_seconds": 0.3}
    assert (await bench.run(config)).ports["status"] == 200
    failure = await bench.fail(config)
    assert (failure.retryable, failure.details["status"], told(bench)["status"]) == (False, 303, 303)
    assert "The POST was answered with status 303" in failure.message


async def test_a_post_is_not_made_again_with_a_fresh_token_for_what_a_get_was_told(bench: Bench, url: str) -> None:
    auth = {"auth": "oauth2", "token_url": f"{url}/token", "client_id": "me", "secret": "s3cr3t"}
    bench.server.route("POST", "/token", Answer(body={"access_token": "t", "expires_in": 3600}))
    bench.server.route("POST", "/orders", to("/orders/7", 303))
    bench.server.route("GET", "/orders/7", Answer(status=401))
    bench.connect("crm", {"base_url": url, **auth})
    assert (await bench.fail({**POST, "client_ref": "crm", "path": "/orders"})).details["status"] == 401
    assert bench.server.count("/orders", method="POST") == 1
    bench.server.route("POST", "/orders", Answer(status=401))
    await bench.fail({**POST, "client_ref": "crm", "path": "/orders"})
    assert bench.server.count("/orders", method="POST") == 3


@pytest.mark.parametrize(
    "place",
    ["http://10.0.0.1/x", "ftp://x/y", "http://user:pass@127.0.0.1/", "http://169.254.169.254/", "http://[::1/"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_to_where_nobody_may_go_tells_its_status(
    bench: Bench, url: str, method: str, place: str
) -> None:
    bench.server.route(method, "/from", [to("/ok", 303), to(place, 303)])
    assert (await bench.run({"method": method, "url": f"{url}/from"})).ports["status"] == 200
    failure = await bench.fail({"method": method, "url": f"{url}/from"})
    assert (failure.code, failure.retryable) == ("EGRESS_BLOCKED", False)
    assert (failure.details["status"], told(bench)["status"]) == (303, 303)


async def test_a_host_is_not_blamed_for_one_it_redirects_to(bench: Bench, url: str, gone: str) -> None:
    bench.server.route("GET", "/from", [to("/bad"), to(f"{gone}/x?token=s3cr3t")])
    bench.server.route("GET", "/bad", Answer(status=500))
    failure = await bench.fail({"method": "GET", "url": f"{url}/from"})
    assert failure.host_failed is True
    assert "redirected_to" not in failure.details
    failure = await bench.fail({"method": "GET", "url": f"{url}/from"})
    assert (failure.code, failure.host_failed, failure.retryable) == ("CONNECTION_FAILED", False, True)
    assert failure.details["redirected_to"] == f"{gone}/x?token=[cut]"


async def test_a_post_that_never_reached_where_it_was_redirected_is_made_again(
    bench: Bench, url: str, gone: str
) -> None:
    bench.server.route("POST", "/from", to("/cut", 307))
    bench.server.route("POST", "/cut", Answer(raw=b""))
    failure = await bench.fail({**POST, "url": f"{url}/from"})
    assert (failure.retryable, failure.details["sent"]) == (False, True)
    bench.server.route("POST", "/from", to(gone, 307))
    failure = await bench.fail({**POST, "url": f"{url}/from"})
    assert (failure.retryable, failure.details["sent"]) == (True, False)
    assert failure.details["status"] == 307


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_that_is_an_answer_is_not_followed(bench: Bench, url: str, status: int) -> None:
    bench.server.route("POST", "/jobs", to("/ok", status))
    config = {**POST, "url": f"{url}/jobs", "response_headers": ["Location"]}
    emitted = await bench.run(config)
    assert emitted.ports["status"] in {200, 201}
    emitted = await bench.run({**config, "accept_statuses": [status]})
    assert (emitted.ports["status"], emitted.ports["headers"]) == (status, {"location": "/ok"})
    assert json.loads(bench.server.calls[-1].body) == {"a": 1}


@pytest.mark.parametrize("place", ["", "  "])
async def test_an_answer_that_names_no_place_is_no_redirect(bench: Bench, url: str, place: str) -> None:
    bench.server.route("POST", "/orders", [to("/orders", 307), Answer(body={"id": 7})])
    assert (await bench.run({**POST, "url": f"{url}/orders"})).ports["response"] == {"id": 7}
    bench.server.forget()
    bench.server.route("POST", "/orders", to(place, 307))
    failure = await bench.fail({**POST, "url": f"{url}/orders"})
    assert (failure.code, failure.details["status"]) == ("HTTP_STATUS", 307)
    assert bench.server.count("/orders") == 1


async def test_a_redirect_that_names_two_places_leads_to_neither(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/a", Answer(body={"n": 1}))
    bench.server.route("GET", "/x", Answer(status=302, headers={"Location": ["/a", "/a"]}))
    assert (await bench.run({"method": "GET", "url": f"{url}/x"})).ports["response"] == {"n": 1}
    bench.server.route("GET", "/x", Answer(status=302, headers={"Location": ["/a", "/b"]}))
    failure = await bench.fail({"method": "GET", "url": f"{url}/x"})
    assert (failure.code, failure.details["status"]) == ("EGRESS_BLOCKED", 302)
    assert "two places" in failure.message
    assert not bench.server.count("/a,%20/b")


UNREAD = {
    "whole": b"Content-Length: 2\r\n\r\nno",
    "cut": b"Content-Length: 100\r\n\r\nabc",
    "cut chunks": b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    "bad gzip": b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno",
    "too large": b"Content-Length: 6000000\r\n\r\n" + bytes(6_000_000),
}


@pytest.mark.parametrize("response_as", ["auto", "none"])
@pytest.mark.parametrize("body", [*UNREAD])
async def test_a_redirect_is_followed_whatever_becomes_of_its_body(
    bench: Bench, url: str, body: str, response_as: str
) -> None:
    bench.server.route("GET", "/end", Answer(body={"ok": 1}))
    bench.server.route("POST", "/end", Answer(body={"ok": 1}))
    for status, method in ((302, "GET"), (303, "POST"), (307, "POST")):
        raw = b"HTTP/1.1 %d Go\r\nLocation: /end\r\nConnection: close\r\n%s" % (status, UNREAD[body])
        bench.server.route(method, "/begin", Answer(raw=raw))
        config = {"method": method, "url": f"{url}/begin", "response_as": response_as}
        assert (await bench.run(config | ({"body": {}} if method == "POST" else {}))).ports["status"] == 200
        assert (bench.server.calls[-1].path, bench.server.calls[-1].method) == (
            "/end",
            "GET" if status == 303 else method,
        )


async def test_a_redirect_whose_body_never_ends_is_followed(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/end", Answer(body={"ok": 1}))
    raw = b"HTTP/1.1 302 Go\r\nLocation: /end\r\n" + UNREAD["cut"]
    bench.server.route("GET", "/begin", Answer(raw=raw, stays_open=True))
    assert (await bench.run({"method": "GET", "url": f"{url}/begin", "timeout_seconds": 0.8})).ports["status"] == 200
