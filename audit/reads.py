"""Reads of the audit, told to the audit itself: once an hour for each caller and kind of read."""

import hashlib
from contextlib import suppress
from functools import partial
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from audit.models import Entry
from audit.services import new_rows
from audit.types import AuditObject
from foundation.inserts import insert_together
from foundation.scope import tenant_scope
from kernel.bounded_cache import BoundedCache
from kernel.clock import utc_now

KNOWN_READS: Final = 20_000
HOUR_SECONDS: Final = 3600
_known: Final[BoundedCache[UUID, bool]] = BoundedCache(KNOWN_READS)


def record_read(*, tenant_id: UUID, actor: str, kind: str) -> None:
    """Tell the log of a tenant that somebody reads it, in a transaction of its own.

    Of all reads of one kind by one caller within an hour the first is told, whichever process serves it.

    Args:
        tenant_id: Whose log.
        actor: Who reads.
        kind: What is read, a word.
    """
    entry_id = _id_of(tenant_id, actor, kind, int(utc_now().timestamp()) // HOUR_SECONDS)
    if _known.get(entry_id):
        return
    with suppress(IntegrityError), tenant_scope(tenant_id):  # another process may be first
        if not Entry.objects.filter(id=entry_id).exists():
            about = AuditObject("audit_log", str(tenant_id), tenant_id)
            entry, *rows = new_rows("audit.read", about, actor=actor, after={"kind": kind})
            entry.id = entry_id
            for row in rows:
                row.entry_id = entry_id  # type: ignore[attr-defined]  # a PersonalValue
            insert_together(entry, *rows)
        transaction.on_commit(partial(_known.put, entry_id, True))


def _id_of(tenant_id: UUID, actor: str, kind: str, hour: int) -> UUID:
    """Make the one id of such an entry (UUID version 7 of the hour's beginning)."""
    drawn = hashlib.sha256(f"{tenant_id}\n{actor}\n{kind}\n{hour}".encode()).digest()
    made = UUID(bytes=(hour * HOUR_SECONDS * 1000).to_bytes(6, "big") + drawn[:10])
    variant = made.int & ~(0xF << 76 | 0b11 << 62)
    return UUID(int=variant | 0x7 << 76 | 0b10 << 62)
