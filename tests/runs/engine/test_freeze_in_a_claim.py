"""A host that stops in the middle of a claim keeps the others from claiming for a moment only."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from runs.engine.store.claimed import SMALL_INPUTS_BYTES
from runs.engine.store.claims import BEGIN_CLAIM, CLAIM_LOCK, FROZEN_MS
from runs.engine.store.connection import connect, conninfo
from tenants.models import Tenant
from tests.support import pooler
from tests.support.engine import queue_run, wait_for, wait_until_over
from tests.support.journals import claim, register_host
from tests.support.segments import segment, step
from tests.support.worker import WorkerProcess, running_worker

DOCUMENT = segment(step("one"))
LONG_LEASE = {"WORKER_LEASE_SECONDS": "120", "WORKER_HEARTBEAT_SECONDS": "5"}
BOUND_SECONDS = 10.0
"""Far below the lease, so that a busy machine passes; the bound itself is a second."""
HOLDERS = """
select a.state from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.classid = %s and l.objid = 0 and a.datname = current_database()
"""


def holders() -> list[str]:
    """What the sessions do that hold the lock of claims."""
    with connection.cursor() as cursor:
        cursor.execute(HOLDERS, [CLAIM_LOCK])
        return [state for (state,) in cursor.fetchall()]


def state_of(pid: int) -> str:
    """Letter of a process's state; ``T`` is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def frozen_in_its_claim(worker: WorkerProcess) -> Iterator[None]:
    """Stop a worker's process when it has the lock of claims; the server has answered it then, and waits for it."""
    with psycopg.connect(conninfo("test"), autocommit=True) as other:
        with other.transaction():
            other.execute("lock table tenants_tenant in access exclusive mode")
            wait_for(lambda: "active" in holders(), what="no claim came as far as the table of tenants")
            worker.send(signal.SIGSTOP)
            wait_for(lambda: state_of(worker.pid) == "T", what="the worker does not stand still")
            assert holders() == ["active"], "it holds the lock, and cannot read the answer that comes now"
        try:
            yield
        finally:
            worker.send(signal.SIGCONT)


def hold_up(acme: Tenant, **environment: str) -> None:
    other = register_host(lease_seconds=120)
    with running_worker("worker-1", **LONG_LEASE, **environment) as worker:
        with frozen_in_its_claim(worker):
            run_id = queue_run(acme, DOCUMENT)
            wait_for(lambda: [one.run_id for one in claim(other)] == [run_id], seconds=BOUND_SECONDS)
        assert wait_until_over(queue_run(acme, DOCUMENT)) == ["completed"], "it goes on when it is thawed"


def test_others_claim_a_moment_after_a_host_froze_in_its_claim(acme: Tenant) -> None:
    hold_up(acme)


@pytest.mark.skipif(pooler.PROGRAM is None, reason=pooler.MISSING)
def test_so_they_do_behind_a_pooler(acme: Tenant) -> None:
    with pooler.running_pooler() as before_database:
        direct = {"DATABASE_DIRECT_URL": pooler.direct_address()}
        hold_up(acme, DATABASE_URL=before_database.address, DATABASE_POOLED="1", **direct)


def test_so_they_do_where_it_does_not_read_an_answer(acme: Tenant) -> None:
    run_id, other = queue_run(acme, DOCUMENT), register_host()
    asked = {"worker": register_host(), "is_to_execute": True, "lock": CLAIM_LOCK, "frozen_ms": str(FROZEN_MS)}
    with closing(connect("test")) as silent:
        silent.execute("begin")
        silent.execute(BEGIN_CLAIM, asked)
        silent.pgconn.send_query(b"select repeat('x', 50000000)")
        wait_for(lambda: holders() == ["active"])
        wait_for(lambda: [one.run_id for one in claim(other)] == [run_id], seconds=BOUND_SECONDS)


def test_long_inputs_are_read_when_the_claim_is_over(acme: Tenant) -> None:
    """An answer longer than what the network holds would keep the claim open for as long as nobody reads it."""
    inputs = ["x" * SMALL_INPUTS_BYTES, "short", None, ["y" * SMALL_INPUTS_BYTES]]
    run_ids = [queue_run(acme, DOCUMENT, input=value) for value in inputs]
    claimed = {one.run_id: one.input_text for one in claim(register_host())}
    assert [len(claimed[run_id] or "") for run_id in run_ids] == [32_770, 7, 0, 32_772]
