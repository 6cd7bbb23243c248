"""A call that may have had its effect is not made a second time, unless that does no harm."""

import re
from typing import Any

import pytest

from runs.step_api.base import StepFailed
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


async def test_an_answer_with_an_error_is_no_doubt(bench: Bench, url: str) -> None:
    bench.server.route("POST", "/busy", Answer(status=503))
    failure = await bench.fail({"method": "POST", "url": f"{url}/busy"})
    assert (failure.code, failure.retryable) == ("HTTP_STATUS", True)
