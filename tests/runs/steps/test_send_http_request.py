"""What an http_action sends."""

from typing import Any

import pytest

from tests.support.http_bench import Bench
from tests.support.http_server import Answer, RecordedRequest

# The request


def only_call(bench: Bench) -> RecordedRequest:
    (call,) = bench.server.calls
    return call


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_sends_the_input_as_json_when_no_body_is_given(bench: Bench, url: str, method: str) -> None:
    bench.server.route(method, "/in", Answer(status=204))
    await bench.run({"method": method, "url": f"{url}/in"}, value={"amount": 12.5, "name": "é"})
    call = only_call(bench)
    assert call.json() == {"amount": 12.5, "name": "é"}
    assert call.headers["content-type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_sends_no_body_where_none_is_due(bench: Bench, url: str, method: str) -> None:
    bench.server.route(method, "/in", Answer(status=204))
    await bench.run({"method": method, "url": f"{url}/in"}, value={"amount": 12.5})
    assert only_call(bench).body == b""
    assert "content-type" not in only_call(bench).headers


@pytest.mark.parametrize(
    ("config", "body", "content_type"),
    [
        ({"body": {"a": [1]}}, b'{"a":[1]}', "application/json"),
        ({"body": 7}, b"7", "application/json"),
        ({"body": None}, b"", None),
        ({"body": "plain é"}, "plain é".encode(), "text/plain; charset=utf-8"),
        ({"body": "<a/>", "headers": {"Content-Type": "application/xml"}}, b"<a/>", "application/xml"),
        (
            {"body": {"a": 1}, "headers": {"content-type": "application/vnd.x+json"}},
            b'{"a":1}',
            "application/vnd.x+json",
        ),
        (
            {
                "body": {"a": "x y", "b": [1, True], "c": None},
                "headers": {"Content-Type": "application/x-www-form-urlencoded"},
            },
            b"a=x+y&b=1&b=true",
            "application/x-www-form-urlencoded",
        ),
    ],
)
async def test_sends_the_configured_body(
    bench: Bench, url: str, config: dict[str, Any], body: bytes, content_type: str | None
) -> None:
    await bench.run({"url": f"{url}/ok", **config}, value={"not": "sent"})
    call = only_call(bench)
    assert (call.body, call.headers.get("content-type")) == (body, content_type)


async def test_joins_base_path_and_query(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/api/customers/*", Answer(body=[]))
    query = {"q": "a b&c", "ids": [1, 2], "deep": {"x": 1}, "on": True, "none": None}
    await bench.run({"client_ref": "shop", "method": "GET", "path": "/customers/Ann Lee/é?fixed=1", "query": query})
    call = only_call(bench)
    assert call.path == "/api/customers/Ann%20Lee/%C3%A9"
    assert call.query == {"fixed": ["1"], "q": ["a b&c"], "ids": ["1", "2"], "deep": ['{"x":1}'], "on": ["true"]}


async def test_a_url_keeps_its_query_and_takes_more(bench: Bench, url: str) -> None:
    await bench.run({"method": "GET", "url": f"{url}/ok?a=1#part", "query": {"b": "2"}})
    assert only_call(bench).query == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    "path", ["../admin", "a/../../admin", "a/%2e%2e/x", "a/.%2E", "./x", "a\\..\\x", "a%2f..%2fx", ".."]
)
async def test_a_path_cannot_climb_out_of_its_base(bench: Bench, url: str, path: str) -> None:
    bench.server.route("GET", "/api/*", Answer(body=[]))
    await bench.run({"client_ref": "shop", "method": "GET", "path": "a/..b/c.d?x=../y"})
    failure = await bench.fail({"client_ref": "shop", "method": "GET", "path": path})
    assert (failure.code, failure.retryable) == ("PATH_REFUSED", False)
    assert bench.server.count() == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(12, "12"), (12.0, "12"), (1e3, "1000"), (-0.0, "0"), (12.5, "12.5"), (1e300, "1e%2B300"), ("12.0", "12.0")],
)
async def test_a_whole_number_with_a_fraction_is_the_same_thing_in_an_address(
    bench: Bench, url: str, value: float | str, text: str
) -> None:
    bench.server.route("GET", "/*", Answer(body=[]))
    query = {"of": "{{ input }}", "one_of": ["{{ input }}"]}
    for place in ({"client_ref": "shop", "path": "/{{ input }}/y"}, {"url": f"{url}/api/{{{{ input }}}}/y"}):
        await bench.run({**place, "method": "GET", "query": query}, value=value, is_filled=False)
        assert bench.server.calls[-1].target == f"/api/{text}/y?of={text}&one_of={text}"


@pytest.mark.parametrize("path", ["//evil.example/x", "@evil.example/x", ":80@evil.example/", "\\\\evil.example/x"])
async def test_a_path_cannot_leave_its_host(bench: Bench, url: str, path: str) -> None:
    bench.server.route("GET", "/api/*", Answer(body=[]))
    await bench.run({"client_ref": "shop", "method": "GET", "path": path})
    assert only_call(bench).path.startswith("/api/")


async def test_an_unknown_client_is_named(bench: Bench) -> None:
    failure = await bench.fail({"client_ref": "crm", "path": "/x"})
    assert (failure.code, failure.retryable) == ("CONNECTION_UNKNOWN", False)
    assert "crm" in failure.message


async def test_every_attempt_carries_the_same_idempotency_key(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/pay", [Answer(status=503), Answer(status=503), Answer(status=200)])
    for attempt in (1, 2):
        assert (await bench.fail({"url": f"{url}/pay"}, attempt=attempt, key="stable")).retryable
    await bench.run({"url": f"{url}/pay"}, attempt=3, key="stable")
    assert bench.server.keys("/pay") == {"stable": 3}


async def test_a_key_of_the_segment_wins(bench: Bench, url: str) -> None:
    await bench.run({"url": f"{url}/ok", "headers": {"idempotency-KEY": "mine"}})
    assert bench.server.keys() == {"mine": 1}
