"""Source addresses that this process has just committed to: later entries use the same commitment, and need no row."""

from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from kernel.bounded_cache import BoundedCache
from kernel.clock import utc_now

KNOWN_SOURCES: Final = 20_000
"""Addresses that are remembered: those used longest ago make room, and get another row when they come again."""


class SourceKey(NamedTuple):
    """One person's requests from one address within one hour, in the log of one tenant or of the installation."""

    tenant_id: UUID | None
    person: str
    address: str
    hour: int


class _KnownSource(NamedTuple):
    key: SourceKey
    commitment: str


_known: Final[BoundedCache[SourceKey, _KnownSource]] = BoundedCache(KNOWN_SOURCES)


def source_key(tenant_id: UUID | None, person: str, address: str) -> SourceKey:
    """Name what shares a commitment with requests of now."""
    return SourceKey(tenant_id, person, address, int(utc_now().timestamp()) // 3600)


def known_source(key: SourceKey) -> str | None:
    """Return the commitment whose row this process has seen committed; None where there is none."""
    known = _known.get(key)
    return None if known is None else known.commitment


def remember_source(key: SourceKey, commitment: str) -> None:
    """Use a commitment again, once the open transaction, which inserts its row, is committed."""
    if connection.in_atomic_block:
        transaction.on_commit(partial(_known.put, key, _KnownSource(key, commitment)))


def forget_sources(tenant_id: UUID | None, person: str) -> None:
    """Use none of a person's commitments again, once the open transaction, which deletes their rows, is committed."""
    transaction.on_commit(lambda: _known.drop(lambda known: known.key[:2] == (tenant_id, person)))


def forget_all_sources() -> None:
    """Use no commitment again."""
    _known.clear()
