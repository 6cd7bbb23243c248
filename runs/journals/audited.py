"""Runs and their journals as the audit holds them against its entries."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from rfc8785 import CanonicalizationError

from audit.reading.runs_held import AuditedRun
from foundation.scope import tenant_scope
from kernel.canonical import content_hash
from kernel.paging import fitting
from kernel.types import Json
from runs.core.journal import chain, microseconds_of
from runs.models import Run, RunEvent
from segments.models import Revision

RUNS: Final = 1_000
"""Runs read at once."""
EVENTS: Final = 2_000
BYTES: Final = 4 * 1024 * 1024
"""Events and bytes of payloads read at once, save where one event has more."""
_RUN: Final = (
    "id", "status", "last_seq", "journal_bytes", "created_at", "ended_at", "segment_id", "revision_id",
    "started_by_actor",
)  # fmt: skip
_REVISION: Final = _RUN.index("revision_id")
DEFINITIONS: Final = 10
"""Definitions read at once."""
CONTRADICTED: Final = """
select id, found from (
  select r.id, case
      when (begun.payload -> 'input')::text <> coalesce(r.input::text, 'null') then 'input'
      when ended.type <> 'segment.' || case when r.status = 'timed_out' then 'failed' else r.status end then 'status'
      when coalesce((ended.payload -> 'output')::text, 'null') <> coalesce(r.output::text, 'null') then 'output'
      when coalesce((ended.payload -> 'error')::text, 'null') <> coalesce(r.error::text, 'null') then 'error'
      when coalesce((ended.payload -> 'warnings')::text, '[]') <> r.warnings::text then 'warnings'
    end as found
  from runs_run r
  join runs_runevent begun on begun.run_id = r.id and begun.seq = 1
  join runs_runevent ended on ended.run_id = r.id and ended.seq = r.last_seq
  where r.id = any(%s)
) held where found is not null
"""
"""Both were written from the same values; texts are compared, as Postgres keeps them as they were written."""
_EVENT: Final = ("run_id", "seq", "type", "step_id", "activation", "attempt", "created_at", "text")


class RunsForAudit:
    """Answers of the app of runs to the verification of a log (``StoredRuns``)."""

    def find(self, tenant_id: UUID, run_ids: Collection[UUID]) -> Mapping[UUID, AuditedRun]:
        """Read those of some runs that are there."""
        with tenant_scope(tenant_id):
            return {run.id: run for run in _read(Run.objects.filter(id__in=list(run_ids)))}

    def after(self, tenant_id: UUID, run_id: UUID | None) -> Sequence[AuditedRun]:
        """Read the next runs in the order of their ids."""
        with tenant_scope(tenant_id):
            rows = Run.objects.filter(tenant_id=tenant_id)
            behind = rows if run_id is None else rows.filter(id__gt=run_id)
            return _read(behind.order_by("id")[:RUNS])

    def digests(self, tenant_id: UUID, runs: Collection[AuditedRun]) -> Iterator[tuple[UUID, str]]:
        """Compute the digests of journals anew, event by event."""
        digests = dict.fromkeys((run.id for run in runs), b"")
        for run_id, *head, at, text in _events(tenant_id, digests.keys()):
            digests[run_id] = chain(digests[run_id], [*head, microseconds_of(at)], text.encode())
        there = self.find(tenant_id, digests.keys())
        yield from ((run_id, digest.hex()) for run_id, digest in digests.items() if run_id in there)

    def contradicted(self, tenant_id: UUID, runs: Collection[AuditedRun]) -> Mapping[UUID, str]:
        """Find runs that are over and of which a column is not what their journal says, by their texts."""
        over = [run.id for run in runs if run.ended_at]
        with tenant_scope(tenant_id), connection.cursor() as cursor:
            cursor.execute(CONTRADICTED, [over])
            return dict(cursor.fetchall())


def _events(tenant_id: UUID, run_ids: Collection[UUID]) -> Iterator[tuple[Any, ...]]:
    """Read the events of runs in order, some at a time, each time in a transaction of its own."""
    behind = Q()
    while True:
        with tenant_scope(tenant_id):
            rows = RunEvent.objects.filter(behind, run_id__in=list(run_ids)).order_by("run_id", "seq")
            sizes = list(rows.values_list("bytes", flat=True)[:EVENTS])
            count = max(1, fitting(sizes, BYTES))
            batch = list(rows.annotate(text=Cast("payload", TextField())).values_list(*_EVENT)[:count])
        yield from batch
        if count >= len(sizes) and len(sizes) < EVENTS:
            return
        run_id, seq, *_ = batch[-1]
        behind = Q(run_id__gt=run_id) | Q(run_id=run_id, seq__gt=seq)


def _read(rows: QuerySet[Run]) -> list[AuditedRun]:
    found = list(rows.values_list(*_RUN))
    hashes = _content_hashes({row[_REVISION] for row in found})
    before, after = slice(_REVISION), slice(_REVISION + 1, None)
    return [AuditedRun._make([*row[before], hashes.get(row[_REVISION], ""), *row[after]]) for row in found]


def _content_hashes(revision_ids: Collection[UUID]) -> dict[UUID, str]:
    """Read the hashes of definitions, each computed anew; empty where a row tells another one than its content has."""
    rows = Revision.objects.filter(id__in=list(revision_ids)).values_list("id", "content_hash", "definition")
    return {
        revision_id: told if _has_hash(definition, told) else ""
        for revision_id, told, definition in rows.iterator(chunk_size=DEFINITIONS)
    }


def _has_hash(definition: Json, told: str) -> bool:
    try:
        return content_hash(definition) == told
    except CanonicalizationError:  # no definition that was saved is without a canonical form
        return False
