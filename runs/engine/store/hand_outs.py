"""Events of tenants as they are handed to webhook endpoints: read behind the tenant's place, inserted as deliveries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from kernel.ids import new_id
from runs.engine.store.connection import Database, columns
from runs.webhooks.bounds import CHECKPOINT_PACE
from runs.webhooks.event_types import OF_ENTRIES
from runs.webhooks.matching import EndpointFilter, OutgoingEvent

FEEDS = """
select f.tenant_id, exists (
  select 1 from runs_runevent e
  where e.tenant_id = f.tenant_id and e.transaction >= f.transaction
    and (e.transaction, e.run_id, e.seq) > (f.transaction, f.run_id, f.seq)
) or f.reads_audit and exists (
  select 1 from (
    select c.id, c.size from audit_logcheckpoint c where c.log_id = f.tenant_id order by c.id desc limit 1
  ) newest
  where newest.size > f.entries
    or newest.id > f.checkpoint and coalesce(f.checkpoint_at, '-infinity') <= clock_timestamp() - %s
)
from runs_webhookfeed f
"""
# Whoever holds the row hands out; others leave the tenant to it.
LOCK_FEED = """
select transaction::text, run_id, seq, entries, checkpoint,
  coalesce(checkpoint_at, '-infinity') <= clock_timestamp() - %s, reads_audit
from runs_webhookfeed where tenant_id = %s for update skip locked
"""
HORIZON = "select pg_snapshot_xmin(pg_current_snapshot())::text"
FILTERS = """
select id, event_types, segments, severity, is_thin, runs_url, since::text from runs_webhookendpoint
where tenant_id = %s and deleted_at is null and disabled_at is null order by id
"""
# Nothing at or beyond the oldest unfinished transaction: what could still appear before it would never be read.
EVENTS = """
select e.type, e.created_at, case when e.bytes <= case when e.type = any(%(short)s) then 1000000 else 20000 end
       then e.payload::text end,
  e.transaction::text, e.run_id, e.seq, r.segment_id, r.client_reference, r.metadata::text, e.step_id, e.activation
from (
  select * from runs_runevent
  where tenant_id = %(tenant)s and transaction >= %(transaction)s::xid8 and transaction < %(horizon)s::xid8
    and (transaction, run_id, seq) > (%(transaction)s::xid8, %(run)s, %(seq)s) and type = any(%(types)s)
  order by transaction, run_id, seq limit %(most)s
) e
join runs_run r on r.id = e.run_id
order by e.transaction, e.run_id, e.seq
"""
HELD_BACK = """
select exists (
  select 1 from runs_runevent where tenant_id = %s and transaction >= %s::xid8 and type = any(%s)
)
"""
# The newest checkpoint says up to which entry the log is sealed.
CHECKPOINT = """
select c.id, c.size, c.note, to_timestamp(c.signed_at), l.origin
from audit_logcheckpoint c join audit_auditlog l on l.id = c.log_id
where c.log_id = %s order by c.id desc limit 1
"""
ENTRIES = """
select e.action, e.created_at, e.after::text
from audit_sealedentry s join audit_entry e on e.id = s.entry_id
where s.log_id = %s and s.n >= %s and s.n < %s and e.action = any(%s) order by s.n
"""
# Sequences are counted under these locks; who was disabled or deleted meanwhile is not told.
LOCK_ENDPOINTS = """
select id, sequence, host, url_hash, (
  select count(*) from (
    select 1 from runs_delivery d where d.endpoint_id = w.id and d.status = 'pending' limit %(most)s
  ) waiting
)
from runs_webhookendpoint w where id = any(%(ids)s) and deleted_at is null and disabled_at is null
order by id for no key update
"""
INSERT = """
insert into runs_delivery (id, tenant_id, endpoint_id, sequence, run_id, seq, type, target, host, url_hash, body,
                           created_at, status, next_at, ended_at, is_claimed, tries, attempts)
select e.id, %b, e.endpoint_id, e.sequence, e.run_id, e.seq, e.type, 'endpoint', e.host, e.url_hash, e.body, e.at,
  case when e.is_full then 'blocked' else 'pending' end, case when not e.is_full then e.at end,
  case when e.is_full then clock_timestamp() end, false, 0, 0
from unnest(%b::uuid[], %b::uuid[], %b::bigint[], %b::uuid[], %b::int[], %b::text[], %b::text[], %b::text[],
            %b::text[], %b::timestamptz[], %b::bool[])
  as e(id, endpoint_id, sequence, run_id, seq, type, host, url_hash, body, at, is_full)
"""
LOG_FULL = """
insert into runs_deliveryattempt (tenant_id, delivery_id, number, at, error_code, response)
select %s, e.id, 0, clock_timestamp(), 'ENDPOINT_FULL', '' from unnest(%s::uuid[]) as e(id)
"""
COUNT = """
update runs_webhookendpoint w set sequence = e.sequence
from unnest(%s::uuid[], %s::bigint[]) as e(id, sequence) where w.id = e.id
"""
ADVANCE = """
update runs_webhookfeed set transaction = %s::xid8, run_id = %s, seq = %s, entries = %s, checkpoint = %s,
  checkpoint_at = case when checkpoint <> %s then clock_timestamp() else checkpoint_at end
where tenant_id = %s
"""


class SubscribedTenant(NamedTuple):
    """A tenant with endpoints, and whether its runs or its audit have recorded more."""

    tenant_id: UUID
    has_news: bool


class FeedPlace(NamedTuple):
    """Place up to which a tenant's events are handed out. The first three are of runs, the rest of the audit.

    ``may_tell_checkpoint``: the last one was told a minute ago, or longer.
    """

    transaction: str
    run_id: UUID
    seq: int
    entries: int
    checkpoint: int
    may_tell_checkpoint: bool
    reads_audit: bool


class AuditCheckpoint(NamedTuple):
    """A signed checkpoint of a tenant's audit log."""

    checkpoint_id: int
    size: int
    note: str
    at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class LockedEndpoint:
    """An endpoint whose sequence nobody else counts until the transaction ends; ``waiting``: events it has to get."""

    endpoint_id: UUID
    sequence: int
    host: str
    url_hash: str
    waiting: int


@dataclass(frozen=True, slots=True)
class HandedEvent:
    """An event in an endpoint's row. ``is_full``: too many wait for it, so that it is kept and not sent."""

    endpoint: LockedEndpoint
    sequence: int
    event: OutgoingEvent
    body: str
    is_full: bool


def read_feeds(connection: Database) -> list[SubscribedTenant]:
    """Read which tenants have endpoints."""
    return [SubscribedTenant(*row) for row in connection.execute(FEEDS, [CHECKPOINT_PACE]).fetchall()]


def lock_feed(connection: Database, tenant_id: UUID) -> FeedPlace | None:
    """Lock a tenant's place; None where another host has it, or the tenant has no endpoints any more."""
    row = connection.execute(LOCK_FEED, [CHECKPOINT_PACE, tenant_id]).fetchone()
    return None if row is None else FeedPlace(*row)


def read_horizon(connection: Database) -> str:
    """Read the oldest transaction that is not over."""
    return str(_value(connection, HORIZON, []))


def read_filters(connection: Database, tenant_id: UUID) -> list[EndpointFilter]:
    """Read what the endpoints of a tenant ask for."""
    rows = connection.execute(FILTERS, [tenant_id]).fetchall()
    return [
        EndpointFilter(endpoint_id, frozenset(types), frozenset(segments), severity, is_thin, runs_url, int(since))
        for endpoint_id, types, segments, severity, is_thin, runs_url, since in rows
    ]


def read_events(
    connection: Database,
    tenant_id: UUID,
    *,
    place: FeedPlace,
    horizon: str,
    types: Collection[str],
    short_types: Collection[str],
    most: int,
) -> list[OutgoingEvent]:
    """Read the next events of a tenant's runs. Payloads are left out where they are long.

    Args:
        connection: With a transaction open.
        tenant_id: Whose.
        place: Behind which.
        horizon: Before which transaction; from an earlier statement.
        types: Which types.
        short_types: Those of which more of the payload is read, as what is told of them is cut to size.
        most: How many.
    """
    asked = {
        "tenant": tenant_id,
        "transaction": place.transaction,
        "run": place.run_id,
        "seq": place.seq,
        "horizon": horizon,
        "types": list(types),
        "short": list(short_types),
        "most": most,
    }
    return [_event(row) for row in connection.execute(EVENTS, asked).fetchall()]


def read_checkpoint(connection: Database, tenant_id: UUID) -> AuditCheckpoint | None:
    """Read the newest checkpoint of a tenant's audit log; None before there is any."""
    row = connection.execute(CHECKPOINT, [tenant_id]).fetchone()
    return None if row is None else AuditCheckpoint(*row)


def read_entries(connection: Database, tenant_id: UUID, *, first: int, end: int) -> list[OutgoingEvent]:
    """Read the entries of a tenant's audit log that are events of endpoints, from one place to before another."""
    rows = connection.execute(ENTRIES, [tenant_id, first, end, list(OF_ENTRIES)]).fetchall()
    return [OutgoingEvent(action, at, {"licence": orjson.loads(after or "null")}) for action, at, after in rows]


def is_held_back(connection: Database, tenant_id: UUID, *, horizon: str, types: Collection[str]) -> bool:
    """Whether events are there that an unfinished transaction keeps from being read."""
    return bool(_value(connection, HELD_BACK, [tenant_id, horizon, list(types)]))


def lock_endpoints(connection: Database, endpoint_ids: Collection[UUID], *, most: int) -> dict[UUID, LockedEndpoint]:
    """Lock endpoints to count on; of those that are disabled or deleted by now nothing is returned."""
    rows = connection.execute(LOCK_ENDPOINTS, {"ids": sorted(endpoint_ids), "most": most}).fetchall()
    return {row[0]: LockedEndpoint(*row) for row in rows}


def insert_deliveries(connection: Database, tenant_id: UUID, handed: Sequence[HandedEvent]) -> None:
    """Insert what endpoints are to be told, and count it."""
    rows = [_row(one) for one in handed]
    connection.execute(INSERT, [tenant_id, *columns(rows)])
    full = [row[0] for row, one in zip(rows, handed, strict=True) if one.is_full]
    if full:
        connection.execute(LOG_FULL, [tenant_id, full])
    newest = {one.endpoint.endpoint_id: one.sequence for one in handed}
    connection.execute(COUNT, columns(sorted(newest.items())))


def move_feed(connection: Database, tenant_id: UUID, place: FeedPlace) -> None:
    """Write up to where a tenant's events are handed out."""
    connection.execute(ADVANCE, [*place[:5], place.checkpoint, tenant_id])


def _event(row: tuple[Any, ...]) -> OutgoingEvent:
    return OutgoingEvent(
        type=row[0],
        at=row[1],
        payload=None if row[2] is None else orjson.loads(row[2]),
        transaction=int(row[3]),
        run_id=row[4],
        seq=row[5],
        segment_id=row[6],
        client_reference=row[7],
        metadata=orjson.loads(row[8]),
        step_id=row[9],
        activation=row[10],
    )


def _row(one: HandedEvent) -> tuple[Any, ...]:
    event, endpoint = one.event, one.endpoint
    place = new_id(), endpoint.endpoint_id, one.sequence, event.run_id, event.seq, event.type
    return (*place, endpoint.host, endpoint.url_hash, one.body, event.at, one.is_full)


def _value(connection: Database, statement: str, values: Sequence[Any]) -> Any:
    row = connection.execute(statement, values).fetchone()
    return None if row is None else row[0]
