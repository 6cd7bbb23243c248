"""The examples of `wait` and `fail` do in a real worker what they promise, against servers that are slow or refuse."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kernel.clock import utc_now
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.platform import Platform, running_platform
from tests.support.process_ends import eventually

EXAMPLES = Path(__file__).parents[2] / "examples" / "segments"
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def platform(key: str) -> Iterator[Platform]:
    with running_platform(key) as running:
        yield running


def example(platform: Platform, name: str, **given: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """The segment, its input with what the test knows better, and the output it promises."""
    segment = json.loads((EXAMPLES / f"{name}.json").read_text())
    verdict = platform.validate(segment)
    assert (verdict["valid"], verdict["findings"]) == (True, [])
    shown = segment["metadata"]["example"]
    return segment, {**shown["input"], **given}, shown["output"]


def test_a_job_is_asked_for_until_it_is_done(platform: Platform, world: CountingServer) -> None:
    segment, given, output = example(platform, "poll_until_done", jobs_url=f"{world.url}/jobs")
    world.route("POST", "/jobs", Answer(202, {"id": "j-1"}))
    working = [Answer(body={"state": "working"})] * 3
    away = Answer(503, headers={"Retry-After": "0"})
    world.route("GET", "/jobs/j-1", [away, *working, Answer(body={"state": "done", "result": "sorted"})])
    run = platform.run(segment, given)
    assert run["output"] == output
    assert world.count("/jobs/j-1") == 5
    waited = [step for step in platform.steps(run) if step["step_id"] == "hold"]
    assert [step["status"] for step in waited] == ["completed"] * 4


def test_a_job_that_failed_fails_the_run(platform: Platform, world: CountingServer) -> None:
    segment, given, _ = example(platform, "poll_until_done", jobs_url=f"{world.url}/jobs")
    world.route("POST", "/jobs", Answer(202, {"id": "j-2"}))
    world.route("GET", "/jobs/j-2", Answer(body={"state": "failed", "reason": "no disk"}))
    run = platform.run(segment, given)
    assert (run["status"], run["error"]["code"]) == ("failed", "JOB_FAILED")
    assert run["error"]["message"] == "The job j-2 failed: no disk."


@pytest.mark.parametrize("is_quick", [False, True], ids=["later", "before it has answered"])
def test_a_partner_calls_the_link_it_was_given(platform: Platform, world: CountingServer, is_quick: bool) -> None:
    """The quick one calls while the run still waits for its answer: the call is kept."""
    segment, given, output = example(platform, "partner_callback", partner_url=f"{world.url}/orders")
    told: list[Any] = []
    links: list[str] = []

    def take_order(request: RecordedRequest) -> Answer:
        links.append(urlsplit(request.json()["callback_url"]).path)
        if is_quick:
            told.append(platform.caller.post(links[0], json={"tracking_no": "T-1"}))
        return Answer(201, {"taken": True})

    world.route("POST", "/orders", take_order)
    run = platform.start(segment, given)
    if not is_quick:
        assert eventually(lambda: platform.look(run)["status"] == "waiting", seconds=30)
        (waits,) = platform.look(run)["waiting_for"]
        assert (waits["kind"], urlsplit(waits["resume_url"]).path) == ("call", links[0])
        refused = platform.caller.post(links[0], json={"tracking_no": 7})
        assert (refused.status_code, refused.json()["code"]) == (422, "CALL_INVALID")
        told.append(platform.caller.post(links[0], json={"tracking_no": "T-1"}))
    assert platform.over(run)["output"] == output
    assert [answer.status_code for answer in told] == [202 if is_quick else 200]
    again = platform.caller.post(links[0], json={"tracking_no": "T-2"})
    assert (again.status_code, again.json()["code"]) == (410, "LINK_OVER")


def test_an_invoice_is_reminded_of_when_it_is_due(platform: Platform) -> None:
    segment, given, output = example(platform, "due_in_days")
    assert platform.output(segment, given) == output, "it was due long ago"
    now = utc_now()
    run = platform.start(segment, {**given, "invoiced_at": now.isoformat()})
    assert eventually(lambda: platform.look(run)["status"] == "waiting", seconds=30)
    (waits,) = platform.look(run)["waiting_for"]
    assert waits["kind"] == "timer"
    assert abs(datetime.fromisoformat(waits["until"]) - now - timedelta(days=14)) < timedelta(seconds=1)
    assert platform.caller.post(run["links"]["cancel"]).status_code == 202
    assert platform.over(run)["status"] == "cancelled"


PAYMENTS = {
    "good": Answer(201, {"paid": True}),
    "bad": Answer(402, {"why": "stolen"}),
    "cut": Answer(201, b'{"paid": tr', {"Content-Type": "application/json"}),
    "lost": Answer(raw=b""),
    "down": Answer(503),
}


@pytest.mark.parametrize("card", PAYMENTS)
def test_a_refused_payment_is_compensated_reported_and_fails_the_run(
    platform: Platform, world: CountingServer, card: str
) -> None:
    segment, given, output = example(platform, "compensate_and_report", desk_url=world.url, card=card)
    reserved, lock = set[str](), threading.Lock()

    def reserve(_request: RecordedRequest) -> Answer:
        with lock:
            reserved.add("r-1")
        return Answer(201, {"id": "r-1"})

    def release(_request: RecordedRequest) -> Answer:
        with lock:
            reserved.discard("r-1")
        return Answer(204)

    world.route("POST", "/reservations", reserve)
    world.route("POST", "/payments", PAYMENTS[card])
    world.route("DELETE", "/reservations/r-1", release)
    world.route("POST", "/reports", Answer(200, {"noted": True}))
    run = platform.run(segment, given)
    if card == "good":
        assert (run["output"], reserved) == (output, {"r-1"})
        return
    if card != "bad":
        assert (run["status"], run["error"]["code"], reserved) == ("failed", "PAYMENT_UNKNOWN", {"r-1"})
        assert "/reports" not in [call.path for call in world.calls], "the card may be charged"
        return
    assert reserved == set()
    (report,) = (call.json() for call in world.calls if call.path == "/reports")
    assert report == {"seat": "12A", "released": "r-1"}
    error = run["error"]
    assert (run["status"], error["code"], error["details"]) == ("failed", "PAYMENT_REFUSED", {"reservation": "r-1"})
    assert error["message"] == "The payment for 12A was refused; reservation r-1 was taken back."
