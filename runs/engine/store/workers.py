"""Hosts in the database: their rows, their leases, and what is left of those that died."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from runs.engine.store.budgets import RELEASE_OF_WORKERS
from runs.engine.store.connection import AsyncDatabase, Database, transaction, transaction_blocking

REGISTER = """
insert into runs_worker (id, name, step_types, started_at, lease_until)
values (%s, %s, %s, now(), clock_timestamp() + make_interval(secs => %s))
returning extract(epoch from clock_timestamp())::float8
"""
RENEW = """
update runs_worker set lease_until = clock_timestamp() + make_interval(secs => %s) where id = %s
returning extract(epoch from clock_timestamp())::float8
"""
SIGNALLED = "select id from runs_run where owner = %s and signals_pending"
SUSPENDED = """
select r.id from tenants_tenant t join runs_run r on r.tenant_id = t.id where r.owner = %s and not t.is_active
"""
DELETE = "delete from runs_worker where id = %s"
# After a restart of the database every lease is old: whoever lived through it gets one lease to say so.
EXPIRED = """
select id, lease_until from runs_worker
where lease_until < clock_timestamp()
  and pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %s)
order by id for update skip locked
"""
ORPHANS = "select id from runs_run where owner = any(%s) order by id for no key update"
# The time between the end of the lease and the next claim is not the run's: its seconds stop at the lease's end.
FREE = """
update runs_run r
set owner = null, wake_at = clock_timestamp(), losses = least(r.losses + 1, 30000),
    seconds_left = greatest(0, extract(epoch from r.deadline_at - w.lease_until)), deadline_at = null
from runs_worker w
where w.id = r.owner and r.id = any(%s)
"""
FORGET = "delete from runs_worker where id = any(%s)"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a heartbeat brings.

    Attributes:
        database_time: Seconds since 1970.
        signalled: The host's runs with something in their inbox.
        suspended: The host's runs whose tenants are inactive.
    """

    database_time: float
    signalled: tuple[UUID, ...] = ()
    suspended: tuple[UUID, ...] = ()


def register(
    connection: Database, *, worker_id: UUID, name: str, lease_seconds: float, step_types: Sequence[str] = ()
) -> float:
    """Insert a host with a fresh lease and the step types it has; return the database's time."""
    with transaction_blocking(connection):
        row = connection.execute(REGISTER, [worker_id, name, list(step_types), lease_seconds]).fetchone()
    return _number(row)


def renew(connection: Database, *, worker_id: UUID, lease_seconds: float) -> Heartbeat | None:
    """Renew a lease; None when the row is gone, because somebody freed the host's runs."""
    with transaction_blocking(connection):
        row = connection.execute(RENEW, [lease_seconds, worker_id]).fetchone()
        if row is None:
            return None
        signalled = connection.execute(SIGNALLED, [worker_id]).fetchall()
        suspended = connection.execute(SUSPENDED, [worker_id]).fetchall()
    return Heartbeat(_number(row), _ids(signalled), _ids(suspended))


def unregister(connection: Database, *, worker_id: UUID) -> None:
    """Delete a host that has released all it owned."""
    with transaction_blocking(connection):
        connection.execute(RELEASE_OF_WORKERS, [[worker_id]])
        connection.execute(DELETE, [worker_id])


async def free_runs_of_the_dead(connection: AsyncDatabase, *, lease_seconds: float) -> int:
    """Free every run whose host let its lease end, and delete those hosts, in one transaction.

    Locks the hosts and then the runs, each in id order. A host another sweep is freeing is left to it.

    Returns:
        How many runs were freed.
    """
    async with transaction(connection):
        expired = await (await connection.execute(EXPIRED, [lease_seconds])).fetchall()
        if not expired:
            return 0
        worker_ids = [worker_id for worker_id, _ in expired]
        orphans = await (await connection.execute(ORPHANS, [worker_ids])).fetchall()
        if orphans:
            await connection.execute(FREE, [[run_id for (run_id,) in orphans]])
        await connection.execute(RELEASE_OF_WORKERS, [worker_ids])
        await connection.execute(FORGET, [worker_ids])
    return len(orphans)


def _ids(rows: Sequence[tuple[Any, ...]]) -> tuple[UUID, ...]:
    return tuple(run_id for (run_id,) in rows)


def _number(row: tuple[Any, ...] | None) -> float:
    if row is None:
        raise LookupError("the statement always returns one row")
    return float(row[0])
