"""Personal values held against the entries that commit to them: what was changed, moved or taken away shows."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Max

from audit.log.leaves import commitment
from audit.models import Entry, PersonalValue
from audit.personal import SALT_BYTES, kept_values, persons_of
from audit.reading.files import entries_of
from kernel.clock import utc_now

ERASED: Final = "person.erased"
SHARED_FOR: Final = timedelta(hours=1)
"""Longest time between two entries that share a row: for as long a process that has not heard of an erasure may commit
to a row that is gone."""


def bad_values(tenant_id: UUID | None, entries: Collection[Entry], *, is_pruned: bool) -> Iterator[tuple[UUID, str]]:
    """Find entries whose personal values are not what they commit to, with a sentence.

    To be called in a scope that sees the log. A value may be gone only where an entry says that its person was erased.

    Args:
        tenant_id: Whose log it is.
        entries: Some entries of it.
        is_pruned: Whether entries before them were pruned, one of which a row may name.
    """
    kept = kept_values(entries)
    persons = {entry.id: persons_of(entry) for entry in entries}
    missing = {person for told in persons.values() for one, person in told.items() if one not in kept}
    erased = _erasures(tenant_id, missing)
    sources = {entry.id: entry.source for entry in entries}
    sources |= _sources_of({row.entry_id for row in kept.values()} - sources.keys())
    for entry in entries:
        for one, person in persons[entry.id].items():
            row, erased_at = kept.get(one), erased.get(person)
            if row is None:
                if erased_at is None or erased_at < entry.created_at - SHARED_FOR:
                    yield entry.id, f"a person's data of the entry {entry.id} is gone, and no entry says it was erased"
            elif not _opens(row):
                yield entry.id, f"a person's data of the entry {entry.id} is not what was committed to"
            elif row.person != person:
                yield entry.id, f"a person's data of the entry {entry.id} is kept as another's"
            elif row.entry_id != entry.id and not _is_shared(one, entry, row, sources, is_pruned=is_pruned):
                yield entry.id, f"a person's data of the entry {entry.id} is kept as another entry's"


def _erasures(tenant_id: UUID | None, persons: Collection[str]) -> dict[str, datetime]:
    """Tell when persons were erased last."""
    if not persons:
        return {}
    rows = entries_of(tenant_id).filter(
        action=ERASED, object_type="person", object_id__in=persons, created_at__lte=utc_now()
    )
    return dict(rows.values_list("object_id").annotate(at=Max("created_at")))


def _sources_of(entry_ids: Collection[UUID]) -> dict[UUID, str]:
    return dict(Entry.objects.filter(id__in=entry_ids).values_list("id", "source")) if entry_ids else {}


def _is_shared(one: str, entry: Entry, row: PersonalValue, sources: dict[UUID, str], *, is_pruned: bool) -> bool:
    """Whether a row of a source is rightly another entry's, which commits to it too, or was pruned."""
    return one == entry.source and sources.get(row.entry_id, one if is_pruned else "") == one


def _opens(row: PersonalValue) -> bool:
    """Whether a row is what was committed to; a salt of another length has taken some of the value, or given some."""
    salt = bytes(row.salt)
    return len(salt) == SALT_BYTES and commitment(salt, row.value) == row.commitment
