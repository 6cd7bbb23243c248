import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.commands import command_run
from runs.engine.host.lease import FROZEN_EXIT
from runs.engine.host.sweeper import Sweeper
from runs.engine.store.connection import connect
from runs.engine.store.workers import free_runs_of_dead_hosts
from runs.models import Run, SignalKind, Worker
from tenants.models import Tenant
from tests.support.engine import (
    event_types,
    events_of,
    get_run,
    queue_run,
    queue_runs,
    send_cancel,
    wait_for,
    wait_until_over,
)
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journals import claim, register_host
from tests.support.segments import segment, step
from tests.support.worker import SHORT_LEASE, running_worker

DOCUMENT = segment(step("one"))


def end_lease(worker_id: UUID) -> None:
    Worker.objects.filter(id=worker_id).update(lease_until=utc_now() - timedelta(seconds=1))


def own_until_the_lease_ends(tenant: Tenant, runs: int = 1) -> None:
    """Have a host own runs of a tenant, and let its lease end."""
    queue_runs(tenant, DOCUMENT, runs)
    dead = register_host()
    claim(dead)
    end_lease(dead)


def sweep() -> int:
    with connect("test") as connection:
        return free_runs_of_dead_hosts(connection, lease_seconds=0.1).runs


def test_the_runs_of_a_dead_host_are_freed_and_its_row_goes(acme: Tenant) -> None:
    run_ids = queue_runs(acme, DOCUMENT, 3)
    dead, alive = register_host(), register_host()
    assert len(claim(dead, room=2)) == 2
    assert len(claim(alive, room=2)) == 1
    assert sweep() == 0, "nobody is dead yet"
    end_lease(dead)
    assert sweep() == 2
    runs = [get_run(run_id) for run_id in run_ids]
    assert sorted(run.losses for run in runs) == [0, 1, 1]
    assert all((run.wake_at is not None) == (run.losses == 1) for run in runs)
    assert list(Worker.objects.values_list("id", flat=True)) == [alive]
    assert len(claim(alive)) == 2


def test_two_sweeps_at_once_count_a_loss_once(acme: Tenant) -> None:
    own_until_the_lease_ends(acme, runs=5)
    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(lambda _: sweep(), range(2))) == [0, 5]
    with unscoped("tests look everywhere"):
        assert set(Run.objects.values_list("losses", flat=True)) == {1}


def test_after_a_gap_everybody_is_granted_a_lease_first(acme: Tenant) -> None:
    own_until_the_lease_ends(acme)
    with connect("test") as connection:
        sweeper = Sweeper(lease_seconds=0.4, sweep_seconds=1)
        sweeper._last_good -= 6
        assert sweeper.sweep(connection) == 0
        time.sleep(0.45)
        assert sweeper.sweep(connection) == 1


def test_a_lease_is_granted_from_the_last_time_the_database_did_not_answer(acme: Tenant) -> None:
    own_until_the_lease_ends(acme)
    with connect("test") as connection:
        sweeper = Sweeper(lease_seconds=1.2, sweep_seconds=1)
        sweeper._last_good -= 6
        assert sweeper.sweep(connection) == 0
        time.sleep(1)
        assert sweeper.sweep(connection) == 0
        sweeper.failed()
        time.sleep(0.4)
        assert sweeper.sweep(connection) == 0, "it answered in between, and then not"
        time.sleep(0.9)
        assert sweeper.sweep(connection) == 1


def test_a_database_that_was_seen_away_for_half_a_lease_is_a_gap(acme: Tenant) -> None:
    own_until_the_lease_ends(acme)
    with connect("test") as connection:
        sweeper = Sweeper(lease_seconds=0.4, sweep_seconds=1)
        sweeper._last_good -= 0.3
        sweeper.failed()
        assert sweeper.sweep(connection) == 0
        time.sleep(0.45)
        assert sweeper.sweep(connection) == 1


def test_a_run_whose_owners_die_without_an_outcome_is_stalled_after_five(acme: Tenant) -> None:
    run_id, mended = queue_runs(acme, DOCUMENT, 2, losses=5)
    neighbours = queue_runs(acme, DOCUMENT, 3)
    with running_host():
        wait_for(lambda: get_run(run_id).status == get_run(mended).status == "stalled")
        assert set(wait_until_over(*neighbours)) == {"completed"}
        assert event_types(run_id) == ["segment.started", "segment.paused"]
        assert events_of(run_id)[-1].payload["code"] == "OWNERS_LOST"
        send_cancel(run_id)
        assert wait_until_over(run_id) == ["cancelled"]
        command_run(tenant=acme, actor="user:1", run_id=mended, command=SignalKind.RESUME)
        assert wait_until_over(mended) == ["completed"]
    assert get_run(mended).losses == 0


def test_an_outcome_makes_losses_forgotten(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("one"), step("two", seconds=30)), losses=2)
    with running_host():
        wait_for(lambda: "step.started two" in event_types(run_id))
        assert get_run(run_id).losses == 0


def test_what_the_lost_owner_left_open_is_tried_again_or_fails_as_the_step_says(
    acme: Tenant, server: CountingServer
) -> None:
    server.route("POST", "/x", Answer(body={"ok": True}, delay_seconds=1.5))
    again = queue_run(acme, segment(step("call", "http_action", url=f"{server.url}/x")))
    fails = queue_run(acme, segment(step("call", "http_action", url=f"{server.url}/x", on_unknown="fail")))
    with running_worker("worker-1") as worker:
        wait_for(lambda: server.count() == 2)
        worker.kill()
    with running_host():
        assert wait_until_over(again, fails) == ["completed", "failed"]
    assert get_run(fails).error["code"] == "OWNER_LOST"
    assert server.count() == 3
    assert sorted(server.keys().values()) == [1, 2]
    (retrying,) = [event for event in events_of(again) if event.type == "step.retrying"]
    assert (retrying.payload["reason"], retrying.payload["consumed"]) == ("owner_lost", False)


def test_a_stopped_host_that_wakes_writes_nothing_to_runs_others_own(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", Answer(body={"ok": True}, delay_seconds=1))
    calls = [step(f"call_{n}", "http_action", url=f"{server.url}/x") for n in range(3)]
    run_ids = queue_runs(acme, segment(*calls), 5)
    with running_worker("worker-1", **SHORT_LEASE) as stopped:
        wait_for(lambda: server.count() >= 5)
        stopped.send(signal.SIGSTOP)
        try:
            with running_worker("worker-2", **SHORT_LEASE):
                wait_for(lambda: all(get_run(run_id).epoch == 2 for run_id in run_ids), seconds=15)
                stopped.send(signal.SIGCONT)
                assert set(wait_until_over(*run_ids, seconds=40)) == {"completed"}
        finally:
            stopped.send(signal.SIGCONT)
    for run_id in run_ids:
        events = events_of(run_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        completed = [event.step_id for event in events if event.type == "step.completed"]
        assert completed == ["call_0", "call_1", "call_2"]


def test_a_process_whose_loop_stands_still_is_ended(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("blocks", blocking_seconds=60)))
    with running_worker("worker-1", **SHORT_LEASE) as worker:
        wait_for(lambda: event_types(run_id)[-1:] == ["step.started blocks"])
        began = time.monotonic()
        wait_for(lambda: not worker.is_running, seconds=20)
        assert worker._process is not None
        assert worker._process.returncode == FROZEN_EXIT
        assert "the event loop has stood still" in worker.log
        assert 3 <= time.monotonic() - began <= 12
    assert get_run(run_id).status == "running"


def test_a_host_whose_row_is_gone_registers_anew_and_goes_on(acme: Tenant) -> None:
    with running_host() as host:
        wait_for(lambda: host.worker_id is not None)
        first = host.worker_id
        Worker.objects.all().delete()
        wait_for(lambda: host.worker_id not in (None, first))
        run_id = queue_run(acme, DOCUMENT)
        assert wait_until_over(run_id) == ["completed"]


def test_the_database_away_longer_than_the_lease_repeats_no_call(
    acme: Tenant, server: CountingServer, settings: Any
) -> None:
    """Connections are refused for two leases: what a restart or a lost network does to a worker that lives."""
    settings.WORKER_LEASE_SECONDS = 2
    server.route("POST", "/*", Answer(body={"ok": True}, delay_seconds=0.1))
    calls = [step(f"call_{n}", "http_action", url=f"{server.url}/{n}") for n in range(10)]
    run_ids = queue_runs(acme, segment(*calls), 10)
    with running_host() as host:
        wait_for(lambda: server.count() >= 20)
        owner = host.worker_id
        refused = refuse_connections(seconds=4)
        assert refused > 3, "the database was not away"
        assert set(wait_until_over(*run_ids, seconds=30)) == {"completed"}
        assert host.worker_id == owner
    assert server.count() == 100
    assert set(server.keys().values()) == {1}


def refuse_connections(*, seconds: float) -> int:
    """Kill every connection of the engine as soon as it is there; return how many that were."""
    killed = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where application_name like 'llmteam %%' and datname = current_database()"
            )
            row: Any = cursor.fetchone()
            killed += row[0]
        time.sleep(0.01)
    return killed
