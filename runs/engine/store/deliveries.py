"""Deliveries in the database: inserted with their events, claimed by whichever host comes first, settled in batches."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from kernel.turns.fair_threads import SHARE_OF_FREE
from runs.engine.store.connection import Database, columns, transaction
from runs.models import Delivery, DeliveryStatus

URL_LOCK: Final = 0x6C6C6D75
"""First key of the advisory locks of URLs; the second is a hash of the tenant and the URL's hash."""
MAX_CANDIDATES: Final = 200
"""Most deliveries a claim looks at; each may hold a lock."""

# A caller whose run ends at once may not listen yet, as it has just been told that the run began.
INSERT = """
insert into runs_delivery (id, tenant_id, run_id, seq, type, host, url_hash, status, body, next_at, is_claimed, tries,
                           attempts, created_at)
select e.id, c.tenant_id, e.run_id, e.seq, e.type, c.host, c.url_hash, 'pending', '',
  to_timestamp(e.at) + case when e.ends and to_timestamp(e.at) < r.started_at + interval '2 s'
                            then interval '2 s' else interval '0' end,
  false, 0, 0, to_timestamp(e.at)
from unnest(%b::uuid[], %b::uuid[], %b::int[], %b::text[], %b::float8[], %b::bool[])
  as e(id, run_id, seq, type, at, ends)
join runs_runcallback c on c.run_id = e.run_id
join runs_run r on r.id = e.run_id
order by e.id
on conflict (run_id, seq, target) do nothing
"""

# What becomes of human tasks is told the tenant, if it has said where.
NOTIFY = """
insert into runs_delivery (id, tenant_id, run_id, seq, type, target, host, url_hash, status, body, next_at, is_claimed,
                           tries, attempts, created_at)
select e.id, n.tenant_id, e.run_id, e.seq, e.type, 'tenant', n.host, n.url_hash, 'pending', '', to_timestamp(e.at),
  false, 0, 0, to_timestamp(e.at)
from unnest(%b::uuid[], %b::uuid[], %b::int[], %b::text[], %b::float8[])
  as e(id, run_id, seq, type, at)
join runs_run r on r.id = e.run_id
join runs_notificationtarget n on n.tenant_id = r.tenant_id
order by e.id
on conflict (run_id, seq, target) do nothing
"""

# Each target's earliest is looked up in the index of what is pending and not queued, so that a target with a hundred
# thousand costs what one with a single delivery does. Of the targets with something due each tenant's are taken in
# turn; those of an inactive tenant wait. Whoever claims or settles deliveries to a URL holds its lock until it commits,
# so that what the next statement sees of them stands; those to a URL that another host is looking at are left to it.
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
  select t.tenant_id, t.host, row_number() over (partition by t.tenant_id order by t.next_at) as turn
  from target t join tenants_tenant tenant on tenant.id = t.tenant_id and tenant.is_active
  left join busy b on b.tenant_id = t.tenant_id and b.host = t.host
  left join held h on h.tenant_id = t.tenant_id
  where t.next_at <= statement_timestamp() and coalesce(b.sending, 0) < %(per_target)s
    and (h.tenant_id is null or h.sending < %(share)s * (%(room)s - 1))
)
, first_in_line as (
  select * from open order by turn limit %(room)s
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
# gone is still the one under way. A tenant takes another place while it holds fewer than `share` times as many as are
# free then; `in_turn` leaves out first what would be over that if nobody else took any, so that it is in nobody's way.
TAKE = """
with busy as (
  select * from unnest(%(tenants)s::uuid[], %(hosts)s::text[], %(sending)s::int[]) as b(tenant_id, host, sending)
)
, held as (
  select tenant_id, sum(sending) as sending from busy group by tenant_id
)
, candidate as (
  select d.id, d.tenant_id, d.host, d.url_hash, d.is_claimed, d.next_at,
    row_number() over (
      partition by d.tenant_id, d.url_hash, case when d.url_hash = '' then d.id end
      order by d.is_claimed desc, d.next_at, d.id
    ) as place,
    not d.is_claimed and d.url_hash <> '' and exists (
      select 1 from runs_delivery other
      where other.tenant_id = d.tenant_id and other.url_hash = d.url_hash and other.is_claimed and other.url_hash <> ''
    ) as is_behind
  from runs_delivery d where d.id = any(%(candidates)s)
)
, first as (
  select *, row_number() over (partition by tenant_id, host order by next_at, id) as at_host
  from candidate where place = 1 and not is_behind
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
  select *, row_number() over (order by turn, id) as number from open
  where held + turn = 1 or held + turn - 1 < %(share)s * (%(room)s - turn)
)
, picked as (
  select id, tenant_id, url_hash, is_claimed from in_turn
  where number <= %(room)s and (held + turn = 1 or held + turn - 1 < %(share)s * (%(room)s - number))
)
, queued as (
  update runs_delivery d set is_queued = true
  from candidate c
  where d.id = c.id and c.url_hash <> '' and (c.is_behind or c.place > 1 and exists (
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

# A run's output is told only where it is short; the rest of what can be long is cut to size by whoever writes the body.
READ = """
select d.id, d.tenant_id, d.run_id, d.host, d.type, d.body, d.tries, d.attempts, d.target,
  coalesce(c.address, n.address, ''), coalesce(c.runs_url, n.runs_url, ''),
  t.egress_allow_hosts, s.secret, s.secret_before, s.created_at,
  r.segment_id, r.client_reference, r.metadata::text, e.created_at, e.step_id, e.activation,
  case when octet_length(e.payload::text) <= case when d.type = 'segment.completed' then 20000 else 1000000 end
       then e.payload::text end
from runs_delivery d
left join runs_runcallback c on c.run_id = d.run_id and d.target = 'callback'
left join runs_notificationtarget n on n.tenant_id = d.tenant_id and d.target = 'tenant'
join tenants_tenant t on t.id = d.tenant_id
join runs_run r on r.id = d.run_id
join runs_runevent e on e.run_id = d.run_id and e.seq = d.seq
left join tenants_callbacksecret s on s.tenant_id = d.tenant_id
where d.id = any(%s)
"""
WRITE_BODIES = """
update runs_delivery d set body = e.body from unnest(%b::uuid[], %b::text[]) as e(id, body)
where d.id = e.id and d.body = ''
"""
LOG_LOST = """
insert into runs_deliveryattempt (tenant_id, delivery_id, number, at, error_code, response)
select tenant_id, id, attempts - 1, clock_timestamp(), 'HOST_LOST', '' from runs_delivery where id = any(%s)
on conflict (delivery_id, number) do nothing
"""
OF_URLS = """
select id, tenant_id, url_hash, url_hash = '' or pg_try_advisory_xact_lock(%s, hashtext(tenant_id::text || url_hash))
from runs_delivery where id = any(%s)
"""
LOCK = "select id from runs_delivery where id = any(%s) order by id for no key update"

# A delivery somebody else tries meanwhile is theirs to settle, save that it arrived. What the tenant is told goes where
# the tenant is by now.
SETTLE = """
with told as (
  select e.*, d.tenant_id, n.host as host_now, n.url_hash as hash_now from unnest(
    %b::uuid[], %b::int[], %b::text[], %b::float8[], %b::float8[], %b::int[], %b::int[], %b::text[], %b::text[]
  ) as e(id, number, status, delay, at, duration_ms, status_code, error_code, response)
  join runs_delivery d on d.id = e.id
  left join runs_notificationtarget n on n.tenant_id = d.tenant_id and d.target = 'tenant' and e.status = 'pending'
)
, logged as (
  insert into runs_deliveryattempt
    (tenant_id, delivery_id, number, at, duration_ms, status_code, error_code, response)
  select tenant_id, id, number, to_timestamp(at), duration_ms, status_code, error_code, response from told
  on conflict (delivery_id, number) do update
  set at = excluded.at, duration_ms = excluded.duration_ms, status_code = excluded.status_code,
      error_code = excluded.error_code, response = excluded.response
)
update runs_delivery d
set status = told.status, is_claimed = false,
    next_at = case when told.status = 'pending' then clock_timestamp() + make_interval(secs => told.delay) end,
    ended_at = case when told.status <> 'pending' then clock_timestamp() end,
    host = coalesce(told.host_now, d.host), url_hash = coalesce(told.hash_now, d.url_hash)
from told
where d.id = told.id and d.status = 'pending' and (d.attempts = told.number or told.status = 'delivered')
"""
LET_OUT = """
update runs_delivery d set is_queued = false
from (select * from unnest(%s::uuid[], %s::text[]) as l(tenant_id, url_hash)) line
cross join lateral (
  select q.id from runs_delivery q
  where q.tenant_id = line.tenant_id and q.url_hash = line.url_hash and q.is_queued
  order by q.next_at, q.id limit 1
) first
where d.id = first.id
"""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery this host may try until its lease ends, and all that is needed for it. ``tries`` counts this one."""

    delivery_id: UUID
    tenant_id: UUID
    run_id: UUID
    host: str
    type: str
    body: str
    tries: int
    number: int
    target: str
    address: str
    runs_url: str
    allow_hosts: Sequence[str]
    secret: str | None
    secret_before: str | None
    secret_created_at: datetime | None
    segment_id: str
    client_reference: str
    metadata: str
    at: datetime
    step_id: str | None
    activation: int | None
    payload: str | None

    @property
    def webhook_id(self) -> str:
        """The id that the receiver knows it by."""
        return Delivery(id=self.delivery_id).webhook_id


@dataclass(frozen=True, slots=True)
class Settled:
    """Result of a try, and the next state of its delivery. ``at`` in seconds since 1970 of the database's clock."""

    delivery_id: UUID
    number: int
    status: DeliveryStatus
    delay_seconds: float | None
    at: float
    duration_ms: int
    status_code: int | None
    error_code: str
    response: str


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


def read(connection: Database, delivery_ids: Sequence[UUID]) -> list[ClaimedDelivery]:
    """Read what is needed to send deliveries just claimed."""
    rows = connection.execute(READ, [list(delivery_ids)]).fetchall()
    return [ClaimedDelivery(*row) for row in rows]


def write_bodies(connection: Database, bodies: Iterable[tuple[UUID, str]]) -> None:
    """Keep what is about to be sent for the first time."""
    rows = sorted(bodies)
    if rows:
        connection.execute(WRITE_BODIES, columns(rows))


def settle(connection: Database, settled: Sequence[Settled]) -> list[Settled]:
    """Log tries and say what becomes of their deliveries, in a transaction of its own. May be repeated.

    Returns:
        What is to be settled later: another host is looking at its URL.
    """
    with transaction(connection):
        asked = [URL_LOCK, [one.delivery_id for one in settled]]
        rows = connection.execute(OF_URLS, asked).fetchall()
        mine = {row[0] for row in rows if row[3]}
        others = {row[0] for row in rows if not row[3]}
        ending = [one for one in settled if one.delivery_id in mine]
        if ending:
            connection.execute(LOCK, [sorted(mine)])
            connection.execute(SETTLE, columns([_settled_row(one) for one in ending]))
            urls = sorted({(row[1], row[2]) for row in rows if row[3] and row[2]})
            connection.execute(LET_OUT, columns(urls) or [[], []])
    return [one for one in settled if one.delivery_id in others]


def _settled_row(one: Settled) -> tuple[Any, ...]:
    return (
        one.delivery_id,
        one.number,
        one.status.value,
        one.delay_seconds,
        one.at,
        one.duration_ms,
        one.status_code,
        one.error_code,
        one.response,
    )
