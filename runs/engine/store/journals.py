"""Journals and inboxes in the database: reading them, and the group commit's statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from runs.engine.store import budgets, deliveries
from runs.engine.store.arrays import bigints, blobs, bools, floats, ints, pack, texts, uuids
from runs.engine.store.connection import Database, transaction

LOCK = """
select id, epoch, last_seq, signals_pending from runs_run
where id = any(%b::uuid[]) order by id for no key update skip locked
"""
INSERT = """
insert into runs_runevent (run_id, seq, tenant_id, type, step_id, activation, attempt, created_at, payload)
select e.run_id, e.seq, e.tenant_id, e.type, e.step_id, e.activation, e.attempt, to_timestamp(e.at), e.payload::json
from unnest(%b::uuid[], %b::int[], %b::uuid[], %b::text[], %b::text[], %b::int[], %b::int[], %b::float8[], %b::text[])
  as e(run_id, seq, tenant_id, type, step_id, activation, attempt, at, payload)
"""
ADVANCE = """
update runs_run r
set last_seq = e.last_seq, journal_bytes = e.bytes, digest = e.digest, activations = e.activations,
    active = e.active, losses = case when e.progress then 0 else r.losses end,
    usage = coalesce(e.usage::json, r.usage)
from unnest(%b::uuid[], %b::int[], %b::bigint[], %b::bytea[], %b::int[], %b::int[], %b::bool[], %b::text[])
  as e(id, last_seq, bytes, digest, activations, active, progress, usage)
where r.id = e.id
"""
# A run that ends or parks stops its clock: what is left of its timeout waits with it. A wait for a time counts. What
# is over has an audit entry, by the same statement: of all runs of a batch together.
CLOSE = """
with closed as (
  update runs_run r
  set last_seq = e.last_seq, journal_bytes = e.bytes, digest = e.digest, activations = e.activations,
      active = e.active, losses = case when e.progress then 0 else r.losses end,
      usage = coalesce(e.usage::json, r.usage),
      owner = null, status = e.status, output = e.output::json, error = e.error::json,
      warnings = coalesce(e.warnings::json, r.warnings),
      waiting_for = e.waiting_for::json, wake_at = to_timestamp(e.wake_at),
      ended_at = case when e.entry_id is not null then clock_timestamp() end,
      seconds_left = case when e.entry_id is null then
        greatest(0, extract(epoch from r.deadline_at - greatest(clock_timestamp(), to_timestamp(e.charged_until)))) end,
      deadline_at = case when e.entry_id is not null then r.deadline_at end,
      pause_requested = r.pause_requested and e.status in ('running', 'queued')
  from unnest(%b::uuid[], %b::int[], %b::bigint[], %b::bytea[], %b::int[], %b::int[], %b::bool[],
              %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::float8[], %b::float8[],
              %b::uuid[])
    as e(id, last_seq, bytes, digest, activations, active, progress, usage,
         status, output, error, warnings, waiting_for, wake_at, charged_until, entry_id)
  where r.id = e.id
  returning e.entry_id, r.tenant_id, r.id, r.status, r.last_seq, r.digest, r.ended_at
)
insert into audit_entry (id, tenant_id, action, actor, object_type, object_id, after, outcome, request_id, source,
  created_at)
select entry_id, tenant_id, 'run.ended', 'system', 'run', id::text,
  json_build_object('status', status, 'last_seq', last_seq, 'journal', encode(digest, 'hex')),
  case status when 'completed' then 'done' else status end, '', '', ended_at
from closed where entry_id is not null
"""
INSERTED: Final = (uuids, ints, uuids, texts, texts, ints, ints, floats, texts)
ADVANCED: Final = (uuids, ints, bigints, blobs, ints, ints, bools, texts)
CLOSED: Final = (*ADVANCED, texts, texts, texts, texts, texts, floats, floats, uuids)
"""Packers of the columns of these statements."""
SIDE: dict[str, str] = {
    "usage": budgets.COUNT,
    "release": budgets.RELEASE,
    "deliver": deliveries.INSERT,
    "notify": deliveries.NOTIFY,
}
"""Statements that are executed in the transaction of the events they go with, in this order; each takes columns."""
# What nobody may come to wait for is not pending: it is read when a step does wait.
UNAPPLIED = "select id, run_id from runs_signal where run_id = any(%s) and applied_seq is null and kind <> 'early_call'"
APPLY = """
update runs_signal s set applied_seq = e.seq
from unnest(%b::bigint[], %b::int[]) as e(id, seq) where s.id = e.id
"""
CLEAR_PENDING = """
update runs_run r set signals_pending = false
where r.id = any(%s) and not exists (
  select 1 from runs_signal s where s.run_id = r.id and s.applied_seq is null and s.kind <> 'early_call'
)
"""
LOCK_ONE = "select id from runs_run where id = %s for no key update"
TIME = "select extract(epoch from clock_timestamp())::float8"
STILL_THERE = "select id from runs_run where id = any(%s)"
LOAD = """
select seq, type, step_id, activation, attempt, payload::text, extract(epoch from created_at)::float8
from (
  select *, sum(bytes) over (order by seq) - bytes as bytes_before
  from runs_runevent where run_id = %s and seq > %s and seq <= %s
) following
where bytes_before < %s order by seq
"""
LOAD_EVENTS: Final = 2_000
LOAD_BYTES: Final = 4 * 1024 * 1024
INBOX = "select id, kind, payload::text from runs_signal where run_id = %s and applied_seq is null order by id"
DEFINITION = "select definition::text from segments_revision where id = %s"


@dataclass(frozen=True, slots=True)
class LockedRun:
    """State of a run under the lock of a batch's transaction."""

    epoch: int
    last_seq: int
    signals_pending: bool


@dataclass(frozen=True, slots=True)
class ReceivedCommand:
    """One command of the inbox that no event has taken yet."""

    signal_id: int
    kind: str
    payload: str


def lock_runs(connection: Database, run_ids: Sequence[UUID]) -> dict[UUID, LockedRun]:
    """Lock what nobody else has locked, in id order; runs that are missing in the answer are locked or gone."""
    rows = connection.execute(LOCK, [uuids(run_ids)]).fetchall()
    return {run_id: LockedRun(epoch, last_seq, pending) for run_id, epoch, last_seq, pending in rows}


def unapplied_signals(connection: Database, run_ids: Sequence[UUID]) -> dict[UUID, set[int]]:
    """Return the ids of the commands in the inboxes of locked runs."""
    found: dict[UUID, set[int]] = {}
    for signal_id, run_id in connection.execute(UNAPPLIED, [list(run_ids)]).fetchall():
        found.setdefault(run_id, set()).add(signal_id)
    return found


def insert_events(connection: Database, columns: Sequence[Sequence[Any]]) -> None:
    """Insert events, given as columns in the order of ``INSERT``."""
    connection.execute(INSERT, pack(columns, INSERTED))


def advance_runs(connection: Database, columns: Sequence[Sequence[Any]]) -> None:
    """Update locked runs that go on, given as columns in the order of ``ADVANCE``."""
    connection.execute(ADVANCE, pack(columns, ADVANCED))


def close_runs(connection: Database, columns: Sequence[Sequence[Any]]) -> None:
    """Update locked runs that their host gives up or ends, given as columns in the order of ``CLOSE``.

    Of those that are over the audit is told.
    """
    connection.execute(CLOSE, pack(columns, CLOSED))


def write_beside(connection: Database, statement: str, columns: Sequence[Sequence[Any]]) -> None:
    """Execute one of ``SIDE``, given its rows as columns."""
    connection.execute(SIDE[statement], columns)


def apply_signals(
    connection: Database, *, signal_ids: Sequence[int], seqs: Sequence[int], run_ids: Sequence[UUID]
) -> None:
    """Mark commands as taken by an event, and their locked runs as having nothing pending, if that is so."""
    connection.execute(APPLY, [list(signal_ids), list(seqs)])
    connection.execute(CLEAR_PENDING, [list(run_ids)])


def runs_still_there(connection: Database, run_ids: Sequence[UUID]) -> set[UUID]:
    """Tell which runs exist, locked or not."""
    with transaction(connection):
        return {run_id for (run_id,) in connection.execute(STILL_THERE, [list(run_ids)]).fetchall()}


def load_journal(connection: Database, run_id: UUID, *, after: int) -> list[tuple[Any, ...]]:
    """Read on in a run's journal: some rows of seq, type, step_id, activation, attempt, payload text, time."""
    with transaction(connection):
        values = [run_id, after, after + LOAD_EVENTS, LOAD_BYTES]
        return connection.execute(LOAD, values).fetchall()


def lock_run_and_read_time(connection: Database, run_id: UUID) -> float:
    """Tell a time by the database's clock at which nobody else holds a run's row.

    Whoever held it before has committed; whoever takes it later sees a later time.
    """
    with transaction(connection):
        connection.execute(LOCK_ONE, [run_id])
        row = connection.execute(TIME).fetchone()
    return float(row[0]) if row is not None else 0.0


def read_inbox(connection: Database, run_id: UUID) -> list[ReceivedCommand]:
    """Read the commands no event has taken yet, oldest first."""
    with transaction(connection):
        return [ReceivedCommand(*row) for row in connection.execute(INBOX, [run_id]).fetchall()]


def read_definition(connection: Database, revision_id: UUID) -> str:
    """Read the text of a revision.

    Raises:
        LookupError: It does not exist.
    """
    with transaction(connection):
        row = connection.execute(DEFINITION, [revision_id]).fetchone()
    if row is None:
        raise LookupError("a run's revision is never deleted before the run")
    return str(row[0])
