"""A run that waits for a time holds nothing, and goes on when it has come, whatever became of its host."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kernel.clock import utc_now
from runs.commands import command_run
from runs.models import SignalKind
from tenants.models import Tenant
from tests.support.engine import event_types, events_of, get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

THERE = ["segment.started", "step.started hold", "step.waiting hold", "step.completed hold", "segment.completed"]


def hold(tenant: Tenant, seconds: float, **more: Any) -> UUID:
    return queue_run(tenant, segment(step("hold", "wait", seconds=seconds)), **more)


def command(tenant: Tenant, run_id: UUID, kind: SignalKind) -> None:
    command_run(tenant=tenant, actor="key:tests", run_id=run_id, command=kind)


def test_it_goes_on_when_the_time_has_come(acme: Tenant) -> None:
    run_id = hold(acme, 0.4)
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert event_types(run_id) == THERE
    _, started, waiting, completed, _ = events_of(run_id)
    until = datetime.fromisoformat(waiting.payload["until"])
    assert waiting.payload["kind"] == "timer"
    assert until - started.created_at >= timedelta(seconds=0.4)
    assert completed.created_at >= until
    assert get_run(run_id).output == {"n": 1}


def test_parked_it_holds_nothing_and_its_timeout_stands_still(acme: Tenant) -> None:
    run_id = hold(acme, 14 * 24 * 3600, timeout_seconds=60)
    with running_host() as host:
        wait_for(lambda: get_run(run_id).status == "waiting")
        wait_for(lambda: run_id not in host.runners)
    run = get_run(run_id)
    (waits,) = run.waiting_for
    assert (waits["kind"], waits["ref"]) == ("timer", "hold#1")
    assert datetime.fromisoformat(waits["until"]) - run.created_at >= timedelta(days=14)
    assert run.owner is None
    assert run.deadline_at is None
    assert run.seconds_left is not None
    assert run.seconds_left > 50
    assert run.wake_at is not None
    assert abs(run.wake_at - datetime.fromisoformat(waits["until"])) < timedelta(milliseconds=1)


def test_any_other_host_goes_on_with_it(acme: Tenant) -> None:
    run_id = hold(acme, 5.5)
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert event_types(run_id) == THERE


def test_a_time_that_is_over_holds_nothing_up(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("hold", "wait", until="2020-01-01T00:00:00Z")))
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert event_types(run_id) == THERE


def test_a_pause_does_not_stop_the_time_and_nothing_goes_on_before_the_resume(acme: Tenant) -> None:
    until = utc_now() + timedelta(seconds=6)
    run_id = queue_run(acme, segment(step("hold", "wait", until=until.isoformat()), step("next")))
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
        command(acme, run_id, SignalKind.PAUSE)
        wait_for(lambda: get_run(run_id).status == "paused")
        assert get_run(run_id).waiting_for[0]["kind"] == "timer"
        wait_for(lambda: "step.completed hold" in event_types(run_id) and get_run(run_id).status == "paused")
        assert "step.started next" not in event_types(run_id)
        command(acme, run_id, SignalKind.RESUME)
        assert wait_until_over(run_id) == ["completed"]


def test_a_cancel_ends_it(acme: Tenant) -> None:
    run_id = hold(acme, 3600)
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
        command(acme, run_id, SignalKind.CANCEL)
        assert wait_until_over(run_id) == ["cancelled"]
    skipped = events_of(run_id)[-2]
    assert (skipped.type, skipped.payload["effect"]) == ("step.skipped", "none")


@pytest.mark.parametrize("strategy", ["any", "first"])
def test_a_join_that_is_decided_without_it_closes_it(acme: Tenant, strategy: str) -> None:
    """The pattern of a limit: whatever is done first, the work or the wait."""
    split, join = step("split", "parallel_split"), step("join", "parallel_join", merge_strategy=strategy)
    edges = [
        {"from": "split", "from_port": "branch_1", "to": "hold"},
        {"from": "split", "from_port": "branch_2", "to": "work"},
        {"from": "hold", "to": "join"},
        {"from": "work", "to": "join"},
    ]
    document = segment(split, step("hold", "wait", seconds=3600), step("work", seconds=0.1), join, edges=edges)
    run_id = queue_run(acme, document)
    with running_host():
        assert wait_until_over(run_id) == ["completed"]
    assert "step.skipped hold" in event_types(run_id)


def test_a_fail_step_ends_the_run_and_what_still_waits(acme: Tenant) -> None:
    edges = [{"from": "begin", "to": "hold"}, {"from": "begin", "to": "stop"}]
    stop = step(
        "stop", "fail", code="ORDER_REFUSED", message="Order {{ input.n }} was refused.", details={"n": "{{ n }}"}
    )
    run_id = queue_run(acme, segment(step("begin"), step("hold", "wait", seconds=3600), stop, edges=edges))
    with running_host():
        assert wait_until_over(run_id) == ["failed"]
    assert get_run(run_id).error == {
        "code": "ORDER_REFUSED",
        "message": "Order 1 was refused.",
        "step_id": "stop",
        "activation": 1,
        "attempts": 1,
        "details": {"n": 1},
    }
    assert "step.skipped hold" in event_types(run_id)
