"""Claims: which run goes to which host, in fair order, each tenant below its cap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any
from uuid import UUID

from runs.engine.errors import HostLost
from runs.engine.store.connection import Database, transaction
from segments.plan import KNOWN_SEMANTICS

LOSSES_TO_BE_ALONE = 3
LOSSES_TO_STALL = 5
SIGNALLED_AT_ONCE = 100
CLAIM_LOCK = 0x6C6C6D74
"""First key of the advisory locks of claims; the second is a hash of the tenant."""

# The key share lock makes a claim and the sweep that deletes this host exclude each other.
STILL_ALIVE = "select step_types from runs_worker where id = %s and lease_until > clock_timestamp() for key share"

# Loose index scans: one probe per tenant with work, however long its queue, and one per tenant with parked runs, whose
# first tells whether any is due. Runs of inactive tenants stand still. The lock makes the count of a tenant's runs,
# taken by the next statement, stand until this claim commits; a tenant another host is claiming is left to it.
TENANTS = """
with recursive queued(tenant_id) as (
  (
    select tenant_id from runs_run where owner is null and wake_at is not null and status not in ('waiting', 'paused')
    order by tenant_id limit 1
  )
  union all
  select (
    select r.tenant_id from runs_run r
    where r.owner is null and r.wake_at is not null and r.status not in ('waiting', 'paused')
      and r.tenant_id > q.tenant_id
    order by r.tenant_id limit 1
  )
  from queued q where q.tenant_id is not null
)
, parked(tenant_id, wake_at) as (
  (
    select tenant_id, wake_at from runs_run
    where owner is null and wake_at is not null and status in ('waiting', 'paused')
    order by tenant_id, wake_at limit 1
  )
  union all
  select following.tenant_id, following.wake_at from parked p
  cross join lateral (
    select r.tenant_id, r.wake_at from runs_run r
    where r.owner is null and r.wake_at is not null and r.status in ('waiting', 'paused') and r.tenant_id > p.tenant_id
    order by r.tenant_id, r.wake_at limit 1
  ) following
)
, named as materialized (
  select found.tenant_id from (
    select tenant_id from queued where tenant_id is not null
    union
    select tenant_id from parked where wake_at <= clock_timestamp()
  ) found
  join tenants_tenant t on t.id = found.tenant_id
  where t.is_active and t.id <> all(%s::uuid[])
)
select tenant_id from named where pg_try_advisory_xact_lock(%s, hashtext(tenant_id::text))
"""

# The queue stands in its index in order; of the parked, those that woke are sorted. Only a time that stands still while
# the statement runs is looked up in their index, so not clock_timestamp.
PICK = """
with owned as (
  select tenant_id, count(*) as runs from runs_run
  where owner is not null and tenant_id = any(%(tenants)s) group by tenant_id
)
, room as (
  select t.id as tenant_id,
    least(
      %(share)s, t.max_concurrent_runs, greatest(%(least_room)s, t.max_concurrent_runs - coalesce(o.runs, 0))
    ) as runs
  from tenants_tenant t left join owned o on o.tenant_id = t.id
  where t.id = any(%(tenants)s)
)
select due.id
from room
cross join lateral (
  select found.id, found.priority, found.created_at,
    row_number() over (order by found.priority desc, found.created_at, found.id) as turn
  from (
    select * from (
      select r.id, r.priority, r.created_at from runs_run r
      where r.tenant_id = room.tenant_id and r.owner is null and r.wake_at is not null
        and r.status not in ('waiting', 'paused')
        and r.wake_at <= clock_timestamp() - make_interval(secs => %(overdue)s)
        and r.losses between %(least_losses)s and %(most_losses)s
        and r.semantics = any(%(semantics)s) and r.step_types <@ %(step_types)s::text[]
      order by r.priority desc, r.created_at, r.id
      limit greatest(room.runs, 0)
      for no key update skip locked
    ) first_in_line
    union all
    select * from (
      select r.id, r.priority, r.created_at from runs_run r
      where r.tenant_id = room.tenant_id and r.owner is null and r.wake_at is not null
        and r.status in ('waiting', 'paused')
        and r.wake_at <= statement_timestamp() - make_interval(secs => %(overdue)s)
        and r.losses between %(least_losses)s and %(most_losses)s
        and r.semantics = any(%(semantics)s) and r.step_types <@ %(step_types)s::text[]
      order by r.priority desc, r.created_at, r.id
      limit greatest(room.runs, 0)
      for no key update skip locked
    ) awake
  ) found
  order by turn
  limit greatest(room.runs, 0)
) due
order by due.turn, due.priority desc, due.created_at
limit %(limit)s
"""

# To apply a command needs no slot, and no step types.
PICK_SIGNALLED = """
select r.id from runs_run r join tenants_tenant t on t.id = r.tenant_id
where r.owner is null and r.wake_at is not null and r.wake_at <= clock_timestamp() and r.signals_pending
  and r.semantics = any(%s) and t.is_active
order by r.id limit %s
for no key update of r skip locked
"""

# A paused run is also claimed for a wait that is over: it is to be paused again, unless it is resumed meanwhile.
TAKE = """
update runs_run
set owner = %(worker)s, epoch = epoch + 1, wake_at = null, status = 'running', waiting_for = '[]', error = null,
    pause_requested = pause_requested or status = 'paused',
    started_at = coalesce(started_at, statement_timestamp()),
    deadline_at = statement_timestamp() + make_interval(secs => coalesce(seconds_left, timeout_seconds)),
    seconds_left = null
where id = any(%(ids)s)
returning id, tenant_id, revision_id, segment_id, semantics, epoch, case when last_seq = 0 then input::text end,
  last_seq, journal_bytes, digest,
  timeout_seconds, extract(epoch from deadline_at)::float8, losses, signals_pending, traceparent,
  callback_events, extract(epoch from started_at)::float8,
  (select t.slug from tenants_tenant t where t.id = runs_run.tenant_id)
"""

# As the sweep frees the runs of a dead host; the time since the claim was nobody's, but it is short.
DISOWN = """
with unknown as (
  select id from runs_run where owner = %s and id <> all(%s::uuid[]) order by id for no key update
)
update runs_run r
set owner = null, wake_at = clock_timestamp(), deadline_at = null,
    seconds_left = greatest(0, extract(epoch from r.deadline_at - clock_timestamp()))
from unknown where r.id = unknown.id
"""


class ClaimPurpose(Enum):
    """Purposes of a claim. Only runs claimed to be executed have a slot."""

    EXECUTE = auto()
    COMMAND = auto()
    STALL = auto()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run this host owns now. Times are seconds since 1970 of the database's clock.

    ``step_types``: of a run to be stalled, those it needs.
    """

    run_id: UUID
    tenant_id: UUID
    revision_id: UUID
    segment_id: str
    semantics: int
    epoch: int
    input_text: str | None
    last_seq: int
    journal_bytes: int
    digest: bytes
    timeout_seconds: float
    deadline_at: float
    losses: int
    signals_pending: bool
    traceparent: str = ""
    callback_events: Sequence[str] | None = None
    started_at: float = 0.0
    tenant_slug: str = ""
    purpose: ClaimPurpose = ClaimPurpose.EXECUTE
    step_types: tuple[str, ...] = ()


def claim_runs(
    connection: Database,
    *,
    worker_id: UUID,
    room: int,
    without: Sequence[UUID] = (),
    semantics: Sequence[int] = KNOWN_SEMANTICS,
    suspects: bool = False,
    overdue_seconds: float = 0.0,
) -> list[Claimed]:
    """Take up to ``room`` runs that are due, and any number of those that only wait for a command to be applied.

    Tenants in turn, then priority, then age; nobody gets above its cap, also when many hosts claim at once. Nothing of
    an inactive tenant is taken.

    Args:
        connection: Used for one transaction.
        worker_id: The host that takes them.
        room: How many it can take.
        without: Tenants of which it takes none, save for a command.
        semantics: The numbers of the rules it has.
        suspects: Take one run that has lost several owners instead; the host executes nothing beside it.
        overdue_seconds: Take only what has been due for so long.

    Raises:
        HostLost: The host's lease is over.
    """
    with transaction(connection):
        step_types = _step_types_of(connection, worker_id)
        signalled = set() if suspects else _pick_signalled(connection, semantics)
        picked: set[UUID] = set()
        if room > 0:
            picked = _pick(
                connection,
                room=1 if suspects else room,
                without=without,
                semantics=semantics,
                suspects=suspects,
                step_types=step_types,
                overdue_seconds=overdue_seconds,
            )
        rows = _take(connection, worker_id, signalled | picked)
    claimed = [Claimed(*row) for row in rows]
    return [one if one.run_id in picked else replace(one, purpose=ClaimPurpose.COMMAND) for one in claimed]


def _step_types_of(connection: Database, worker_id: UUID) -> list[str]:
    """Read what a host can execute, and keep others from declaring it dead until this transaction ends."""
    alive = connection.execute(STILL_ALIVE, [worker_id]).fetchone()
    if alive is None:
        raise HostLost
    step_types: list[str] = alive[0]
    return step_types


def _take(connection: Database, worker_id: UUID, ids: set[UUID]) -> list[tuple[Any, ...]]:
    if not ids:
        return []
    return connection.execute(TAKE, {"worker": worker_id, "ids": sorted(ids)}).fetchall()


def _pick_signalled(connection: Database, semantics: Sequence[int]) -> set[UUID]:
    found = connection.execute(PICK_SIGNALLED, [list(semantics), SIGNALLED_AT_ONCE]).fetchall()
    return {run_id for (run_id,) in found}


def _pick(
    connection: Database,
    *,
    room: int,
    without: Sequence[UUID],
    semantics: Sequence[int],
    suspects: bool,
    step_types: Sequence[str],
    overdue_seconds: float,
) -> set[UUID]:
    found = connection.execute(TENANTS, [list(without), CLAIM_LOCK]).fetchall()
    tenants = [tenant_id for (tenant_id,) in found]
    if not tenants:
        return set()
    low, high = (LOSSES_TO_BE_ALONE, 32767) if suspects else (0, LOSSES_TO_BE_ALONE - 1)
    asked: dict[str, float | Sequence[UUID] | Sequence[str] | Sequence[int]] = {
        "tenants": tenants,
        # Nobody locks more rows than it may take; what one tenant leaves over goes to the others at the next claim.
        "share": -(-room // len(tenants)),
        "overdue": overdue_seconds,
        # Beside a full queue a suspect would never find a slot; its host gives all others up for it.
        "least_room": 1 if suspects else 0,
        "least_losses": low,
        "most_losses": high,
        "semantics": list(semantics),
        "step_types": step_types,
        "limit": room,
    }
    found = connection.execute(PICK, asked).fetchall()
    return {run_id for (run_id,) in found}


def disown_unknown(connection: Database, *, worker_id: UUID, known: Sequence[UUID]) -> int:
    """Free the runs a host owns without knowing it: the answer to its claim was lost, the claim was not.

    Only for the host itself, while it claims nothing.

    Returns:
        How many runs were freed.
    """
    with transaction(connection):
        return connection.execute(DISOWN, [worker_id, list(known)]).rowcount
