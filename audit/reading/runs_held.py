"""Runs held against the entries that tell of them, both ways: what was added, changed or taken away shows."""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from audit.models import Entry
from audit.reading.files import entries_of, first_leaf, leaves_of, scope_of
from audit.sealing.growth import log_name
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.ids import parse_id
from kernel.supplied import Supplied
from tenants.models import Tenant

STARTED: Final = "run.started"
ENDED: Final = "run.ended"
REMOVED: Final = "runs.removed"
MIN_KEPT: Final = timedelta(days=1)
"""Time for which runs that are over are kept at least: a removal of younger ones is none of ours."""
START_SLACK: Final = timedelta(minutes=1)
"""Longest time between a run's creation and its entry, which are one transaction's."""
CLOCK_SLACK: Final = timedelta(minutes=1)
"""Difference that clocks of several machines may have."""
SLACK: Final = timedelta(hours=1)
"""Time by which an entry may be older than those sealed before it: nothing so near to a pruning is missed."""


class AuditedRun(NamedTuple):
    """A run as it is stored; ``ended_at`` is None while it is not over, ``content_hash`` that of its definition."""

    id: UUID
    status: str
    last_seq: int
    journal_bytes: int
    created_at: datetime
    ended_at: datetime | None
    segment_id: str
    content_hash: str
    started_by_actor: str


class RunFlaw(NamedTuple):
    """Something about a run that its entries do not say; ``kind`` as of a ``Flaw``."""

    kind: str
    said: str


class StoredRuns(Protocol):
    """Protocol of the app above that keeps runs. Each call opens a scope of its own, and reads a bounded piece."""

    def find(self, tenant_id: UUID, run_ids: Collection[UUID]) -> Mapping[UUID, AuditedRun]:
        """Read those of some runs that are there."""

    def after(self, tenant_id: UUID, run_id: UUID | None) -> Sequence[AuditedRun]:
        """Read the next runs in the order of their ids, behind one or from the first on."""

    def digests(self, tenant_id: UUID, runs: Collection[AuditedRun]) -> Iterator[tuple[UUID, str]]:
        """Compute the digests of journals anew, in hex; a run that is not there any more is left out."""

    def contradicted(self, tenant_id: UUID, runs: Collection[AuditedRun]) -> Mapping[UUID, str]:
        """Find runs that are over and of which a column is not what their journal says; names the column."""


stored_runs: Supplied[StoredRuns] = Supplied("the runs that entries tell of")


@dataclass
class RunsHeld:
    """One look at the runs of a tenant and its entries.

    Attributes:
        tenant_id: The tenant. One that was deleted has no runs any more, and nothing is held.
        first_at: When the first entry was written that was not pruned; None where nothing was.
    """

    tenant_id: UUID
    first_at: datetime | None = None

    def bad_entries(self, entries: Collection[Entry]) -> dict[UUID, RunFlaw]:
        """Find entries whose run is gone, or is not what they say; by the id of the entry."""
        again = self._told_again(entries)
        first = [one for one in entries if one.id not in again]
        ended = {run_id: one for one in first if one.action == ENDED and (run_id := _run_of(one))}
        started = {run_id: one for one in first if one.action == STARTED and (run_id := _run_of(one))}
        if not (ended or started) or not self._has_tenant:
            return again
        runs = stored_runs().find(self.tenant_id, {*ended, *started})
        lost = started.keys() - runs.keys()
        lost -= self._told(lost, (ENDED,)).keys()
        gone = {
            started[one].id: RunFlaw("run", f"no entry says how the run {one} ended, and it is gone") for one in lost
        }
        other = {one.id: flaw for run_id, one in started.items() if (flaw := _against_start(one, runs.get(run_id)))}
        wrong = {one.id: flaw for run_id, one in ended.items() if (flaw := self._against(one, runs.get(run_id)))}
        about_runs = {**gone, **other, **self._contradicted(ended, runs), **self._bad_journals(ended, runs), **wrong}
        return {**about_runs, **again}

    def unrecorded(self) -> Iterator[str]:
        """Find runs that no entry tells of, and runs that are over without an entry that says so."""
        last: UUID | None = None
        if not self._has_tenant and not self._is_told("tenant.deleted"):
            yield "its tenant is gone, and no entry of the installation says that it was deleted"
        while self._has_tenant and (runs := stored_runs().after(self.tenant_id, last)):
            last = runs[-1].id
            told = self._told([run.id for run in runs], (STARTED, ENDED))
            for run in runs:
                actions = told.get(run.id, set())
                if STARTED not in actions and not self._may_lack(run.created_at):
                    yield f"no entry says that the run {run.id} was started"
                elif run.ended_at and ENDED not in actions and not self._may_lack(run.ended_at):
                    yield f"no entry says that the run {run.id} ended"

    def _against(self, entry: Entry, run: AuditedRun | None) -> RunFlaw | None:
        after = entry.after if isinstance(entry.after, dict) else {}
        if run is None:
            return None if self._was_removed(entry) else RunFlaw("run", f"the run {entry.object_id} is gone")
        if (run.status, run.last_seq, run.ended_at) == (after.get("status"), after.get("last_seq"), entry.created_at):
            return None
        said = f"the run {run.id} is {run.status} with {run.last_seq} events, which is not what it ended with"
        return RunFlaw("run", said)

    def _bad_journals(self, ended: Mapping[UUID, Entry], runs: Mapping[UUID, AuditedRun]) -> dict[UUID, RunFlaw]:
        digests = stored_runs().digests(self.tenant_id, [runs[run_id] for run_id in ended if run_id in runs])
        return {
            ended[run_id].id: RunFlaw("journal", f"the journal of the run {run_id} is not the one that it ended with")
            for run_id, digest in digests
            if not isinstance(after := ended[run_id].after, dict) or after.get("journal") != digest
        }

    def _contradicted(self, ended: Mapping[UUID, Entry], runs: Mapping[UUID, AuditedRun]) -> dict[UUID, RunFlaw]:
        found = stored_runs().contradicted(self.tenant_id, [runs[run_id] for run_id in ended if run_id in runs])
        return {
            ended[run_id].id: RunFlaw("run", f"the {column} of the run {run_id} is not what its journal says")
            for run_id, column in found.items()
        }

    def _told(self, run_ids: Collection[UUID], actions: Collection[str]) -> dict[UUID, set[str]]:
        """Read what entries say of runs."""
        told: dict[UUID, set[str]] = {}
        with self._scope():
            rows = entries_of(self.tenant_id).filter(
                object_type="run", object_id__in=list(map(str, run_ids)), action__in=actions
            )
            for object_id, action in rows.values_list("object_id", "action"):
                told.setdefault(UUID(object_id), set()).add(action)
        return told

    def _told_again(self, entries: Collection[Entry]) -> dict[UUID, RunFlaw]:
        """Find entries of a start or an end that an earlier leaf tells of already."""
        run_ids = {one.object_id for one in entries if one.action in {STARTED, ENDED}}
        told: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
        with self._scope():
            rows = Entry.objects.filter(
                tenant_id=self.tenant_id, object_type="run", object_id__in=run_ids, action__in=(STARTED, ENDED)
            )
            for entry_id, *what in rows.values_list("id", "action", "object_id"):
                told[what[0], what[1]].append(entry_id)
            doubled = [ids for ids in told.values() if len(ids) > 1]
            leaves = leaves_of(self.tenant_id).filter(entry_id__in=list(chain(*doubled)))
            places = dict(leaves.values_list("entry_id", "n")) if doubled else {}
        again = set[UUID]()
        for ids in doubled:
            again |= set(ids) - {min(ids, key=lambda one: places.get(one, math.inf))}
        return {
            one.id: RunFlaw("run", f"an earlier entry tells of this of the run {one.object_id}")
            for one in entries
            if one.id in again
        }

    def _is_told(self, action: str) -> bool:
        """Whether the installation's log says something of the tenant; one that was pruned may have said it."""
        with scope_of(None):
            told = entries_of(None).filter(action=action, object_type="tenant", object_id=str(self.tenant_id))
            return told.exists() or first_leaf(log_name(None)) > 0

    def _may_lack(self, at: datetime) -> bool:
        """Whether an entry of a time may have been pruned."""
        return self.first_at is not None and at < self.first_at + SLACK

    def _was_removed(self, entry: Entry) -> bool:
        """Whether entries say that a run went with its tenant, or by its age; a sweep may have done so just now."""
        if entry.outcome == "removed" and self._is_told("tenant.deletion_requested"):
            return True
        if self._removed_before is None or self._removed_before <= entry.created_at:
            del self._removed_before
        return self._removed_before is not None and entry.created_at < self._removed_before

    @cached_property
    def _removed_before(self) -> datetime | None:
        """The latest time of which leaves say that runs which had ended before it were removed."""
        with self._scope():
            entries = Entry.objects.filter(tenant_id=self.tenant_id, action=REMOVED).values("id")
            leaves = leaves_of(self.tenant_id).filter(entry_id__in=entries).values_list("data", flat=True)
            return max(filter(None, map(_removal_of, leaves.iterator())), default=None)

    @cached_property
    def _has_tenant(self) -> bool:
        with self._scope():
            return Tenant.objects.filter(id=self.tenant_id).exists()

    def _scope(self) -> AbstractContextManager[None]:
        return tenant_scope(self.tenant_id)


def _against_start(entry: Entry, run: AuditedRun | None) -> RunFlaw | None:
    """Tell what of a run that is there is not what the entry of its start says."""
    if run is None:
        return None
    after = entry.after if isinstance(entry.after, dict) else {}
    said = {
        "segment": (run.segment_id, after.get("segment_id")),
        "definition": (run.content_hash, after.get("content_hash")),
        "actor": (run.started_by_actor, entry.actor),
        "time of the start": (abs(run.created_at - entry.created_at) < START_SLACK, True),
    }
    return next(
        (
            RunFlaw("run", f"the {name} of the run {run.id} is not the one that it was started with")
            for name, (stored, told) in said.items()
            if stored != told
        ),
        None,
    )


def _removal_of(leaf: bytes | memoryview) -> datetime | None:
    """Read before which time a leaf says that removed runs had ended; None where it cannot have been so."""
    try:
        fields = json.loads(bytes(leaf))
        before, at = (datetime.fromisoformat(text) for text in (fields["after"]["ended_before"], fields["at"]))
        return before if fields["action"] == REMOVED and before <= min(at, utc_now()) - MIN_KEPT + CLOCK_SLACK else None
    except (ValueError, TypeError, KeyError):
        return None


def _run_of(entry: Entry) -> UUID | None:
    """Read which run an entry is about; None where its id is not spelled as ours are."""
    run_id = parse_id(entry.object_id)
    return run_id if str(run_id) == entry.object_id else None
