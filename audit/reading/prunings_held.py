"""A pruning held against the log: what is gone was pruned only where the log says so, and was a day old."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Q

from audit.models import Entry, LogCheckpoint, SealedEntry
from audit.reading.files import LogFiles
from audit.verifier.examination import SKEW_SECONDS
from audit.verifier.signatures import Flaw, LogKey, open_checkpoint

PRUNED: Final = "audit_log.pruned"
YOUNGEST: Final = timedelta(days=1)
"""Time within which nothing is pruned that was sealed: what is written now may share a row of personal data with it."""


class _ToldPruning(NamedTuple):
    minimum: int
    at: datetime


def bad_pruning(files: LogFiles, keys: Sequence[LogKey]) -> Flaw | None:
    """Find that leaves are gone which no leaf says were pruned, or which were younger than a day then.

    To be called in a scope that sees the log. The leaves that are left are to be verified apart from this. That leaves
    were a day old is shown by a checkpoint that one of the keys signed: it had them a day before they were pruned.

    Returns:
        A flaw of the first leaf that is gone without a reason.
    """
    if not files.first:
        return None
    sound = {told.minimum for told in _told(files) if _was_old(files, told, keys)}
    if files.first in sound:
        return None
    first_bad = max((minimum for minimum in sound if minimum < files.first), default=0)
    detail = f"the leaves from {first_bad} to {files.first - 1} are gone, and no leaf says that they were pruned"
    return Flaw(first_bad, "pruning", f"{detail}, a day old")


def _told(files: LogFiles) -> Iterator[_ToldPruning]:
    """Read what leaves, and not only their entries, say of prunings."""
    entries = Entry.objects.filter(Q(tenant_id=files.log.tenant_id), action=PRUNED).values("id")
    leaves = SealedEntry.objects.filter(
        log_id=files.log.id, entry_id__in=entries, n__gte=files.first, n__lt=files.last.size
    )
    for data in leaves.order_by("n").values_list("data", flat=True):
        try:
            leaf = json.loads(bytes(data))
            if leaf["action"] == PRUNED:
                yield _ToldPruning(int(leaf["after"]["minimum"]), datetime.fromisoformat(leaf["at"]))
        except (ValueError, TypeError, KeyError):
            continue  # such a leaf is a flaw by itself


def _was_old(files: LogFiles, told: _ToldPruning, keys: Sequence[LogKey]) -> bool:
    latest = int((told.at - YOUNGEST).timestamp()) + SKEW_SECONDS
    rows = LogCheckpoint.objects.filter(log_id=files.log.id, size__gte=told.minimum, signed_at__lte=latest)
    note = rows.order_by("-id").values_list("note", flat=True).first()
    try:
        head = open_checkpoint((note or "").encode(), keys)
    except Flaw:
        return False
    return head.log == files.log.origin and head.size >= told.minimum and head.signed_at <= latest
