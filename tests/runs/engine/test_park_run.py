import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.commands import command_run
from runs.core.events import Event, EventType
from runs.engine.journal.writer import Writer
from runs.engine.run import run_endings
from runs.engine.run.times import written_time
from runs.engine.run.waits import Waits
from runs.models import Run, SignalKind, Worker
from tenants.models import Tenant
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    in_thread,
    queue_run,
    queue_runs,
    send_cancel,
    set_limits,
    statuses,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journals import claim, open_journal, register_host
from tests.support.segments import segment, step

tried_often = pytest.mark.parametrize("tries", [20, pytest.param(100, marks=pytest.mark.soak)])


def parked_run(acme: Tenant, *, retry_after: float = 6) -> Any:
    call = step("call", fail="BUSY", retryable=True, retry_after=retry_after, retry={"max_attempts": 2})
    return queue_run(acme, segment(call), timeout_seconds=100)


def test_a_run_that_only_waits_for_a_late_retry_holds_nothing(acme: Tenant) -> None:
    run_id = parked_run(acme)
    with running_host() as host:
        wait_for(lambda: get_run(run_id).status == "waiting")
        wait_for(lambda: run_id not in host.runners)
    run = get_run(run_id)
    retrying = events_of(run_id)[-1]
    assert retrying.type == "step.retrying"
    (waits,) = run.waiting_for
    assert (waits["kind"], waits["until"], waits["ref"]) == ("retry", retrying.payload["retry_at"], "call#1")
    assert run.owner is None
    assert run.wake_at is not None
    assert abs(run.wake_at - datetime.fromisoformat(waits["until"])) < timedelta(milliseconds=1)
    assert run.deadline_at is None
    assert run.seconds_left is not None
    assert 90 < run.seconds_left < 95, "a retry's wait counts, the rest of the time waits with the run"


def test_it_wakes_when_the_retry_is_due(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", [Answer(503, headers={"Retry-After": "6"}), Answer(body={"ok": True})])
    call = step("call", "http_action", url=f"{server.url}/x", retry={"max_attempts": 2})
    run_id = queue_run(acme, segment(call))
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
        assert wait_until_over(run_id) == ["completed"]
    first, second = server.calls
    assert 5.9 <= second.at - first.at <= 8
    assert first.idempotency_key == second.idempotency_key


def test_a_short_wait_is_not_parked(acme: Tenant) -> None:
    run_id = parked_run(acme, retry_after=1)
    with running_host():
        wait_until_over(run_id)
    assert "step.retrying call" in event_types(run_id)
    assert get_run(run_id).epoch == 1, "who parks it claims it again"


def test_the_runs_time_ends_a_wait(acme: Tenant) -> None:
    call = step("call", fail="BUSY", retryable=True, retry_after=600, retry={"max_attempts": 2})
    run_id = queue_run(acme, segment(call), timeout_seconds=1.5)
    with running_host():
        assert wait_until_over(run_id) == ["timed_out"]


@tried_often
def test_a_command_in_the_same_instant_is_never_slept_through(acme: Tenant, tries: int) -> None:
    """The window is forced: the command is written after the host decided to park, before it does."""

    async def park(run_ids: list[Any], worker_id: Any, command: SignalKind | None) -> list[bool]:
        writer = Writer()
        writer.start()
        closed = []
        for _ in run_ids:
            (claimed,) = claim(worker_id, room=1)
            journal = open_journal(claimed)
            journal.append(EventType.SEGMENT_STARTED, {"input": None})
            now = journal.clock.now()
            waits = Waits()
            retrying = {"reason": "failed", "retry_at": written_time(now + 600)}
            waits.fold(Event(2, EventType.STEP_RETRYING, retrying, "one", 1, 1), now)
            closing = run_endings.parked(waits=waits, deadline_at=now + 900)
            if command is not None:
                await in_thread(send, claimed.run_id, command)
            closed.append(await writer.close(journal, closing))
        await writer.stop()
        return closed

    def send(run_id: Any, command: SignalKind) -> None:
        command_run(tenant=acme, actor="key:tests", run_id=run_id, command=command)

    set_limits(acme, concurrent_runs=3 * tries)
    worker_id = register_host()
    calm = queue_run(acme, segment(step("one")))
    assert asyncio.run(park([calm], worker_id, None)) == [True]
    assert get_run(calm).status == "waiting"
    for command, end in ((SignalKind.CANCEL, "cancelled"), (SignalKind.PAUSE, "paused")):
        run_ids = queue_runs(acme, segment(step("one")), tries)
        assert asyncio.run(park(run_ids, worker_id, command)) == [False] * tries
        for run_id in run_ids:
            run = get_run(run_id)
            assert (run.status, run.owner, run.last_seq) == ("running", worker_id, 1)
        with unscoped("the owner is gone"):
            Worker.objects.filter(id=worker_id).update(lease_until=utc_now() - timedelta(seconds=1))
        with running_host():
            wait_for(lambda run_ids=run_ids, end=end: set(statuses(run_ids).values()) == {end})
        worker_id = register_host()


@tried_often
def test_parking_and_a_command_racing_end_in_a_cancelled_run(acme: Tenant, tries: int) -> None:
    run_ids = [parked_run(acme, retry_after=60) for _ in range(tries)]
    late = early = 0
    with running_host():
        for run_id in run_ids:
            wait_for(lambda run_id=run_id: "step.started call" in event_types(run_id))
            is_parked = get_run(run_id).owner is None
            late, early = late + is_parked, early + (not is_parked)
            send_cancel(run_id)
        assert set(wait_until_over(*run_ids)) == {"cancelled"}
    print(f"{late} commands after parking, {early} before")


def test_the_time_nobody_owned_a_run_is_given_back(acme: Tenant) -> None:
    run_id = parked_run(acme)
    with running_host():
        wait_for(lambda: get_run(run_id).status == "waiting")
    left = get_run(run_id).seconds_left
    with unscoped("a test turns the clock"):
        Run.objects.filter(id=run_id).update(wake_at=utc_now() - timedelta(seconds=80))
    worker_id = register_host()
    (claimed,) = claim(worker_id)
    assert claimed.run_id == run_id
    assert left is not None
    assert abs(claimed.deadline_at - time.time() - left) < 2
