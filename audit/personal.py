"""Personal data of entries: what is committed to in place of being written, and how it is shown again.

An entry has ``sha256:<hex>`` where a person's data would stand; the data and the salt are a row that can be erased
without a change to the entry, or to the log that has sealed it.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from audit.known_sources import SourceKey, known_source, remember_source, source_key
from audit.log.leaves import commitment
from audit.models import Entry, PersonalValue
from kernel.actors import chain
from kernel.types import Json

ALWAYS_PERSONAL: Final = frozenset({"email", "first_name", "last_name", "username"})
"""Members of ``before`` and ``after`` that are committed to, whoever records them."""
ERASED: Final = "erased"
"""Shown where the data is gone."""
SALT_BYTES: Final = 16
_COMMITMENT: Final = re.compile("sha256:[0-9a-f]{64}")


def commit_to_personal(
    entry: Entry, *, source_address: str | None, personal: Collection[str] = ()
) -> list[PersonalValue]:
    """Take a person's data out of an entry that is not written yet; return the rows that keep it.

    Entries of one person's requests from one address within one hour commit to it by one row, which the first of them
    brings along; so the rows are to be inserted with the entry, in the open transaction.

    Args:
        entry: Gets commitments in place of the data.
        source_address: Where the request came from.
        personal: Members of ``before`` and ``after`` beside ``ALWAYS_PERSONAL``. Only texts are taken; one that looks
            like a commitment is taken too, so that what looks like one is one.
    """
    actor, subject = _actor_of(entry), _subject_of(entry)
    members = ALWAYS_PERSONAL.union(personal)
    found: list[PersonalValue] = []

    def take(value: str, person: str) -> str:
        salt = os.urandom(SALT_BYTES)
        row = PersonalValue(
            commitment=commitment(salt, value),
            tenant_id=entry.tenant_id,
            entry_id=entry.id,
            person=person,
            salt=salt,
            value=value,
        )
        found.append(row)
        return row.commitment

    def without(change: Json) -> Json:
        if not isinstance(change, dict):
            return change
        return {
            name: take(value, subject if name in ALWAYS_PERSONAL else actor)
            if isinstance(value, str) and value and (name in members or _is_commitment(value))
            else value
            for name, value in change.items()
        }

    entry.before, entry.after = without(entry.before), without(entry.after)
    if source_address:
        key = source_key(entry.tenant_id, actor, source_address)
        entry.source = known_source(key) or _new_source(key, take(source_address, actor))
    return found


def _new_source(key: SourceKey, made: str) -> str:
    remember_source(key, made)
    return made


def persons_of(entry: Entry) -> dict[str, str]:
    """Tell whose data an entry commits to, by commitment."""
    persons = {
        value: _subject_of(entry) if name in ALWAYS_PERSONAL else _actor_of(entry)
        for change in (entry.before, entry.after)
        if isinstance(change, dict)
        for name, value in change.items()
        if isinstance(value, str) and _is_commitment(value)
    }
    return persons | ({entry.source: _actor_of(entry)} if entry.source else {})


def _actor_of(entry: Entry) -> str:
    return (chain(entry.actor) or (entry.actor,))[-1]


def _subject_of(entry: Entry) -> str:
    return f"user:{entry.object_id}" if entry.object_type == "user" else _actor_of(entry)


def _is_commitment(value: str) -> bool:
    return _COMMITMENT.fullmatch(value) is not None


def commitments_in(*values: Json) -> Iterator[str]:
    """Find the commitments in values, at any depth."""
    for value in values:
        if isinstance(value, str):
            if _is_commitment(value):
                yield value
        elif isinstance(value, dict):
            yield from commitments_in(*value.values())
        elif isinstance(value, list):
            yield from commitments_in(*value)


def kept_values(entries: Iterable[Entry]) -> dict[str, PersonalValue]:
    """Read what is still there of the personal data of entries, by commitment, with one look-up for all."""
    wanted = {one for entry in entries for one in commitments_in(entry.before, entry.after, entry.source)}
    return {row.commitment: row for row in PersonalValue.objects.filter(commitment__in=wanted)} if wanted else {}


def with_values(value: Json, kept: Mapping[str, PersonalValue]) -> Json:
    """Put personal data back in the places of its commitments; ``erased`` where it is gone."""
    if isinstance(value, str) and _is_commitment(value):
        return kept[value].value if value in kept else ERASED
    if isinstance(value, dict):
        return {name: with_values(member, kept) for name, member in value.items()}
    return [with_values(member, kept) for member in value] if isinstance(value, list) else value
