import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.commands import command_run
from runs.models import Run, RunStatus, SignalKind
from tenants.models import Tenant
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    queue_run,
    set_limits,
    signals_of,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journals import claim, register_host
from tests.support.segments import segment, step

TWICE = {"max_attempts": 2}


def ask(tenant: Tenant, run_id: UUID, command: SignalKind) -> Run:
    return command_run(tenant=tenant, actor="key:tests", run_id=run_id, command=command, reason="lunch")


def pause(tenant: Tenant, run_id: UUID) -> Run:
    return ask(tenant, run_id, SignalKind.PAUSE)


def resume(tenant: Tenant, run_id: UUID) -> Run:
    return ask(tenant, run_id, SignalKind.RESUME)


def is_in_flight(run_id: UUID, step_id: str = "slow") -> Callable[[], bool]:
    return lambda: event_types(run_id)[-1:] == [f"step.started {step_id}"]


def has_status(run_id: UUID, status: RunStatus) -> Callable[[], bool]:
    return lambda: get_run(run_id).status == status


def applied(run_id: UUID) -> list[str]:
    """By command, in order: the type of the event that took it."""
    types = {event.seq: event.type for event in events_of(run_id)}
    return [f"{signal.kind}: {types.get(signal.applied_seq or 0)}" for signal in signals_of(run_id)]


def test_attempts_in_flight_finish_and_nothing_more_begins(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=1), step("next", result={"done": True})))
    with running_host() as host:
        wait_for(is_in_flight(run_id))
        assert pause(acme, run_id).status == "running"
        wait_for(lambda: signals_of(run_id)[0].applied_seq is None and get_run(run_id).pause_requested)
        assert get_run(run_id).status == "running", "until nothing is in flight"
        wait_for(has_status(run_id, RunStatus.PAUSED))
        wait_for(lambda: run_id not in host.runners)
        types = ["segment.started", "step.started slow", "step.completed slow", "segment.paused"]
        assert event_types(run_id) == types
        paused = events_of(run_id)[-1]
        assert paused.payload == {"reason": "lunch", "actor": "key:tests"}
        assert applied(run_id) == ["pause: segment.paused"]
        run = get_run(run_id)
        assert (run.owner, run.wake_at, run.pause_requested, run.signals_pending) == (None, None, False, False)
        assert run.seconds_left is not None
        time.sleep(1)
        assert event_types(run_id) == types, "it stands still"
        resume(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).output == {"done": True}
    assert applied(run_id) == ["pause: segment.paused", "resume: segment.resumed"]
    assert event_types(run_id)[4:6] == ["segment.resumed", "step.started next"]


def test_a_retry_does_not_begin(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", [Answer(503, delay_seconds=1), Answer(body={"ok": True})])
    retry = {**TWICE, "initial_seconds": 0.1}
    run_id = queue_run(acme, segment(step("slow", "http_action", url=f"{server.url}/x", retry=retry)))
    with running_host():
        wait_for(lambda: server.count() == 1)
        pause(acme, run_id)
        wait_for(has_status(run_id, RunStatus.PAUSED))
        assert event_types(run_id)[-2:] == ["step.retrying slow", "segment.paused"]
        time.sleep(1)
        assert server.count() == 1
        resume(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]
    assert server.count() == 2


def test_the_last_attempt_in_flight_may_end_the_run(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=1)))
    with running_host():
        wait_for(is_in_flight(run_id))
        pause(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]
    assert applied(run_id) == ["pause: segment.completed"]
    assert get_run(run_id).pause_requested is False


def test_a_parked_run_is_claimed_to_be_paused(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", fail="BUSY", retryable=True, retry_after=60, retry=TWICE)))
    with running_host():
        wait_for(has_status(run_id, RunStatus.WAITING))
        set_limits(acme, concurrent_runs=0)
        pause(acme, run_id)
        wait_for(has_status(run_id, RunStatus.PAUSED))
    assert event_types(run_id)[-2:] == ["step.retrying slow", "segment.paused"]


def test_a_resume_is_taken_while_a_worker_looks_at_a_wait_of_the_paused_run(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("nap", "wait", seconds=60), step("next")))
    with running_host():
        wait_for(has_status(run_id, RunStatus.WAITING))
        pause(acme, run_id)
        wait_for(has_status(run_id, RunStatus.PAUSED))
    with unscoped("tests let the time of a wait come"):
        Run.objects.filter(id=run_id).update(wake_at=utc_now())
    worker_id = register_host(lease_seconds=3)
    assert [claimed.run_id for claimed in claim(worker_id)] == [run_id]
    assert get_run(run_id).status == "running"
    assert get_run(run_id).pause_requested, "it is on its way back to its pause"
    resume(acme, run_id)
    with running_host():
        wait_for(lambda: applied(run_id) == ["pause: segment.paused", "resume: segment.resumed"])


def test_a_queued_run_is_paused_past_the_cap_and_resumed_below_it(acme: Tenant) -> None:
    set_limits(acme, concurrent_runs=0)
    run_id = queue_run(acme, segment(step("one")))
    pause(acme, run_id)
    with running_host():
        wait_for(has_status(run_id, RunStatus.PAUSED))
        assert resume(acme, run_id).status == "queued"
        time.sleep(1)
        assert get_run(run_id).status == "queued"
        assert event_types(run_id) == ["segment.started", "segment.paused"]
        set_limits(acme, concurrent_runs=1)
        assert wait_until_over(run_id) == ["completed"]


def test_a_resume_that_comes_before_the_pause_took_effect_is_told_too(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=1), step("next")))
    with running_host():
        wait_for(is_in_flight(run_id))
        pause(acme, run_id)
        resume(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]
    assert applied(run_id) == ["pause: segment.paused", "resume: segment.resumed"]
    types = [name for name in event_types(run_id) if name.startswith("segment.")]
    assert types == ["segment.started", "segment.paused", "segment.resumed", "segment.completed"]


def test_a_pause_taken_back_gives_no_slot(acme: Tenant) -> None:
    set_limits(acme, concurrent_runs=0)
    run_id = queue_run(acme, segment(step("one")))
    pause(acme, run_id)
    resume(acme, run_id)
    with running_host():
        wait_for(lambda: applied(run_id) == ["pause: segment.paused", "resume: segment.resumed"])
        time.sleep(1)
        run = get_run(run_id)
        assert (run.status, run.owner, run.signals_pending) == ("queued", None, False)
        assert event_types(run_id) == ["segment.started", "segment.paused", "segment.resumed"]
        set_limits(acme, concurrent_runs=1)
        assert wait_until_over(run_id) == ["completed"]


def test_time_stands_still_while_paused(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=1), step("next", seconds=0.5)), timeout_seconds=4)
    with running_host():
        wait_for(is_in_flight(run_id))
        pause(acme, run_id)
        wait_for(has_status(run_id, RunStatus.PAUSED))
        left = get_run(run_id).seconds_left
        assert left is not None
        assert 1.5 < left < 3.2
        time.sleep(4)
        resume(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]
    other = queue_run(acme, segment(step("slow", seconds=60)), timeout_seconds=4)
    with running_host():
        assert wait_until_over(other) == ["timed_out"], "the same time, not paused"


def test_a_wait_cut_short_by_a_pause_is_not_paid_twice(acme: Tenant) -> None:
    """A parked run has paid for its whole wait; what it does not wait is given back."""
    wait = step("slow", fail="BUSY", retryable=True, retry_after=60, retry=TWICE)
    run_id = queue_run(acme, segment(wait), timeout_seconds=100)
    with running_host():
        wait_for(has_status(run_id, RunStatus.WAITING))
        paid = get_run(run_id).seconds_left
        pause(acme, run_id)
        wait_for(has_status(run_id, RunStatus.PAUSED))
    left = get_run(run_id).seconds_left
    assert paid is not None
    assert left is not None
    assert paid < 41
    assert left > 85


def test_a_drained_run_is_paused_by_the_next_host(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=1), step("next")))
    with running_host() as host:
        wait_for(is_in_flight(run_id))
        host.stop()
        time.sleep(0.2)
        pause(acme, run_id)
        wait_for(lambda: get_run(run_id).owner is None)
    run = get_run(run_id)
    assert (run.status, run.pause_requested) == ("running", True)
    with running_host():
        wait_for(has_status(run_id, RunStatus.PAUSED))
    assert event_types(run_id)[-2:] == ["step.completed slow", "segment.paused"]


def test_a_join_that_has_its_winner_still_cancels_the_others(acme: Tenant) -> None:
    steps = [
        step("split", "parallel_split", branches=["a", "b"]),
        step("quick", seconds=0.8),
        step("slow", seconds=60),
        step("join", "parallel_join", merge_strategy="any"),
        step("end"),
    ]
    edges: list[dict[str, Any]] = [
        {"from": "split", "from_port": "a", "to": "quick"},
        {"from": "split", "from_port": "b", "to": "slow"},
        {"from": "quick", "to": "join"},
        {"from": "slow", "to": "join"},
        {"from": "join", "to": "end"},
    ]
    run_id = queue_run(acme, segment(*steps, edges=edges))
    with running_host():
        wait_for(lambda: "step.started quick" in event_types(run_id) and "step.started slow" in event_types(run_id))
        pause(acme, run_id)
        wait_for(has_status(run_id, RunStatus.PAUSED))
        assert "step.started join" not in event_types(run_id)
        resume(acme, run_id)
        assert wait_until_over(run_id) == ["completed"]
    assert "step.skipped slow" in event_types(run_id)


@pytest.mark.parametrize("status", ["queued", "running", "waiting", "paused", "stalled"])
def test_a_run_is_cancelled_wherever_it_is(acme: Tenant, status: str) -> None:
    slow = step("slow", seconds=60)
    wait = step("slow", fail="BUSY", retryable=True, retry_after=60, retry=TWICE)
    run_id = queue_run(acme, segment(wait if status == "waiting" else slow))
    if status == "queued":
        set_limits(acme, concurrent_runs=0)
    if status == "paused":
        pause(acme, run_id)
    if status == "stalled":
        with unscoped("as a poison run looks"):
            Run.objects.filter(id=run_id).update(losses=5)
    with running_host():
        wait_for(has_status(run_id, RunStatus(status)))
        ask(acme, run_id, SignalKind.CANCEL)
        assert wait_until_over(run_id) == ["cancelled"]
    assert applied(run_id)[-1] == "cancel: segment.cancelled"
    assert [event.seq for event in events_of(run_id)] == list(range(1, len(events_of(run_id)) + 1))
