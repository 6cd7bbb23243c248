"""Runs that a host owns since its claim."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, NamedTuple
from uuid import UUID

from runs.engine.store.connection import Database

SMALL_INPUTS_BYTES: Final = 32 * 1024
"""Of the inputs that come along with the runs themselves, together; a network holds as much for who does not read."""

# A paused run is also claimed for a wait that is over: it is to be paused again, unless it is resumed meanwhile.
TAKE = """
update runs_run
set owner = %(worker)s, epoch = epoch + 1, wake_at = null, status = 'running', waiting_for = '[]', error = null,
    pause_requested = pause_requested or status = 'paused',
    started_at = coalesce(started_at, statement_timestamp()),
    deadline_at = statement_timestamp() + make_interval(secs => coalesce(seconds_left, timeout_seconds)),
    seconds_left = null
where id = any(%(ids)s)
returning id, tenant_id, revision_id, segment_id, semantics, epoch,
  case when last_seq = 0 and octet_length(input::text) <= %(most)s then input::text end,
  last_seq, journal_bytes, digest,
  timeout_seconds, extract(epoch from deadline_at)::float8, losses, signals_pending, traceparent,
  callback_events, extract(epoch from started_at)::float8,
  (select t.slug from tenants_tenant t where t.id = runs_run.tenant_id),
  last_seq = 0 and octet_length(input::text) > %(most)s
"""
INPUTS = "select id, input::text from runs_run where id = any(%s)"


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


class Taken(NamedTuple):
    """Runs just taken; the inputs of those named in ``long`` are still to be read."""

    runs: list[Claimed]
    long: frozenset[UUID]


def take(connection: Database, worker_id: UUID, ids: Collection[UUID]) -> Taken:
    """Make a host the owner of runs that the open transaction has locked.

    The answer is short whatever the runs bring along: while it is sent, the transaction holds all its locks.
    """
    if not ids:
        return Taken([], frozenset())
    asked = {"worker": worker_id, "ids": sorted(ids), "most": SMALL_INPUTS_BYTES // len(ids)}
    rows = connection.execute(TAKE, asked).fetchall()
    return Taken([Claimed(*row[:-1]) for row in rows], frozenset(row[0] for row in rows if row[-1]))


def read_long_inputs(connection: Database, taken: Taken) -> list[Claimed]:
    """Read what the answer to ``take`` left out; a run that was removed meanwhile is left out."""
    if not taken.long:
        return taken.runs
    texts: dict[UUID, str] = dict(connection.execute(INPUTS, [list(taken.long)]).fetchall())
    return [
        replace(one, input_text=texts.get(one.run_id, one.input_text))
        for one in taken.runs
        if one.run_id in texts or one.run_id not in taken.long
    ]
