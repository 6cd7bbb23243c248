"""Pruning of a log (c2sp.org/tlog-tiles): whole bundles of old entries go, the hashes above them stay.

What is left verifies from its first leaf on: the root vouches for what is gone.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from audit.errors import NotSealed, PruningRefused
from audit.log.tiles import WIDTH
from audit.models import AuditLog, Entry, LogCheckpoint, LogPruning, PersonalValue, SealedEntry
from audit.personal import commitments_in
from audit.reading.files import LogFiles, scope_of
from audit.reading.prunings_held import PRUNED, YOUNGEST
from audit.sealing.sealer import seal_entries
from audit.services import record
from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.types import Json
from tenants.models import Tenant

BATCH_ENTRIES: Final = 1_000
SEALING_TRIES: Final = 120
SEALING_PAUSE_SECONDS: Final = 0.5
_SHARED_FOR: Final = timedelta(hours=1)
"""Longest time between two entries that share the row of a source address."""


def prune_log(tenant_id: UUID | None, *, before: datetime, actor: str) -> tuple[int, int]:
    """Delete the entries of a log up to the first one that is not older, with their leaves and personal data.

    Whole bundles of 256 go. The log tells of it first; killed at any point, it is taken up by pruning again.

    Args:
        tenant_id: The tenant whose log it is; None for the installation's.
        before: Entries of this time or later stay.
        actor: For the audit.

    Returns:
        The first leaf that stays, and how many entries were deleted now.

    Raises:
        LogEmpty: Nothing is sealed yet.
        PruningRefused: The time is less than a day ago.
        NotSealed: What tells of the pruning was not sealed for a minute; nothing was deleted.
    """
    if before > utc_now() - YOUNGEST:
        raise PruningRefused
    with scope_of(tenant_id):
        files = LogFiles(tenant_id)
        minimum = min(_first_young(files, before), _sealed_a_day_ago(files)) // WIDTH * WIDTH
        if minimum > files.first:
            after: Json = {"minimum": minimum, "before": before.isoformat()}
            told = record(PRUNED, files.log, actor=actor, before={"minimum": files.first}, after=after)
    if minimum > files.first:
        _seal(told)
        with unscoped("logs are pruned"):
            LogPruning.objects.create(tenant_id=tenant_id, log_id=files.log.id, minimum=minimum)
    minimum = max(minimum, files.first)
    deleted = 0
    while batch := _prune_batch(files.log.id, minimum):
        deleted += batch
    return minimum, deleted


def prune_by_age() -> int:
    """Prune every log by the days its tenant has, or else the installation; returns how many entries were deleted."""
    with unscoped("each tenant has days of its own"):
        owners = list(AuditLog.objects.order_by("origin").values_list("tenant_id", flat=True))
        days_of = dict(Tenant.objects.values_list("id", "audit_retention_days"))
    deleted = 0
    for tenant_id in owners:
        days = days_of.get(tenant_id) or settings.AUDIT_RETENTION_DAYS
        if days:
            deleted += prune_log(tenant_id, before=utc_now() - timedelta(days=days), actor="system")[1]
    return deleted


def _first_young(files: LogFiles, before: datetime) -> int:
    """Find the first leaf whose entry is not older; without one, the end of the log."""
    is_young = Exists(Entry.objects.filter(id=OuterRef("entry_id"), created_at__gte=before))
    leaves = SealedEntry.objects.filter(is_young, log_id=files.log.id, n__gte=files.first).order_by("n")
    found = leaves.values_list("n", flat=True).first()
    return files.last.size if found is None else found


def _sealed_a_day_ago(files: LogFiles) -> int:
    """Give the size that the log had a day ago, by its checkpoints: whoever verifies asks for it."""
    latest = int((utc_now() - YOUNGEST).timestamp())
    rows = LogCheckpoint.objects.filter(log_id=files.log.id, signed_at__lte=latest).order_by("-id")
    return rows.values_list("size", flat=True).first() or 0


def _seal(told: Entry) -> None:
    """Have an entry sealed, by another process where that one seals: nothing goes before the log says so for good."""
    for _ in range(SEALING_TRIES):
        seal_entries()
        with unscoped("logs are pruned"):
            if SealedEntry.objects.filter(entry_id=told.id).exists():
                return
        time.sleep(SEALING_PAUSE_SECONDS)
    raise NotSealed


def _prune_batch(log_id: UUID, minimum: int) -> int:
    with unscoped("an operator prunes a log"):
        leaves = SealedEntry.objects.filter(log_id=log_id, n__lt=minimum).order_by("n")
        ids = dict(leaves.values_list("id", "entry_id")[:BATCH_ENTRIES])
        entries = list(Entry.objects.filter(id__in=ids.values()))
        shared = _still_shared(entries)
        Entry.objects.filter(id__in=ids.values()).delete()
        gone = {one for entry in entries for one in commitments_in(entry.before, entry.after, entry.source)}
        PersonalValue.objects.filter(commitment__in=gone - shared).delete()
        SealedEntry.objects.filter(id__in=ids).delete()
        return len(ids)


def _still_shared(entries: Sequence[Entry]) -> set[str]:
    """Find the source addresses that other entries commit to as well."""
    sources = {entry.source for entry in entries if entry.source}
    if not sources:
        return set()
    times = [entry.created_at for entry in entries]
    others = Entry.objects.exclude(id__in=[entry.id for entry in entries]).filter(
        Q(tenant_id=entries[0].tenant_id),
        created_at__gte=min(times) - _SHARED_FOR,
        created_at__lte=max(times) + _SHARED_FOR,
        source__in=sources,
    )
    return set(others.values_list("source", flat=True))
