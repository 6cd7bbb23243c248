"""The sealer: takes entries that no log has yet, in batches, and appends them to their logs.

A batch is one transaction: killed at any point it has sealed all of it or nothing. One process seals at a time, so
every log grows by one hand; whoever writes entries waits for nobody.

The order is that in which entries were inserted, among those that are committed: the entry of a change that saw
another one comes behind it, since that one was inserted and committed before.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from audit.log.leaves import LeafRefused
from audit.models import AuditLog, Entry, LogCheckpoint, LogVerifier, SealedEntry, UnsealedEntry
from audit.sealing.checkpoint_file import write_checkpoints
from audit.sealing.growth import Growth, grow, log_name
from audit.sealing.keys import new_keys, signer_of, trusted_verifiers
from audit.sealing.trust import CheckpointRefused, check_checkpoint, is_known, keep_in_mind
from audit.services import record
from audit.types import AuditObject
from audit.verifier.examination import LOST, SKEW_SECONDS
from foundation.inserts import insert_many
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.models import Tenant

diary = logging.getLogger(__name__)

BATCH_ENTRIES: Final = 1_000
INSTALLATION: Final = "installation"
"""Last part of the name of the installation's log."""
_LOCK: Final = "select pg_try_advisory_xact_lock(7021964305127)"
"""Held by whoever seals, until its batch is committed."""


def seal_entries() -> int:
    """Seal what is committed and not sealed yet; returns how many entries.

    May be called any number of times, by several at once, and be killed. Does nothing where another process seals. A
    log whose last checkpoint is not what the installation's key has signed is left as it is, and the program's log
    says so: nothing forged is ever signed. Its entries wait; all others' are sealed. Entries of a time to come wait
    until it has.
    """
    sealed, refused = 0, set[UUID]()
    while True:
        taken, bad = _seal_batch(refused)
        sealed += taken
        refused |= bad
        if taken < BATCH_ENTRIES and not bad:
            return sealed


def _seal_batch(refused: Set[UUID]) -> tuple[int, set[UUID]]:
    """Seal some entries, of other logs than those refused; returns how many, and the logs that are refused now."""
    with unscoped("entries of all tenants are sealed"):
        if not _is_alone():
            return 0, set()
        waiting = list(_waiting(refused)[:BATCH_ENTRIES])
        grown, bad = _grow_logs(_without_sealed(waiting)) if waiting else ([], set[UUID]())
        done = [one for one in waiting if log_name(one.tenant_id) not in bad]
        UnsealedEntry.objects.filter(id__in=[one.id for one in done]).delete()
    write_checkpoints(growth.checkpoint.note for growth in grown)
    return len(done), bad


def _waiting(refused: Set[UUID]) -> QuerySet[UnsealedEntry]:
    latest = utc_now() + timedelta(seconds=SKEW_SECONDS)
    to_come = Entry.objects.filter(id=OuterRef("entry_id"), created_at__gt=latest)
    rows = UnsealedEntry.objects.exclude(Exists(to_come)).exclude(tenant_id__in=refused)
    return (rows.exclude(Q(tenant_id=None)) if log_name(None) in refused else rows).order_by("id")


def _without_sealed(waiting: Sequence[UnsealedEntry]) -> list[UnsealedEntry]:
    """Pass over entries that a leaf has already: each is sealed once, whoever lets it wait again."""
    rows = SealedEntry.objects.filter(entry_id__in=[one.entry_id for one in waiting])
    sealed = set(rows.values_list("entry_id", flat=True))
    for one in waiting:
        if one.entry_id in sealed:
            diary.error("the entry %s waits to be sealed, and a leaf has it already", one.entry_id)
    return [one for one in waiting if one.entry_id not in sealed]


def _grow_logs(waiting: Sequence[UnsealedEntry]) -> tuple[list[Growth], set[UUID]]:
    entries = Entry.objects.in_bulk([one.entry_id for one in waiting])
    by_log: defaultdict[UUID, list[Entry]] = defaultdict(list)
    for one in waiting:
        if one.entry_id in entries:
            by_log[log_name(one.tenant_id)].append(entries[one.entry_id])
        else:
            _tell_of_missing(one)
    logs, last, sizes = _logs(by_log), _last_checkpoints(by_log), _sizes(by_log)
    signers = {log_id: signer_of(log.origin) for log_id, log in logs.items()}
    now, grown = time.time(), []
    for log_id, log in logs.items():
        try:
            _check(log, last.get(log_id), sizes[log_id])
            grown.append(grow(log, last.get(log_id), by_log[log_id], signers[log_id], now=now))
        except (CheckpointRefused, LeafRefused) as refusal:
            diary.error("the log %s is not sealed: %s", log.origin, refusal)
    kept = _keep(grown)
    for growth in kept:
        keep_in_mind(growth.checkpoint, trusted_verifiers(logs[growth.checkpoint.log_id].origin))
    sealed = {one.checkpoint.log_id for one in kept}
    before = {logs[one]: sizes[one] for one in sealed}
    LogVerifier.objects.bulk_create(new_keys(before, signers))
    return kept, set(logs) - sealed


def _check(log: AuditLog, last: LogCheckpoint | None, size: int) -> None:
    """Hold a log of so many leaves against what was signed of it.

    Raises:
        CheckpointRefused: It is another, or has leaves beyond it.
    """
    verifiers = trusted_verifiers(log.origin)
    if last is not None and not is_known(last, verifiers):
        check_checkpoint(last, log.origin, verifiers)
    signed = 0 if last is None else last.size
    if size > signed:
        raise CheckpointRefused(f"it has leaves beyond the {signed} of its last checkpoint")


def _keep(grown: Sequence[Growth]) -> list[Growth]:
    """Insert all rows; where something stands in their way already, those of the other logs."""
    try:
        with transaction.atomic():
            _insert(grown)
    except IntegrityError:
        return [one for one in grown if _is_kept(one)]
    return list(grown)


def _is_kept(growth: Growth) -> bool:
    try:
        with transaction.atomic():
            _insert([growth])
    except IntegrityError as error:
        diary.error("the log %s is not sealed: %s", growth.checkpoint.log_id, error)
        return False
    return True


def _insert(grown: Sequence[Growth]) -> None:
    insert_many([leaf for growth in grown for leaf in growth.leaves])
    insert_many([node for growth in grown for node in growth.nodes])
    insert_many([growth.checkpoint for growth in grown])


def _tell_of_missing(lost: UnsealedEntry) -> None:
    """Record that an entry was deleted past the trigger before it was sealed; that is sealed with the next batch."""
    about = AuditObject("audit_entry", str(lost.entry_id), lost.tenant_id)
    record(LOST, about, actor="system", outcome="missing")


def _logs(wanted: Iterable[UUID]) -> dict[UUID, AuditLog]:
    """Read logs, and make those that are none yet."""
    ids = list(wanted)
    known = AuditLog.objects.in_bulk(ids)
    missing = [log_id for log_id in ids if log_id not in known]
    slugs = dict(Tenant.objects.filter(id__in=missing).values_list("id", "slug"))
    for log_id in missing:
        name = slugs.get(log_id, str(log_id)) if log_id.int else INSTALLATION
        known[log_id] = AuditLog.objects.create(
            id=log_id, tenant_id=log_id if log_id.int else None, origin=_free_origin(name, log_id)
        )
    return known


def _free_origin(name: str, log_id: UUID) -> str:
    """Name a log. A short name that was a deleted tenant's, or is the installation's word, is not given twice."""
    origin = f"{settings.AUDIT_ORIGIN}/{name}"
    is_taken = (log_id.int and name == INSTALLATION) or AuditLog.objects.filter(origin=origin).exists()
    return f"{origin}-{log_id}" if is_taken else origin


def _last_checkpoints(wanted: Iterable[UUID]) -> Mapping[UUID, LogCheckpoint]:
    rows = LogCheckpoint.objects.filter(log_id__in=list(wanted)).order_by("log_id", "-id").distinct("log_id")
    return {row.log_id: row for row in rows}


def _sizes(wanted: Iterable[UUID]) -> Mapping[UUID, int]:
    """Tell how many leaves logs have, by the numbers of the last ones."""
    last = SealedEntry.objects.filter(log_id=OuterRef("id")).order_by("-n").values("n")[:1]
    rows = AuditLog.objects.filter(id__in=list(wanted)).annotate(last=Subquery(last))
    return {log_id: 0 if n is None else n + 1 for log_id, n in rows.values_list("id", "last")}


def _is_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        return bool(cursor.fetchone()[0])
