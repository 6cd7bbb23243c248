"""A host's process is known to be gone by the lock of its session, long before its lease ends."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection

from kernel.clock import utc_now
from runs.engine.host.sweeper import SECOND_LOOK_SECONDS, Sweeper
from runs.engine.store.connection import connect, conninfo
from runs.engine.store.workers import LOCK, free_runs_of_dead_hosts
from runs.models import Worker
from tenants.models import Tenant
from tests.support.engine import event_types, get_run, queue_run, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.journals import claim, register_host
from tests.support.processes.login import address_of_the_database
from tests.support.segments import segment, step
from tests.support.worker import running_worker

LONG_LEASE = {"WORKER_LEASE_SECONDS": "120", "WORKER_HEARTBEAT_SECONDS": "5"}
AT_ONCE_SECONDS = 6.0
"""Far below the lease; how far is measured by `make chaos`, on a machine that does nothing else."""


def terminate_lease_connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where application_name = 'llmteam lease' and datname = current_database()"
        )
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def holding_lock(worker_id: object) -> Iterator[psycopg.Connection]:
    """Queue for a host's lock, cut the host off, and have the lock until the block ends."""
    with psycopg.connect(conninfo("test"), autocommit=True) as other:
        other.execute("set lock_timeout = 0")
        waiting = threading.Thread(target=lambda: other.execute(LOCK, [worker_id]))
        waiting.start()
        wait_for(lambda: Worker.objects.raw("select pid as id from pg_locks where not granted and locktype='advisory'"))
        assert terminate_lease_connections() == 1
        waiting.join(5)
        assert not waiting.is_alive(), "the lock was not given up"
        yield other


def test_the_runs_of_a_killed_worker_go_on_long_before_its_lease_ends(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", Answer(body={"ok": True}, delay_seconds=2))
    calls = [step(f"call_{n}", "http_action", url=f"{server.url}/x") for n in range(2)]
    with running_worker("worker-1", **LONG_LEASE) as one, running_worker("worker-2", **LONG_LEASE) as two:
        run_ids = queue_runs(acme, segment(*calls), 20)
        wait_for(lambda: server.count() >= 20)
        dead = Worker.objects.get(id=get_run(run_ids[0]).owner)
        assert dead.holds_lock
        killed, other = (one, two) if dead.name == one.host_name else (two, one)
        owned = [run_id for run_id in run_ids if get_run(run_id).owner == dead.id]
        killed.kill()
        seconds = wait_for(lambda: all(get_run(run_id).epoch == 2 for run_id in owned), seconds=AT_ONCE_SECONDS)
        assert dead.lease_until > utc_now(), "its lease had ended anyway"
        assert set(wait_until_over(*run_ids, seconds=40)) == {"completed"}
        assert f"1 are gone; freed {len(owned)} runs" in other.log
    print(f"{len(owned)} runs taken over {seconds:.1f} s after the kill")
    assert set(server.keys().values()) <= {1, 2}


@pytest.mark.soak
def test_a_worker_that_starts_after_the_only_one_died_goes_on_with_what_that_had(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=3)))
    with running_worker("worker-1", **LONG_LEASE) as killed:
        wait_for(lambda: event_types(run_id)[-1:] == ["step.started slow"])
        killed.kill()
    with running_worker("worker-2", **LONG_LEASE):
        wait_for(lambda: get_run(run_id).epoch == 2, seconds=AT_ONCE_SECONDS)
        assert wait_until_over(run_id) == ["completed"]
    assert get_run(run_id).losses == 0


@pytest.mark.soak
def test_a_frozen_worker_keeps_its_runs_until_its_lease_ends(acme: Tenant) -> None:
    run_id = queue_run(acme, segment(step("slow", seconds=4)))
    with running_worker("worker-1", **LONG_LEASE) as frozen:
        wait_for(lambda: event_types(run_id)[-1:] == ["step.started slow"])
        frozen.send(signal.SIGSTOP)
        try:
            with running_worker("worker-2", **LONG_LEASE):
                time.sleep(5 * SECOND_LOOK_SECONDS)
                assert get_run(run_id).epoch == 1
                frozen.send(signal.SIGCONT)
                assert wait_until_over(run_id) == ["completed"]
        finally:
            frozen.send(signal.SIGCONT)
    assert get_run(run_id).epoch == 1


def test_a_host_that_loses_its_connection_only_takes_its_lock_again(acme: Tenant, server: CountingServer) -> None:
    server.route("POST", "/x", Answer(body={"ok": True}, delay_seconds=2))
    run_ids = queue_runs(acme, segment(step("call", "http_action", url=f"{server.url}/x")), 5)
    with running_host() as host:
        wait_for(lambda: server.count() == 5)
        owner = host.worker_id
        with running_worker("worker-2"):
            Worker.objects.filter(name="worker-2@test").update(holds_lock=False)
            assert terminate_lease_connections() == 2
            assert set(wait_until_over(*run_ids)) == {"completed"}
            assert host.worker_id == owner
    assert [get_run(run_id).epoch for run_id in run_ids] == [1] * 5
    assert server.count() == 5


def test_a_host_claims_nothing_in_doubt_and_gives_up_a_row_whose_lock_somebody_else_keeps(acme: Tenant) -> None:
    with running_host() as host:
        wait_for(lambda: host.worker_id is not None)
        first = host.worker_id
        with holding_lock(first):
            run_id = queue_run(acme, segment(step("one")))
            host.poke()
            time.sleep(1)
            assert (host.worker_id, get_run(run_id).epoch) == (first, 0)
            wait_for(lambda: host.worker_id not in (None, first), seconds=15)
            assert wait_until_over(run_id) == ["completed"]


def test_a_lock_that_is_free_is_looked_at_twice_and_never_when_the_database_was_away(acme: Tenant) -> None:
    queue_runs(acme, segment(step("one")), 3)
    dead = register_host()
    claim(dead)
    Worker.objects.update(holds_lock=True)

    with connect("test") as connection:
        sweeper = Sweeper(lease_seconds=2, sweep_seconds=1)
        freed = [sweeper.sweep(connection), sweeper.sweep(connection)]
        time.sleep(SECOND_LOOK_SECONDS)
        sweeper.failed()
        freed.append(sweeper.sweep(connection))
        assert sweeper.looks_again
        time.sleep(SECOND_LOOK_SECONDS)
        freed.append(sweeper.sweep(connection))
        assert not sweeper.looks_again
    assert freed == [0, 0, 0, 3]
    assert not Worker.objects.exists()


def test_a_host_that_only_just_registers_is_never_taken_for_dead(acme: Tenant) -> None:
    found: list[int] = []
    done = threading.Event()

    def sweep() -> None:
        with connect("test") as connection:
            while not done.is_set():
                rows = connection.execute("select id from runs_worker").fetchall()
                suspected = frozenset(worker_id for (worker_id,) in rows)
                swept = free_runs_of_dead_hosts(connection, lease_seconds=0.1, suspected=suspected)
                found.append(len(swept.unlocked) + swept.gone)

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    try:
        for _ in range(5):
            with running_host() as host:
                wait_for(lambda host=host: host.worker_id is not None)
                assert Worker.objects.get().holds_lock
    finally:
        done.set()
        sweeping.join()
    assert len(found) > 100
    assert set(found) == {0}


@pytest.mark.parametrize(("direct", "holds_lock"), [(False, False), (True, True)])
def test_behind_a_pooler_a_direct_address_is_needed_else_the_lease_alone_tells(
    acme: Tenant, direct: bool, holds_lock: bool
) -> None:
    more = {"DATABASE_DIRECT_URL": address_of_the_database()} if direct else {}
    run_id = queue_run(acme, segment(step("one")))
    with running_worker("worker-1", DATABASE_POOLED="1", **more) as worker:
        assert Worker.objects.get().holds_lock is holds_lock
        assert ("died by its lease alone" in worker.log) is not holds_lock
        assert wait_until_over(run_id) == ["completed"]
