"""Digests of journals as docs/explanation/audit.md defines them, worked out without the product's code."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from foundation.scope import unscoped

StoredEvent = tuple[int, str, str | None, int | None, int | None, int, str]
"""Number, type, step, activation, attempt, microseconds since 1970, the payload's text."""


def stored_events(run_id: UUID) -> list[StoredEvent]:
    with unscoped("a test reads the stored text"), connection.cursor() as cursor:
        cursor.execute(
            "select seq, type, step_id, activation, attempt, (extract(epoch from created_at) * 1000000)::bigint,"
            " payload::text from runs_runevent where run_id = %s order by seq",
            [run_id],
        )
        return cursor.fetchall()


def digest_of(events: Iterable[Any]) -> bytes:
    digest = b""
    for *head, text in events:
        line = json.dumps(head, separators=(",", ":"), ensure_ascii=False) + text
        digest = hashlib.sha256(digest + line.encode()).digest()
    return digest
