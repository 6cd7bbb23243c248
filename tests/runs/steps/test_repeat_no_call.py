"""A call that may have had its effect is not made a second time, unless that does no harm."""

import re
from typing import Any

import pytest

from kernel.clock import utc_now
from runs.step_api.base import Defer, StepFailed
from tests.support.http_bench import Bench
from tests.support.http_server import Answer, CountingServer

SILENT = Answer(delay_seconds=0.4)
CUT_OFF = Answer(raw=b"")
KNOWS_KEYS = {"honours_idempotency_key": True}


@pytest.fixture
def silent(bench: Bench) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        bench.server.route(method, "/base/silent", SILENT)
        bench.server.route(method, "/base/cut_off", CUT_OFF)


async def unanswered(bench: Bench, url: str, path: str = "/silent", **config: Any) -> StepFailed:
    connection = config.pop("connection", {})
    bench.connect("crm", {"base_url": f"{url}/base", "options": connection})
    return await bench.fail({"client_ref": "crm", "path": path, "timeout_seconds": 0.15, **config})


@pytest.mark.parametrize("path", ["/silent", "/cut_off"])
@pytest.mark.parametrize(
    ("method", "retryable"), [("GET", True), ("PUT", True), ("DELETE", True), ("POST", False), ("PATCH", False)]
)
@pytest.mark.usefixtures("silent")
async def test_what_has_its_effect_twice_is_not_tried_again_without_an_answer(
    bench: Bench, url: str, method: str, retryable: bool, path: str
) -> None:
    failure = await unanswered(bench, url, path, method=method)
    assert failure.code == {"/silent": "REQUEST_TIMED_OUT", "/cut_off": "CONNECTION_FAILED"}[path]
    assert (failure.retryable, failure.host_failed) == (retryable, True)
    assert failure.details["sent"] is True
    assert ("honours_idempotency_key" in failure.message) is not retryable
    assert bench.server.count(f"/base{path}") == 1
    assert re.search(r"[a-z] The ", failure.message) is None, "two sentences run together"


@pytest.mark.parametrize(
    ("step", "connection", "retryable"),
    [
        ({}, {}, False),
        (KNOWS_KEYS, {}, True),
        ({}, KNOWS_KEYS, True),
        ({"honours_idempotency_key": False}, KNOWS_KEYS, False),
    ],
)
@pytest.mark.usefixtures("silent")
async def test_a_server_that_honours_idempotency_keys_is_asked_again(
    bench: Bench, url: str, step: dict[str, Any], connection: dict[str, Any], retryable: bool
) -> None:
    failure = await unanswered(bench, url, method="POST", connection=connection, **step)
    assert failure.retryable is retryable


async def test_what_was_never_sent_is_tried_again(bench: Bench, url: str) -> None:
    with CountingServer() as gone:
        port = gone.port
    failure = await bench.fail({"method": "POST", "url": f"http://127.0.0.1:{port}/x"})
    assert (failure.code, failure.retryable) == ("CONNECTION_FAILED", True)
    assert failure.details == {"reason": "refused", "sent": False}


PAGE = {"Content-Type": "text/html"}
HEROKU = '<iframe src="//www.herokucdn.com/error-pages/application-error.html"></iframe>'
ENVOY = "upstream connect error or disconnect/reset before headers. reset reason: "
NOBODY_KNOWS = {
    **{f"{status}": Answer(status, "<html>Time-out</html>", PAGE) for status in (500, 502, 504, 506)},
    **{f"{status}": Answer(status) for status in (520, 521, 522, 523, 524, 527, 530, 598, 599)},
    "Heroku H12": Answer(503, HEROKU, PAGE),
    "Varnish": Answer(503, "<h1>Error 503 Backend fetch failed</h1>", PAGE),
    "Fastly": Answer(503, "<title>503 first byte timeout</title>", PAGE),
    "Envoy, ended": Answer(503, f"{ENVOY}connection termination"),
    "Envoy, reset": Answer(503, f"{ENVOY}remote reset"),
    "API Gateway": Answer(503, {"message": "Service Unavailable"}, {"apigw-requestid": "Y1"}),
    "API Gateway, REST": Answer(503, {"message": "Service Unavailable"}, {"x-amz-apigw-id": "LbX="}),
    "API Gateway, late": Answer(503, {"message": "Endpoint request timed out"}),
    "Envoy in UTF-16": Answer(503, f"{ENVOY}remote reset".encode("utf-16"), {"Content-Type": "text/plain"}),
    "Envoy, 408": Answer(408, "stream timeout"),
    "Squid": Answer(503, "<p>Sorry</p>", {**PAGE, "X-Squid-Error": "ERR_READ_TIMEOUT 110"}),
    "Squid's page": Answer(503, f"<style>{'p {}' * 1000}</style><h2>Zero Sized Reply</h2>", PAGE),
    "Akamai": Answer(503, "<title>Service Unavailable - Zero size object</title>", PAGE),
    "Kong": Answer(503, {"message": "The upstream server is timing out"}),
    "Kong, odd": Answer(503, {"message": "An invalid response was received from the upstream server"}),
    "Azure Front Door": Answer(503, "<h2>Our services aren't available right now</h2>", PAGE),
    "Azure API Management": Answer(503, {"message": "The operation was timed out by the backend"}),
    "Cloud Run": Answer(503, "The HTTP response was malformed or connection to the instance had an error."),
    "CloudFront": Answer(503, "Either the attempt failed or the origin closed the connection.", PAGE),
    "Linkerd": Answer(503, "", {"l5d-proxy-error": "connection closed before message completed"}),
    "Proxy-Status": Answer(503, "", {"Proxy-Status": "edge; error=http_response_timeout"}),
    "Proxy-Status, cut": Answer(503, "", {"Proxy-Status": "edge; error=http_response_incomplete"}),
    "gRPC": Answer(503, {"code": 14, "message": "error reading from server: EOF"}),
    "Node": Answer(503, "Error occurred while trying to proxy: read ECONNRESET"),
    "Java": Answer(503, "NoHttpResponseException: shop:80 failed to respond"),
    "Hystrix": Answer(503, {"message": "book timed-out and fallback failed."}),
    "reason": Answer(503, raw=b"HTTP/1.1 503 Backend fetch failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
}
NOT_DONE = {
    **{f"{status}": Answer(status) for status in (408, 425, 429, 501, 503, 507, 511, 525, 529)},
    "busy": Answer(503, "<h1>503 Service Temporarily Unavailable</h1>", PAGE),
    "Envoy, nobody there": Answer(503, f"{ENVOY}connection failure"),
    "Envoy, not connected": Answer(503, f"{ENVOY}connection timeout"),
    "Envoy, refused": Answer(503, f"{ENVOY}remote refused stream reset"),
    "Envoy, none": Answer(503, "no healthy upstream"),
    "a server's own words": Answer(503, {"message": "Service Unavailable"}),
    "maintenance": Answer(503, "<script>setTimeout(load, 9)</script><b class='timeout'>Closed till noon", PAGE),
    "connections that are kept": Answer(503, "busy", {"Keep-Alive": "timeout=5"}),
    "HAProxy": Answer(503, "No server is available to handle this request.", PAGE),
    "Akamai": Answer(503, "<title>Service Unavailable - Fail to connect</title>", PAGE),
    "Squid": Answer(503, "Connection refused", {"X-Squid-Error": "ERR_CONNECT_FAIL 111"}),
    "Kong": Answer(503, {"message": "failure to get a peer from the ring-balancer"}),
    "gRPC": Answer(503, {"code": 14, "message": "Error while dialing: connection refused"}),
    "Proxy-Status": Answer(503, "", {"Proxy-Status": "edge; error=connection_refused"}),
    "reason": Answer(503, raw=b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
}


@pytest.mark.parametrize("answer", NOBODY_KNOWS.values(), ids=NOBODY_KNOWS)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_status_that_leaves_open_what_was_done_is_no_answer(
    bench: Bench, url: str, method: str, answer: Answer
) -> None:
    for one in (method, "PUT"):
        bench.server.route(one, "/x", answer)
    config = {"method": method, "url": f"{url}/x"}
    failure = await bench.fail(config)
    assert (failure.code, failure.retryable, failure.host_failed) == ("HTTP_STATUS", False, answer.status != 408)
    assert "may have had its effect" in failure.message
    assert "honours_idempotency_key" in failure.message
    assert (failure.details["status"], failure.details["sent"]) == (503 if answer.raw else answer.status, True)
    for harmless in ({"method": "PUT"}, KNOWS_KEYS):
        failure = await bench.fail({**config, **harmless})
        assert (failure.code, failure.retryable, "sent" in failure.details) == ("HTTP_STATUS", True, False)


@pytest.mark.parametrize("answer", NOT_DONE.values(), ids=NOT_DONE)
async def test_a_status_that_says_that_nothing_was_done_is_no_doubt(bench: Bench, url: str, answer: Answer) -> None:
    bench.server.route("POST", "/busy", answer)
    failure = await bench.fail({"method": "POST", "url": f"{url}/busy"})
    assert (failure.code, failure.retryable) == ("HTTP_STATUS", True)
    assert "effect" not in failure.message


async def test_a_status_that_is_accepted_is_an_answer(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/late", Answer(504))
    config = {"method": "POST", "url": f"{url}/late"}
    assert (await bench.fail(config)).retryable is False
    assert (await bench.run({**config, "accept_statuses": [504]})).ports["status"] == 504


async def test_a_post_that_is_redirected_as_it_was_is_not_made_again_either(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/old", Answer(307, headers={"Location": "/new"}))
    bench.server.route("POST", "/new", [Answer(503), Answer(504)])
    config = {"method": "POST", "url": f"{url}/old"}
    assert [(await bench.fail(config)).retryable for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("method", "status", "is_told"),
    [("DELETE", 404, True), ("DELETE", 410, True), ("PUT", 412, True), ("PUT", 404, False), ("GET", 404, False)]
    + [
        (method, status, status not in {403, 404})
        for method in ("POST", "PATCH")
        for status in (400, 409, 412, 422, 403, 404)
    ],
)
async def test_what_an_earlier_attempt_may_have_done_is_told_where_it_looks_so(
    bench: Bench, url: str, method: str, status: int, is_told: bool
) -> None:
    config = {"method": method, "url": f"{url}/orders/7"}
    bench.server.route(method, "/orders/7", [Answer(status=204), Answer(status=status)])
    assert (await bench.run(config, attempt=2)).ports["status"] == 204
    failure = await bench.fail(config, attempt=2)
    assert (failure.code, failure.details["status"]) == ("HTTP_STATUS", status)
    assert ("An earlier attempt may have done it" in failure.message) is is_told
    bench.server.route(method, "/orders/7", Answer(status=status))
    assert "earlier attempt" not in (await bench.fail(config, attempt=1)).message


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(("headers", "seconds"), [({}, None), ({"Retry-After": "3"}, 3)])
async def test_what_is_in_progress_under_its_key_is_asked_for_again(
    bench: Bench, url: str, method: str, headers: dict[str, str], seconds: float | None
) -> None:
    """Behind an answer that was lost a 409 is how hosts say so; the answer is to be had under the key later."""
    config = {"method": method, "url": f"{url}/refunds", **KNOWS_KEYS}
    bench.server.route(method, "/refunds", Answer(409, headers=headers))
    failure = await bench.fail(config, attempt=2)
    assert (failure.code, failure.retryable, failure.retry_after_seconds) == ("HTTP_STATUS", True, seconds)
    assert "An earlier attempt may have done it" in failure.message
    assert (await bench.fail(config, attempt=1)).retryable is False, "a conflict with something else"
    assert (await bench.fail({**config, "honours_idempotency_key": False}, attempt=2)).retryable is False


@pytest.mark.parametrize("config", [{"select": "response.made"}, {"pagination": {"page": "p", "items": "[response]"}}])
@pytest.mark.parametrize(("method", "is_made_again"), [("POST", False), ("GET", True)])
async def test_what_was_answered_is_not_made_again_for_want_of_room(
    bench: Bench, url: str, config: dict[str, Any], method: str, is_made_again: bool
) -> None:
    bench.server.route(method, "/made", Answer(body={"made": True}))

    async def full(*_: Any) -> Any:
        raise Defer(utc_now(), "compute")

    with pytest.raises(Defer if is_made_again else StepFailed) as raised:
        await bench.run({"method": method, "url": f"{url}/made", **config}, computing=full)
    if isinstance(failure := raised.value, StepFailed):
        assert (failure.code, failure.retryable) == ("COMPUTE_BUSY", False)
        assert "so it is not made again" in failure.message
        assert failure.details["status"] == 200
