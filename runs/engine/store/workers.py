"""Hosts in the database: their rows, their leases, and the runs that dead ones leave behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from runs.engine.store.budgets import RELEASE_OF_WORKERS
from runs.engine.store.connection import Database, transaction

REGISTER = """
insert into runs_worker (id, name, step_types, holds_lock, started_at, lease_until)
values (%s, %s, %s, %s, now(), clock_timestamp() + make_interval(secs => %s))
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
# Keys of one number are nobody else's: claims and budgets lock keys of two, which Postgres keeps apart.
LOCK = "select pg_advisory_lock(hashtextextended('llmteam worker ' || %s::uuid, 0))"
UNLOCK = "select pg_advisory_unlock_all()"
# After a restart of the database every lease is old, and every lock is gone: whoever lived through it gets one lease to
# say so, and a shorter time to take its lock again. A lock that is taken here is let go of with the transaction.
DEAD = """
select id, lease_until < clock_timestamp() from runs_worker
where lease_until < clock_timestamp()
    and pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %(lease)s)
  or holds_lock and id is distinct from %(sweeper)s
    and pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %(relock)s)
    and pg_try_advisory_xact_lock(hashtextextended('llmteam worker ' || id, 0))
order by id for update skip locked
"""
RELOCK_SECONDS = 5.0
ORPHANS = "select id from runs_run where owner = any(%s) order by id for no key update"
# The time between the host's death and the next claim is not the run's: its seconds stop at the lease's end, or now.
FREE = """
update runs_run r
set owner = null, wake_at = clock_timestamp(), losses = least(r.losses + 1, 30000),
    seconds_left = greatest(0, extract(epoch from r.deadline_at - least(w.lease_until, clock_timestamp()))),
    deadline_at = null
from runs_worker w
where w.id = r.owner and r.id = any(%s)
"""
FORGET = "delete from runs_worker where id = any(%s)"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Result of a heartbeat.

    Attributes:
        database_time: Seconds since 1970.
        signalled: The host's runs with something in their inbox.
        suspended: The host's runs whose tenants are inactive.
    """

    database_time: float
    signalled: tuple[UUID, ...] = ()
    suspended: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepReport:
    """Result of a sweep.

    Attributes:
        runs: How many runs were freed.
        expired: How many hosts let their lease end.
        unlocked: Hosts without their lock, though their lease stands: their process is gone, or lost its connection.
        gone: How many of these were taken for dead.
    """

    runs: int = 0
    expired: int = 0
    unlocked: frozenset[UUID] = frozenset()
    gone: int = 0


def take_lock(connection: Database, *, worker_id: UUID) -> bool:
    """Take the lock that says that a host's process is there, for as long as the connection lasts.

    To be taken before the host's row is inserted. Waits a few seconds for a sweep that holds it.

    Returns:
        Whether it was had; False when somebody else holds it.
    """
    try:
        connection.execute(LOCK, [worker_id])
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def drop_locks(connection: Database) -> None:
    """Let go of the lock of a host that is no more."""
    connection.execute(UNLOCK)


def register(
    connection: Database,
    *,
    worker_id: UUID,
    name: str,
    lease_seconds: float,
    step_types: Sequence[str] = (),
    holds_lock: bool = False,
) -> float:
    """Insert a host with a fresh lease and the step types it has; return the database's time."""
    with transaction(connection):
        row = connection.execute(REGISTER, [worker_id, name, list(step_types), holds_lock, lease_seconds]).fetchone()
    return _number(row)


def renew(connection: Database, *, worker_id: UUID, lease_seconds: float) -> Heartbeat | None:
    """Renew a lease; None when the row is gone, because somebody freed the host's runs."""
    with transaction(connection):
        row = connection.execute(RENEW, [lease_seconds, worker_id]).fetchone()
        if row is None:
            return None
        signalled = connection.execute(SIGNALLED, [worker_id]).fetchall()
        suspended = connection.execute(SUSPENDED, [worker_id]).fetchall()
    return Heartbeat(_number(row), _ids(signalled), _ids(suspended))


def unregister(connection: Database, *, worker_id: UUID) -> None:
    """Delete a host that has released all it owned."""
    with transaction(connection):
        connection.execute(RELEASE_OF_WORKERS, [[worker_id]])
        connection.execute(DELETE, [worker_id])


def free_runs_of_dead_hosts(
    connection: Database,
    *,
    lease_seconds: float,
    sweeper_id: UUID | None = None,
    suspected: frozenset[UUID] = frozenset(),
) -> SweepReport:
    """Free every run whose host is dead, and delete those hosts, in one transaction.

    Dead is who let its lease end, and who is suspected and has no lock. Locks the hosts and then the runs, each in id
    order. A host another sweep is freeing is left to it.

    Args:
        connection: Used for one transaction.
        lease_seconds: How long everybody is granted after a restart of the database.
        sweeper_id: The host that sweeps; its own lock is never looked at.
        suspected: The hosts that are to be taken for dead when they have no lock.
    """
    with transaction(connection):
        asked = {"sweeper": sweeper_id, "lease": lease_seconds, "relock": min(lease_seconds, RELOCK_SECONDS)}
        found = connection.execute(DEAD, asked).fetchall()
        expired = [worker_id for worker_id, is_expired in found if is_expired]
        unlocked = frozenset(worker_id for worker_id, is_expired in found if not is_expired)
        dead = sorted([*expired, *(unlocked & suspected)])
        freed = _bury(connection, dead) if dead else 0
    return SweepReport(freed, len(expired), unlocked - suspected, len(unlocked & suspected))


def _bury(connection: Database, worker_ids: list[UUID]) -> int:
    orphans = connection.execute(ORPHANS, [worker_ids]).fetchall()
    if orphans:
        connection.execute(FREE, [[run_id for (run_id,) in orphans]])
    connection.execute(RELEASE_OF_WORKERS, [worker_ids])
    connection.execute(FORGET, [worker_ids])
    return len(orphans)


def _ids(rows: Sequence[tuple[Any, ...]]) -> tuple[UUID, ...]:
    return tuple(run_id for (run_id,) in rows)


def _number(row: tuple[Any, ...] | None) -> float:
    if row is None:
        raise LookupError("the statement always returns one row")
    return float(row[0])
