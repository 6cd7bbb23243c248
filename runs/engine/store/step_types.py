"""Queries for step types that no live host has, and for the runs that need them."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from runs.engine.store.claimed import Claimed, ClaimPurpose, read_long_inputs, take
from runs.engine.store.connection import Database, transaction
from runs.engine.store.liveness import check_alive

STALLED_AT_ONCE = 100

# A loose index scan: one probe per set of step types, however many runs need it.
MISSING = """
with recursive needed(hash) as (
  (
    select hash_array_extended(step_types, 0) from runs_run where owner is null and wake_at is not null
    order by hash_array_extended(step_types, 0) limit 1
  )
  union all
  select (
    select hash_array_extended(r.step_types, 0) from runs_run r
    where r.owner is null and r.wake_at is not null and hash_array_extended(r.step_types, 0) > n.hash
    order by hash_array_extended(r.step_types, 0) limit 1
  )
  from needed n where n.hash is not null
)
select waiting.step_types
from needed
cross join lateral (
  select r.step_types from runs_run r join tenants_tenant t on t.id = r.tenant_id
  where r.owner is null and r.wake_at <= statement_timestamp() and hash_array_extended(r.step_types, 0) = needed.hash
    and t.is_active
  order by r.wake_at limit 1
) waiting
where not exists (
  select 1 from runs_worker w where w.lease_until > clock_timestamp() and waiting.step_types <@ w.step_types
)
"""
PICK_STUCK = """
select r.id from runs_run r join tenants_tenant t on t.id = r.tenant_id
where r.owner is null and r.wake_at <= statement_timestamp() and r.step_types = %(step_types)s::text[]
  and hash_array_extended(r.step_types, 0) = hash_array_extended(%(step_types)s::text[], 0) and t.is_active
order by r.wake_at limit %(limit)s
for no key update of r skip locked
"""


def find_missing(connection: Database) -> set[tuple[str, ...]]:
    """Tell which sets of step types runs wait for that no live host has whole."""
    with transaction(connection):
        return {tuple(step_types) for (step_types,) in connection.execute(MISSING).fetchall()}


def claim_stuck(connection: Database, *, worker_id: UUID, step_types: Sequence[str]) -> list[Claimed]:
    """Take runs that are due and need exactly these step types, to stall them; needs no slot.

    Raises:
        HostLost: The host's lease is over.
    """
    with transaction(connection):
        check_alive(connection, worker_id)
        asked = {"step_types": list(step_types), "limit": STALLED_AT_ONCE}
        ids = [run_id for (run_id,) in connection.execute(PICK_STUCK, asked).fetchall()]
        taken = read_long_inputs(connection, take(connection, worker_id, ids))
    return [replace(one, purpose=ClaimPurpose.STALL, step_types=tuple(step_types)) for one in taken]
