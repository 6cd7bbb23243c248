"""Choice of the runs of a claim: fairly between tenants, each below its cap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, NamedTuple
from uuid import UUID

from kernel.turns.turn_order import TurnOrder
from kernel.turns.water_filling import RoomAsker, fill
from runs.engine.store.concurrency import UNLIMITED, concurrency_caps
from runs.engine.store.connection import Database

LOSSES_TO_BE_ALONE: Final = 3
LOSSES_TO_STALL: Final = 5
MIN_TENANTS: Final = 64
"""Fewest tenants that a claim looks at where there are as many: those who wait longest are to come among them soon."""

# Loose index scans: one probe per tenant with work, however long its queue, and one per tenant with parked runs, whose
# first tells whether any is due. Runs of inactive tenants stand still. Who owns least for its weight comes first, of
# equals any. The last two columns are an operator's limit, read here so that it holds at the next claim.
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
, found as materialized (
  select tenant_id from queued where tenant_id is not null
  union
  select tenant_id from parked where wake_at <= clock_timestamp()
)
, owned as materialized (
  select tenant_id, count(*) as runs, count(*) filter (where owner = %(worker)s) as here
  from runs_run where owner is not null group by tenant_id
)
select t.id, t.weight::float8, coalesce(o.runs, 0), coalesce(o.here, 0),
  (select count(*) from (select from tenants_tenant where is_active limit 2) active) > 1,
  own.limit is not null, own.value
from found f join tenants_tenant t on t.id = f.tenant_id left join owned o on o.tenant_id = t.id
left join tenants_limitoverride own on own.tenant_id = t.id and own.limit = 'concurrent_runs'
where t.is_active and t.id <> all(%(without)s::uuid[])
order by coalesce(o.runs, 0) / t.weight, random()
limit %(limit)s
"""

# The queue stands in its index in order; of the parked, those that woke are sorted. Only a time that stands still while
# the statement runs is looked up in their index, so not clock_timestamp.
PICK = """
select room.tenant_id, due.id
from unnest(%(tenants)s::uuid[], %(numbers)s::int[]) as room(tenant_id, runs)
cross join lateral (
  select found.id, row_number() over (order by found.priority desc, found.created_at, found.id) as turn
  from (
    select * from (
      select r.id, r.priority, r.created_at from runs_run r
      where r.tenant_id = room.tenant_id and r.owner is null and r.wake_at is not null
        and r.status not in ('waiting', 'paused')
        and r.wake_at <= clock_timestamp() - make_interval(secs => %(overdue)s)
        and r.losses between %(least_losses)s and %(most_losses)s
        and r.semantics = any(%(semantics)s) and r.step_types <@ %(step_types)s::text[]
      order by r.priority desc, r.created_at, r.id
      limit room.runs
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
      limit room.runs
      for no key update skip locked
    ) awake
  ) found
  order by turn
  limit room.runs
) due
order by room.tenant_id, due.turn
"""


# Of runs that are locked: their input, which is in memory twice for a moment, or their journal. What is not compressed
# has its size without being read.
SIZES = """
select id, case
    when last_seq > 0 then journal_bytes
    when pg_column_compression(input) is null then 2 * coalesce(pg_column_size(input), 0)
    else 2 * octet_length(input::text)
  end
from runs_run where id = any(%s)
"""


class MemoryRoom(NamedTuple):
    """Memory for runs to be claimed: ``sure`` of them fit whatever they bring, more only within ``size`` bytes."""

    sure: int
    size: int


@dataclass(slots=True)
class ClaimingHost:
    """A host that claims: what one tenant may own on it, and whose turn it is among tenants that are equal otherwise.

    Attributes:
        worker_id: Its id.
        most_of_one: Runs of one tenant that it executes at most while others exist; None: as many as there is room for.
        memory: What it has for runs; None: room for all.
        order: Kept from claim to claim.
    """

    worker_id: UUID
    most_of_one: int | None = None
    memory: MemoryRoom | None = None
    order: TurnOrder = field(default_factory=TurnOrder)


class _TenantWithWork(NamedTuple):
    """A tenant with due runs: how many it owns, on all hosts and on this one, and may own."""

    tenant_id: UUID
    weight: float
    owned: int
    owned_here: int
    has_others: bool
    cap: int


@dataclass(frozen=True, slots=True)
class WantedRuns:
    """Kind of due runs that a claim looks for."""

    semantics: Sequence[int]
    step_types: Sequence[str]
    suspects: bool
    overdue_seconds: float


def pick_runs(
    connection: Database, host: ClaimingHost, room: int, without: Sequence[UUID], wanted: WantedRuns
) -> set[UUID]:
    """Choose runs to be executed, fairly.

    Each of the tenants looked at is given a first place before one is given more than those behind them own. So it is
    enough to look at as many as there are places, save where too many of them have nothing that may be claimed.
    """
    limit = max(MIN_TENANTS, 2 * room)
    tenants = _tenants_with_work(connection, host, without, limit=limit)
    picked, empty = _pick_of(connection, tenants, room, host, wanted)
    if len(tenants) == limit and limit - empty < room:
        tenants = _tenants_with_work(connection, host, without, limit=None)
        picked, _ = _pick_of(connection, tenants, room, host, wanted)
    if host.memory is not None:
        picked = _within(connection, picked, host.memory)
    weights = {one.tenant_id: one.weight for one in tenants}
    host.order.serve({tenant_id: len(runs) / weights[tenant_id] for tenant_id, runs in picked.items()})
    return {run_id for runs in picked.values() for run_id in runs}


def _pick_of(
    connection: Database, tenants: Sequence[_TenantWithWork], room: int, host: ClaimingHost, wanted: WantedRuns
) -> tuple[dict[UUID, list[UUID]], int]:
    """Choose runs of these tenants; tells also how many may have none, or had none when looked for.

    How much a tenant has to claim is known only once it was looked for. What those leave over who have less is given to
    the others, until all that is given is there. Every round looks for some more than the one before: many tenants
    without anything that this host can execute take few rounds.
    """
    askers = {
        one.tenant_id: RoomAsker(one.weight, one.owned, _most_of(one, host, wanted), host.order.place_of(one.tenant_id))
        for one in tenants
    }
    found: dict[UUID, list[UUID]] = {tenant_id: [] for tenant_id in askers}
    given = sought = _fill(room, askers)
    spare = 1
    while sought:
        sought = {tenant_id: number for tenant_id, number in sought.items() if number > len(found[tenant_id])}
        found |= _find(connection, sought, wanted)
        have_no_more = {
            tenant_id: askers[tenant_id]._replace(most=len(found[tenant_id]))
            for tenant_id, number in sought.items()
            if len(found[tenant_id]) < number
        }
        if not have_no_more:
            break
        askers |= have_no_more
        given = _fill(room, askers)
        if all(len(found[tenant_id]) >= number for tenant_id, number in given.items()):
            break
        sought = _fill(room + spare, askers)
        spare *= 2
    picked = {tenant_id: found[tenant_id][:number] for tenant_id, number in given.items()}
    return picked, sum(one.most <= 0 for one in askers.values())


def _within(connection: Database, picked: dict[UUID, list[UUID]], memory: MemoryRoom) -> dict[UUID, list[UUID]]:
    """Leave out what may not fit: everybody's first run goes before anybody's second; the first one always stays."""
    turns = [
        (tenant_id, run_id)
        for turn in zip_longest(*([(tenant_id, run_id) for run_id in runs] for tenant_id, runs in picked.items()))
        for tenant_id, run_id in filter(None, turn)
    ]
    if len(turns) <= memory.sure:
        return picked
    sizes: dict[UUID, int] = dict(connection.execute(SIZES, [[run_id for _, run_id in turns]]).fetchall())
    kept: dict[UUID, list[UUID]] = {}
    left = memory.size
    for number, (tenant_id, run_id) in enumerate(turns):
        left -= sizes[run_id]
        if left < 0 and number >= max(1, memory.sure):
            break
        kept.setdefault(tenant_id, []).append(run_id)
    return kept


def _tenants_with_work(
    connection: Database, host: ClaimingHost, without: Sequence[UUID], *, limit: int | None
) -> list[_TenantWithWork]:
    asked = {"worker": host.worker_id, "without": list(without), "limit": limit}
    rows = connection.execute(TENANTS, asked).fetchall()
    caps = concurrency_caps(connection, [tenant_id for tenant_id, *_ in rows])
    return [
        _TenantWithWork(one, weight, owned, here, others, (UNLIMITED if value is None else value) if is_set else cap)
        for (one, weight, owned, here, others, is_set, value), cap in zip(rows, caps, strict=True)
    ]


def _most_of(tenant: _TenantWithWork, host: ClaimingHost, wanted: WantedRuns) -> int:
    """Tell how many more runs of a tenant the host may take.

    Beside a full queue a suspect would never find a slot; its host gives all others up for it.
    """
    if wanted.suspects:
        return min(1, tenant.cap)
    most = tenant.cap - tenant.owned
    if tenant.has_others and host.most_of_one is not None:
        most = min(most, host.most_of_one - tenant.owned_here)
    return most


def _fill(room: int, askers: Mapping[UUID, RoomAsker]) -> dict[UUID, int]:
    """Give room away; those who get none are left out."""
    return {one: number for one, number in zip(askers, fill(room, list(askers.values())), strict=True) if number}


def _find(connection: Database, sought: Mapping[UUID, int], wanted: WantedRuns) -> dict[UUID, list[UUID]]:
    """Lock so many of the first due runs of each tenant; gives them in their order, none where there is none."""
    low, high = (LOSSES_TO_BE_ALONE, 32767) if wanted.suspects else (0, LOSSES_TO_BE_ALONE - 1)
    asked: dict[str, float | Sequence[UUID] | Sequence[str] | Sequence[int]] = {
        "tenants": list(sought),
        "numbers": list(sought.values()),
        "overdue": wanted.overdue_seconds,
        "least_losses": low,
        "most_losses": high,
        "semantics": list(wanted.semantics),
        "step_types": wanted.step_types,
    }
    found: dict[UUID, list[UUID]] = {tenant_id: [] for tenant_id in sought}
    for tenant_id, run_id in connection.execute(PICK, asked).fetchall():
        found[tenant_id].append(run_id)
    return found
