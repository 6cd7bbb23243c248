"""Claims of deliveries: what is due is taken by whichever host comes first, one at a time to each URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kernel.turns.fair_threads import SHARE_OF_FREE
from runs.callbacks.lanes import URL_LOCK
from runs.engine.store.connection import Database

MAX_CANDIDATES: Final = 200
"""Most deliveries a claim looks at; each may hold a lock."""

# Each target's earliest is looked up in the index of what is pending and not queued, so that a target with a hundred
# thousand costs what one with a single delivery does. Of the targets with something due those of the tenant come first
# of whose deliveries fewest are under way for its weight; among equals chance decides, by weight, so that no tenant's
# place in the index counts. Those of an inactive tenant wait. Whoever claims or settles deliveries to a URL holds its
# lock until it commits, so that what the next statement sees of them stands; those to a URL that another host is
# looking at are left to it.
FIND = """
with recursive target as (
  (
    select tenant_id, host, next_at from runs_delivery where status = 'pending' and not is_queued
    order by tenant_id, host, next_at limit 1
  )
  union all
  select following.tenant_id, following.host, following.next_at from target t
  cross join lateral (
    select d.tenant_id, d.host, d.next_at from runs_delivery d
    where d.status = 'pending' and not d.is_queued and (d.tenant_id, d.host) > (t.tenant_id, t.host)
    order by d.tenant_id, d.host, d.next_at limit 1
  ) following
)
, busy as (
  select * from unnest(%(tenants)s::uuid[], %(hosts)s::text[], %(sending)s::int[]) as b(tenant_id, host, sending)
)
, held as (
  select tenant_id, sum(sending) as sending from busy group by tenant_id
)
, open as (
  select t.tenant_id, t.host, tenant.weight::float8 as weight,
    coalesce(h.sending, 0) + row_number() over (partition by t.tenant_id order by t.next_at) as turn
  from target t join tenants_tenant tenant on tenant.id = t.tenant_id and tenant.is_active
  left join busy b on b.tenant_id = t.tenant_id and b.host = t.host
  left join held h on h.tenant_id = t.tenant_id
  where t.next_at <= statement_timestamp() and coalesce(b.sending, 0) < %(per_target)s
    and (h.tenant_id is null or h.sending < %(share)s * (%(room)s - 1))
)
, first_in_line as (
  select * from open order by (turn - 1) / weight, ln(1 - random()) / -weight limit %(room)s
)
, due as (
  select found.id, found.tenant_id, found.url_hash,
    row_number() over (partition by found.tenant_id order by found.next_at, found.id) as turn
  from first_in_line f
  cross join lateral (
    select d.id, d.tenant_id, d.url_hash, d.next_at from runs_delivery d
    where d.status = 'pending' and not d.is_queued and d.tenant_id = f.tenant_id and d.host = f.host
      and d.next_at <= statement_timestamp()
    order by d.next_at limit %(room)s
    for no key update skip locked
  ) found
)
, seen as materialized (
  select * from due order by turn, id limit %(most)s
)
, candidate as (
  select id from seen
  where url_hash = '' or pg_try_advisory_xact_lock(%(lock)s, hashtext(tenant_id::text || url_hash))
)
select candidate.id,
  (select extract(epoch from min(next_at) - statement_timestamp())::float8 from target
   where next_at > statement_timestamp())
from (select 1) always left join candidate on true
"""

# To each URL the earliest goes, save where another is under way; what is due behind it is queued. One whose host is
# gone is still the one under way. Of one run an endpoint is told in order: what comes behind an event that is still
# pending is held, in the queue too. A tenant takes another place while it holds fewer than `share` times as many as are
# free then; `in_turn` leaves out first what would be over that if nobody else took any, so that it is in nobody's way.
TAKE = """
with busy as (
  select * from unnest(%(tenants)s::uuid[], %(hosts)s::text[], %(sending)s::int[]) as b(tenant_id, host, sending)
)
, held as (
  select tenant_id, sum(sending) as sending from busy group by tenant_id
)
, candidate as (
  select d.*,
    row_number() over (
      partition by d.tenant_id, d.url_hash, case when d.url_hash = '' then d.id end
      order by d.is_claimed desc, d.is_held, d.next_at, d.id
    ) as place,
    not d.is_claimed and d.url_hash <> '' and exists (
      select 1 from runs_delivery other
      where other.tenant_id = d.tenant_id and other.url_hash = d.url_hash and other.is_claimed and other.url_hash <> ''
    ) as is_behind
  from (
    select d.id, d.tenant_id, d.host, d.url_hash, d.is_claimed, d.next_at,
      not d.is_claimed and d.endpoint_id is not null and exists (
        select 1 from runs_delivery earlier
        where earlier.endpoint_id = d.endpoint_id and earlier.run_id = d.run_id and earlier.sequence < d.sequence
          and earlier.status = 'pending'
      ) as is_held
    from runs_delivery d where d.id = any(%(candidates)s)
  ) d
)
, first as (
  select *, row_number() over (partition by tenant_id, host order by next_at, id) as at_host
  from candidate where place = 1 and not is_behind and not is_held
)
, open as (
  select f.*, coalesce(h.sending, 0) as held,
    row_number() over (partition by f.tenant_id order by f.next_at, f.id) as turn
  from first f
  left join busy b on b.tenant_id = f.tenant_id and b.host = f.host
  left join held h on h.tenant_id = f.tenant_id
  where f.at_host <= %(per_target)s - coalesce(b.sending, 0)
)
, in_turn as (
  select open.*, row_number() over (order by (held + turn - 1) / t.weight, open.id) as number
  from open join tenants_tenant t on t.id = open.tenant_id
  where held + turn = 1 or held + turn - 1 < %(share)s * (%(room)s - turn)
)
, picked as (
  select id, tenant_id, url_hash, is_claimed from in_turn
  where number <= %(room)s and (held + turn = 1 or held + turn - 1 < %(share)s * (%(room)s - number))
)
, queued as (
  update runs_delivery d set is_queued = true
  from candidate c
  where d.id = c.id and c.url_hash <> '' and (c.is_behind or c.is_held or c.place > 1 and exists (
    select 1 from picked p where p.tenant_id = c.tenant_id and p.url_hash = c.url_hash
  ))
  returning d.id
)
, taken as (
  update runs_delivery d
  set is_claimed = true, tries = d.tries + 1, attempts = d.attempts + 1,
      next_at = clock_timestamp() + make_interval(secs => %(lease)s)
  from picked where d.id = picked.id
  returning d.id, picked.is_claimed
)
select taken.id, taken.is_claimed, exists (select 1 from queued)
from (select 1) always left join taken on true
"""

LOG_LOST = """
insert into runs_deliveryattempt (tenant_id, delivery_id, number, at, error_code, response)
select tenant_id, id, attempts - 1, clock_timestamp(), 'HOST_LOST', '' from runs_delivery where id = any(%s)
on conflict (delivery_id, number) do nothing
"""


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """Claimed deliveries, and the seconds until the next one is due, if any is.

    ``has_queued``: it has put deliveries into queues, and there may be others behind them.
    """

    taken: Sequence[UUID]
    lost: Sequence[UUID]
    has_queued: bool
    next_due_seconds: float | None


def claim(
    connection: Database,
    *,
    busy: Mapping[tuple[UUID, str], int],
    room: int,
    per_target: int,
    lease_seconds: float,
) -> DeliveryClaim:
    """Take up to ``room`` deliveries that are due, one to a URL, inside the caller's transaction.

    No tenant takes all the room: it is shared as threads are (``kernel.turns.fair_threads``).

    Args:
        connection: With a transaction open.
        busy: How many this host is sending, by tenant and target.
        room: How many more it may send.
        per_target: How many it may send to one target of one tenant at a time.
        lease_seconds: When they count as lost.
    """
    targets = list(busy)
    asked = {
        "tenants": [tenant_id for tenant_id, _ in targets],
        "hosts": [host for _, host in targets],
        "sending": list(busy.values()),
        "per_target": per_target,
        "room": room,
        "share": SHARE_OF_FREE,
        "lease": lease_seconds,
        "lock": URL_LOCK,
        "most": MAX_CANDIDATES,
    }
    found = connection.execute(FIND, asked).fetchall()
    asked["candidates"] = [delivery_id for delivery_id, _ in found if delivery_id is not None]
    next_due_seconds = found[0][1]
    if not asked["candidates"]:
        return DeliveryClaim((), (), False, next_due_seconds)
    rows = connection.execute(TAKE, asked).fetchall()
    taken = [row for row in rows if row[0] is not None]
    lost = [delivery_id for delivery_id, was_claimed, _ in taken if was_claimed]
    if lost:
        connection.execute(LOG_LOST, [lost])
    return DeliveryClaim([row[0] for row in taken], lost, rows[0][2], next_due_seconds)
