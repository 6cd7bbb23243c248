"""The bound of every journal, and the digest that runs through it."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_2000: Final = 946_684_800
"""Second since 1970 that Postgres counts from."""


def chain(digest: bytes, head: Sequence[str | int | None], payload: bytes) -> bytes:
    """Continue a journal's running digest by one event; the digest of no event is empty.

    Args:
        digest: The digest so far.
        head: The event's number, type, step, activation, attempt, and its time in microseconds since 1970.
        payload: The stored bytes of its payload.
    """
    return hashlib.sha256(digest + orjson.dumps(head) + payload).digest()


def chain_row(digest: bytes, row: Sequence[Any]) -> bytes:
    """Continue a digest by an event as ``store.journals.load_journal`` returns it."""
    *head, payload, at = row
    return chain(digest, [*head, microseconds_stored(at)], payload.encode())


def microseconds_of(at: datetime) -> int:
    """Count the microseconds since 1970."""
    return (at - _BEGINNING) // timedelta(microseconds=1)


def microseconds_stored(at: float) -> int:
    """Round a time in seconds since 1970 as Postgres does when it makes a timestamp of it."""
    return round((at - _YEAR_2000) * 1e6) + _YEAR_2000 * 1_000_000
