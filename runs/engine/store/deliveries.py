"""Deliveries in the database: inserted with their events, read to be sent, settled in batches.

Those to webhook endpoints are inserted by ``runs.engine.store.hand_outs``; from there on all are alike.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from runs.callbacks.lanes import URL_LOCK
from runs.engine.store.connection import Database, columns, transaction
from runs.models import Delivery, DeliveryStatus

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
on conflict (run_id, seq, target) where endpoint_id is null do nothing
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
on conflict (run_id, seq, target) where endpoint_id is null do nothing
"""

# A run's output is told only where it is short; the rest of what can be long is cut to size by whoever writes the body.
# An endpoint that is gone, disabled or deleted has no address any more, save for a test, which has no sequence.
READ = """
select d.id, d.tenant_id, d.run_id, d.endpoint_id, d.host, d.type, d.body, d.tries, d.attempts, d.target,
  coalesce(c.address, n.address,
           case when w.deleted_at is null and (not w.is_gone and w.disabled_at is null or d.sequence is null)
                then w.address end, ''),
  coalesce(c.runs_url, n.runs_url, ''),
  t.egress_allow_hosts, coalesce(w.secret, s.secret), coalesce(w.secret_before, s.secret_before),
  coalesce(w.secret_at, s.created_at),
  r.segment_id, r.client_reference, r.metadata::text, coalesce(e.created_at, d.created_at), e.step_id, e.activation,
  case when octet_length(e.payload::text) <= case when d.type = 'segment.completed' then 20000 else 1000000 end
       then e.payload::text end
from runs_delivery d
left join runs_runcallback c on c.run_id = d.run_id and d.target = 'callback'
left join runs_notificationtarget n on n.tenant_id = d.tenant_id and d.target = 'tenant'
left join runs_webhookendpoint w on w.id = d.endpoint_id
join tenants_tenant t on t.id = d.tenant_id
left join runs_run r on r.id = d.run_id and d.body = ''
left join runs_runevent e on e.run_id = d.run_id and e.seq = d.seq and d.body = ''
left join tenants_callbacksecret s on s.tenant_id = d.tenant_id and d.endpoint_id is null
where d.id = any(%s)
"""
WRITE_BODIES = """
update runs_delivery d set body = e.body from unnest(%b::uuid[], %b::text[]) as e(id, body)
where d.id = e.id and d.body = ''
"""
OF_URLS = """
select id, tenant_id, url_hash, endpoint_id is not null,
  url_hash = '' or pg_try_advisory_xact_lock(%s, hashtext(tenant_id::text || url_hash))
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
# The health of endpoints: since when every try fails. What is sent again by request, once, leaves it as it is (it is
# exhausted at once), and so do tests. 410 asks for the endpoint to be disabled.
TELL_HEALTH = """
update runs_webhookendpoint w
set failing_since = case when not told.is_well then coalesce(w.failing_since, to_timestamp(told.at)) end,
    noticed_days = case when told.is_well then 0 else w.noticed_days end,
    is_gone = told.is_gone
from (
  select d.endpoint_id, bool_or(e.status = 'delivered') as is_well, bool_or(e.status = 'refused') as is_gone,
    min(e.at) as at
  from unnest(%b::uuid[], %b::text[], %b::text[], %b::float8[]) as e(id, status, error_code, at)
  join runs_delivery d on d.id = e.id and d.sequence is not null
  where e.status in ('delivered', 'pending', 'refused') or e.error_code = 'EGRESS_BLOCKED'
  group by d.endpoint_id
) told
where w.id = told.endpoint_id
  and case when told.is_well then w.failing_since is not null else w.failing_since is null or told.is_gone end
  and w.disabled_at is null and w.deleted_at is null
"""
# What is behind an event of its run that is still pending stays (``delivery_claims.TAKE``).
LET_OUT = """
update runs_delivery d set is_queued = false
from (select * from unnest(%s::uuid[], %s::text[]) as l(tenant_id, url_hash)) line
cross join lateral (
  select q.id from runs_delivery q
  where q.tenant_id = line.tenant_id and q.url_hash = line.url_hash and q.is_queued
    and not (q.endpoint_id is not null and exists (
      select 1 from runs_delivery earlier
      where earlier.endpoint_id = q.endpoint_id and earlier.run_id = q.run_id and earlier.sequence < q.sequence
        and earlier.status = 'pending'
    ))
  order by q.next_at, q.id limit 1
) first
where d.id = first.id
"""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery this host may try until its lease ends, and all that is needed for it. ``tries`` counts this one.

    What tells of the event (from ``segment_id`` on) is there where there is no ``body`` yet.
    """

    delivery_id: UUID
    tenant_id: UUID
    run_id: UUID | None
    endpoint_id: UUID | None
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
class SettledDelivery:
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


def read(connection: Database, delivery_ids: Sequence[UUID]) -> list[ClaimedDelivery]:
    """Read what is needed to send deliveries just claimed."""
    rows = connection.execute(READ, [list(delivery_ids)]).fetchall()
    return [ClaimedDelivery(*row) for row in rows]


def write_bodies(connection: Database, bodies: Iterable[tuple[UUID, str]]) -> None:
    """Keep what is about to be sent for the first time."""
    rows = sorted(bodies)
    if rows:
        connection.execute(WRITE_BODIES, columns(rows))


def settle(connection: Database, settled: Sequence[SettledDelivery]) -> list[SettledDelivery]:
    """Log tries and say what becomes of their deliveries, in a transaction of its own. May be repeated.

    Returns:
        What is to be settled later: another host is looking at its URL.
    """
    with transaction(connection):
        asked = [URL_LOCK, [one.delivery_id for one in settled]]
        rows = connection.execute(OF_URLS, asked).fetchall()
        mine = {row[0] for row in rows if row[4]}
        others = {row[0] for row in rows if not row[4]}
        ending = [one for one in settled if one.delivery_id in mine]
        if ending:
            connection.execute(LOCK, [sorted(mine)])
            connection.execute(SETTLE, columns([_settled_row(one) for one in ending]))
            urls = sorted({(row[1], row[2]) for row in rows if row[4] and row[2]})
            connection.execute(LET_OUT, columns(urls) or [[], []])
            _tell_health(connection, ending, {row[0] for row in rows if row[3]})
    return [one for one in settled if one.delivery_id in others]


def _tell_health(connection: Database, settled: Sequence[SettledDelivery], of_endpoints: Set[UUID]) -> None:
    told = [one for one in settled if one.delivery_id in of_endpoints]
    if told:
        rows = sorted((one.delivery_id, one.status.value, one.error_code, one.at) for one in told)
        connection.execute(TELL_HEALTH, columns(rows))


def _settled_row(one: SettledDelivery) -> tuple[Any, ...]:
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
