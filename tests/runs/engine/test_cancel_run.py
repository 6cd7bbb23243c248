import time
from typing import Any

from tenants.models import Tenant
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    queue_run,
    send_cancel,
    signals_of,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.segments import segment, step

PARKED = {"max_attempts": 2}


def is_in_flight(run_id: Any) -> bool:
    return event_types(run_id)[-1:] == ["step.started slow"]


def test_attempts_in_flight_are_cancelled_at_once(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        began = time.monotonic()
        send_cancel(run_id, reason="changed my mind", poke=True)
        assert wait_until_over(run_id) == ["cancelled"]
    assert time.monotonic() - began < 5
    skipped, ended = events_of(run_id)[-2:]
    assert (skipped.type, skipped.payload) == ("step.skipped", {"reason": "cancelled", "effect": "unknown"})
    assert (ended.type, ended.payload) == ("segment.cancelled", {"reason": "changed my mind"})
    assert [signal.applied_seq for signal in signals_of(run_id)] == [ended.seq]
    assert get_run(run_id).signals_pending is False


def test_the_poke_is_faster_than_the_heartbeat(acme: Tenant, settings: Any) -> None:
    settings.WORKER_HEARTBEAT_SECONDS = 30
    settings.WORKER_LEASE_SECONDS = 60
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        time.sleep(0.5)  # the subscription comes up beside the first claim
        send_cancel(run_id, poke=True)
        assert wait_until_over(run_id, seconds=3) == ["cancelled"]


def test_a_lost_poke_costs_one_heartbeat(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        send_cancel(run_id, poke=False)
        assert wait_until_over(run_id, seconds=3) == ["cancelled"]


def test_a_queued_run_is_cancelled_by_a_claim_that_executes_nothing(acme: Tenant) -> None:
    acme.max_concurrent_runs = 0
    acme.save()
    run_id = queue_run(acme, segment(step("slow")))
    other_id = queue_run(acme, segment(step("slow")))
    send_cancel(run_id)
    with running_host():
        assert wait_until_over(run_id) == ["cancelled"]
    assert event_types(run_id) == ["segment.started", "segment.cancelled"]
    assert get_run(other_id).status == "queued", "the cap holds for everything but the command"


def test_a_parked_run_is_cancelled(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", fail="BUSY", retryable=True, retry_after=60, retry=PARKED)))
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
        send_cancel(run_id)
        assert wait_until_over(run_id) == ["cancelled"]
    skipped = events_of(run_id)[-2]
    assert (skipped.type, skipped.payload["effect"]) == ("step.skipped", "none")


def test_all_commands_in_the_inbox_are_taken_by_the_one_end(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=30)))
    with running_host():
        wait_for(lambda: is_in_flight(run_id))
        for reason in ("first", "second", "third"):
            send_cancel(run_id, reason=reason)
        assert wait_until_over(run_id) == ["cancelled"]
    ended = events_of(run_id)[-1]
    assert ended.payload == {"reason": "first"}
    assert {signal.applied_seq for signal in signals_of(run_id)} == {ended.seq}
    assert event_types(run_id).count("segment.cancelled") == 1
