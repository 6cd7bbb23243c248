"""A delivery that fails comes again: with the same id and the same bytes, when the schedule says so."""

from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.callbacks.schedule import MAX_TRIES
from runs.models import Delivery
from tenants.models import Tenant
from tests.support.callbacks import (
    delivery_of,
    log_of,
    new_secret,
    set_due,
    start_with_callback,
    wait_for_attempts,
    wait_for_status,
)
from tests.support.engine import get_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest


def seconds_until_next(run_id: object) -> float:
    next_at = delivery_of(run_id).next_at  # type: ignore[arg-type]
    assert next_at is not None
    return (next_at - utc_now()).total_seconds()


def test_every_try_has_the_same_id_and_the_same_bytes(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", [Answer(500, body="broken"), Answer(503), Answer(200)])
    secret = new_secret(acme)
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        for count in (1, 2):
            wait_for_attempts(run_id, count)
            set_due(run_id)
        wait_for_status(run_id, "delivered")
    calls = receiver.calls
    assert len({call.body for call in calls}) == len({call.headers["webhook-id"] for call in calls}) == 1
    for call in calls:
        Webhook(secret).verify(call.body, call.headers)
    assert [(one.number, one.status_code, one.response) for one in log_of(run_id)] == [
        (1, 500, "broken"),
        (2, 503, ""),
        (3, 200, ""),
    ]


@pytest.mark.parametrize(
    "head", [b"X Odd: 1\r\nContent-Length: 0\r\n\r\n", b"Content Length: 0\r\n\r\n", b"Content-Len", b""]
)
def test_an_answer_with_an_odd_head_is_told_by_its_status(acme: Tenant, receiver: CountingServer, head: bytes) -> None:
    def answer(status: int) -> Answer:
        return Answer(raw=b"HTTP/1.1 %d X\r\n%s" % (status, head))

    receiver.route("POST", "/hook", [answer(500), answer(200)])
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_attempts(run_id, 1)
        set_due(run_id)
        wait_for_status(run_id, "delivered")
    assert [(one.number, one.status_code) for one in log_of(run_id)] == [(1, 500), (2, 200)]


def test_the_first_try_comes_two_seconds_after_a_run_that_ends_at_once(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    with running_host():
        quick = start_with_callback(acme, f"{receiver.url}/hook", is_quick=True)
        wait_for_status(quick, "delivered")
        ended = get_run(quick).ended_at
        assert ended is not None
        after_quick = (log_of(quick)[0].at - ended).total_seconds()
        assert 1.9 < after_quick < 3.8
        slow = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_status(slow, "delivered")
        ended = get_run(slow).ended_at
        assert ended is not None
        assert (log_of(slow)[0].at - ended).total_seconds() < after_quick - 1


def test_a_start_is_told_at_once_however_quick_the_run(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook", events=["segment.started"], is_quick=True)
        wait_for_status(run_id, "delivered")
        started = get_run(run_id).started_at
        assert started is not None
        assert (log_of(run_id)[0].at - started).total_seconds() < 1


def test_a_caller_that_parks_late_is_found_once_it_has_parked(acme: Tenant, receiver: CountingServer) -> None:
    """As n8n does: its resume URL is unknown until the execution waits, is signed, and wants its own header back."""
    parked_at: list[float] = []
    target = "/webhook-waiting/4711?signature=9c%2Fd%2B2~e%3D"

    def resume(request: RecordedRequest) -> Answer:
        known = parked_at and request.at >= parked_at[0]
        return Answer(200, body="resumed") if known else Answer(404, body="The execution does not exist.")

    receiver.route("POST", "/webhook-waiting/4711", resume)
    with running_host():
        run_id = start_with_callback(acme, receiver.url + target, headers={"X-N8N-Key": "of the caller"}, is_quick=True)
        wait_until_over(run_id)
        (first,) = wait_for_attempts(run_id, 1)
        assert first.status_code == 404
        parked_at.append(receiver.calls[0].at + 1)
        wait_for_status(run_id, "delivered", seconds=12)
    assert [call.target for call in receiver.calls] == [target, target]
    assert {call.headers["x-n8n-key"] for call in receiver.calls} == {"of the caller"}
    assert [one.status_code for one in log_of(run_id)] == [404, 200]


@pytest.mark.parametrize("status", [404, 409])
def test_a_receiver_that_is_not_ready_yet_gets_it_once_it_is(
    acme: Tenant, receiver: CountingServer, status: int
) -> None:
    receiver.route("POST", "/hook", [Answer(status), Answer(status), Answer(200)])
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        for tries in (1, 2):
            wait_for_attempts(run_id, tries)
            set_due(run_id)
        wait_for_status(run_id, "delivered")
    assert [one.status_code for one in log_of(run_id)] == [status, status, 200]


def test_gone_ends_it_at_once(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(410))
    with running_host():
        wait_for_status(start_with_callback(acme, f"{receiver.url}/hook"), "refused")
    assert receiver.count() == 1


def test_a_redirect_is_not_followed_and_counts_as_a_failure(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(307, headers={"Location": f"{receiver.url}/elsewhere"}))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        (attempt,) = wait_for_attempts(run_id, 1)
        wait_for(lambda: not delivery_of(run_id).is_claimed)
    assert attempt.status_code == 307
    assert delivery_of(run_id).status == "pending"
    assert receiver.count("/elsewhere") == 0


def test_a_receiver_s_retry_after_is_kept_to(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(429, headers={"Retry-After": "600"}))
    receiver.route("POST", "/greedy", Answer(503, headers={"Retry-After": "999999"}))
    with running_host():
        asked = start_with_callback(acme, f"{receiver.url}/hook")
        greedy = start_with_callback(acme, f"{receiver.url}/greedy")
        wait_for_attempts(asked, 1)
        wait_for_attempts(greedy, 1)
    assert 590 < seconds_until_next(asked) <= 600
    assert 86_390 < seconds_until_next(greedy) <= 86_400


def test_a_receiver_that_is_away_or_never_answers_is_tried_again(
    acme: Tenant, receiver: CountingServer, settings: Any
) -> None:
    settings.CALLBACK_TIMEOUT_SECONDS = 0.5
    receiver.route("POST", "/slow", Answer(200, delay_seconds=1.5))
    with CountingServer() as gone:
        address = gone.url
    with running_host():
        slow = start_with_callback(acme, f"{receiver.url}/slow")
        away = start_with_callback(acme, f"{address}/hook")
        (late,) = wait_for_attempts(slow, 1)
        (refused,) = wait_for_attempts(away, 1)
    assert (late.status_code, late.error_code) == (None, "REQUEST_TIMED_OUT")
    assert (refused.status_code, refused.error_code) == (None, "CONNECTION_FAILED")
    assert "refused" in refused.response, "the reason in words"
    for run_id in (slow, away):
        assert delivery_of(run_id).status == "pending"
        assert 0 < seconds_until_next(run_id) < 3


def test_after_the_last_try_it_is_exhausted(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(500))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_attempts(run_id, 1)
        with unscoped("a test skips tries"):
            Delivery.objects.update(tries=MAX_TRIES - 1, next_at=utc_now() - timedelta(seconds=1))
        (delivery,) = wait_for_status(run_id, "exhausted")
    assert (delivery.tries, delivery.attempts, delivery.next_at) == (MAX_TRIES, 2, None)


def test_an_arrival_counts_whatever_the_answer_s_body_is(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/large", Answer(200, body=b"x" * 300_000))
    receiver.route("POST", "/broken", Answer(200, body=b"no gzip", headers={"Content-Encoding": "gzip"}))
    with running_host():
        large = start_with_callback(acme, f"{receiver.url}/large")
        broken = start_with_callback(acme, f"{receiver.url}/broken")
        wait_for_status(large, "delivered")
        wait_for_status(broken, "delivered")
    assert log_of(large)[0].response == "x" * 500
