"""Pages as hosts send them: past a limit, with odd ends, odd places and odd cursors."""

import time
from itertools import count
from typing import Any

import pytest

from runs.http.request import OutgoingRequest
from runs.step_api.base import StepFailed
from tests.support.http_bench import Bench
from tests.support.http_server import Answer, RecordedRequest

BY_PAGE = {"page": "page", "start": 1}


def config(url: str, pagination: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"method": "GET", "url": f"{url}/list", "pagination": pagination, **more}


def limited(most: int, refusals: int, header: str = "Retry-After", value: str = "0") -> Any:
    """Refuse some calls behind the first; six pages of one item."""
    calls = count(1)

    def answer(request: RecordedRequest) -> Answer:
        if most < next(calls) <= most + refusals:
            return Answer(status=429, headers={header: value})
        number = int(request.query["page"][0])
        return Answer(body=[number] if number <= 6 else [])

    return answer


async def test_a_page_behind_a_limit_is_asked_again_and_no_other(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/list", limited(3, 2))
    assert (await bench.run(config(url, BY_PAGE))).ports["response"] == [1, 2, 3, 4, 5, 6]
    assert [call.query["page"][0] for call in bench.server.calls] == ["1", "2", "3", "4", "4", "4", "5", "6", "7"]
    bench.server.route("GET", "/list", limited(3, 2))
    failure = await bench.fail(config(url, BY_PAGE, retry_count=1))
    assert (failure.code, failure.retryable) == ("HTTP_STATUS", True)
    bench.server.forget()
    bench.server.route("GET", "/list", limited(0, 1))
    assert (await bench.fail(config(url, BY_PAGE))).retryable is True
    assert bench.server.count() == 1, "of the first page nothing was done yet"


async def test_a_page_is_asked_again_with_its_own_key(bench: Bench, url: str) -> None:
    keys = count(1)
    bench.server.route("GET", "/list", limited(2, 1))
    await bench.run(config(url, BY_PAGE), key_of=lambda: f"key-{next(keys)}")
    assert [call.idempotency_key for call in bench.server.calls][:5] == ["key-1", "key-2", "key-3", "key-3", "key-4"]


async def test_a_page_is_not_waited_for_beyond_the_time_of_the_attempt(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/list", limited(3, 1, value="20"))
    began = time.monotonic()
    failure = await bench.fail(config(url, BY_PAGE), deadline=began + 15)
    assert failure.retry_after_seconds == 20
    assert time.monotonic() - began < 15
    bench.server.route("GET", "/list", limited(3, 1, value="1"))
    assert len((await bench.run(config(url, BY_PAGE), deadline=began + 30)).ports["response"]) == 6


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("Retry-After", "7", 7),
        ("retry-after-ms", "7000", 7),
        ("x-ms-retry-after-ms", "7000", 7),
        ("X-Retry-After", "7", 7),
        ("X-RateLimit-Reset", "7", 7),
    ],
)
async def test_a_limit_is_waited_for_however_it_is_told(
    bench: Bench, url: str, header: str, value: str, seconds: int
) -> None:
    bench.server.route("GET", "/list", [Answer(status=429, headers={header: value}), Answer(status=429)])
    assert (await bench.fail({"method": "GET", "url": f"{url}/list"})).retry_after_seconds == seconds
    assert (await bench.fail({"method": "GET", "url": f"{url}/list"})).retry_after_seconds is None


@pytest.mark.parametrize("spec", [{"next_link": True}, {"next": "response.next ?? null", "items": "response.items"}])
async def test_a_place_with_blanks_is_asked(bench: Bench, url: str, spec: dict[str, Any]) -> None:
    bench.server.route("GET", "/b c", Answer(body=[2] if "next_link" in spec else {"items": [2]}))
    bench.server.route("GET", "/b%20c", Answer(body=[2] if "next_link" in spec else {"items": [2]}))
    first = Answer(body={"items": [1], "next": " /b c "})
    linked = Answer(body=[1], headers={"Link": "</b c>; rel=next"})
    bench.server.route("GET", "/list", linked if "next_link" in spec else first)
    assert (await bench.run(config(url, spec))).ports["response"] == [1, 2]
    assert bench.server.calls[-1].target == "/b%20c"


async def test_a_cursor_may_be_a_list(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/list", [Answer(body={"hits": [1], "sort": [7, "a"]}), Answer(body={"hits": []})])
    spec = {"cursor": "response.sort ?? null", "parameter": "search_after", "items": "response.hits"}
    emitted = await bench.run({**config(url, spec), "method": "POST", "body": {"size": 1}})
    assert emitted.ports["response"] == [1]
    assert bench.server.calls[-1].json() == {"size": 1, "search_after": [7, "a"]}
    bench.server.route("GET", "/list", [Answer(body={"hits": [1], "sort": [7, "a"]}), Answer(body={"hits": []})])
    await bench.run(config(url, spec))
    assert bench.server.calls[-1].query["search_after"] == ['[7,"a"]']


async def test_a_page_whose_list_is_null_has_no_items(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/list", [Answer(body={"items": [1]}), Answer(body={"items": None})])
    assert (await bench.run(config(url, {**BY_PAGE, "items": "response.items"}))).ports["response"] == [1]
    bench.server.route("GET", "/list", Answer(body={"items": 1}))
    assert (await bench.fail(config(url, {**BY_PAGE, "items": "response.items"}))).code == "PAGE_WITHOUT_LIST"


async def test_an_absent_cursor_is_told_how_to_end(bench: Bench, url: str) -> None:
    bench.server.route("GET", "/list", Answer(body={"items": [1]}))
    spec = {"cursor": "response.cursor", "parameter": "cursor", "items": "response.items"}
    failure = await bench.fail(config(url, spec))
    assert "?? null" in failure.message
    assert failure.details["response"] == '{"items": [1]}'
    assert (await bench.run(config(url, {**spec, "cursor": "response.cursor ?? null"}))).ports["response"] == [1]


async def test_what_a_post_was_answered_is_told_where_select_fails(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/orders", Answer(status=201, body={"id": 7}))
    post = {"method": "POST", "url": f"{url}/orders", "body": {}}
    assert (await bench.run({**post, "select": "response.id"})).ports["response"] == 7
    failure = await bench.fail({**post, "select": "response.number"})
    assert (failure.details["status"], failure.details["response"]) == (201, '{"id": 7}')
    bench.server.route("POST", "/orders", Answer(status=201, body=["x" * 2_000_000]))
    failure = await bench.fail(post)
    assert (failure.code, failure.details["status"]) == ("VALUE_TOO_LARGE", 201)
    assert str(failure.details["response"]).startswith('["xxx')


def test_a_page_that_differs_in_http_and_https_alone_is_asked_as_the_first_was() -> None:
    for first, other in (("https", "http"), ("http", "https")):
        request = OutgoingRequest("GET", f"{first}://api.example.com/a", {}, None, 1.0)
        assert request.at(f"{other}://API.example.com/b?x=1#y").url == f"{first}://api.example.com/b?x=1#y"
        assert request.at(f"{first}://api.example.com/b").url == f"{first}://api.example.com/b"
        for place in (f"{other}://api.example.com:8080/b", f"{other}://x.example.com/b"):
            with pytest.raises(StepFailed, match="another host"):
                request.at(place)
        own_port = OutgoingRequest("GET", f"{first}://api.example.com:8443/a", {}, None, 1.0)
        assert own_port.at(f"{other}://api.example.com:8443/b").url == f"{first}://api.example.com:8443/b"
        for place in (f"{other}://api.example.com/b", f"{other}://api.example.com:8444/b"):
            with pytest.raises(StepFailed, match="another host"):
                own_port.at(place)
