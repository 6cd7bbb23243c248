"""Differences between two JSON values: each changed place, and in its texts the words that went and came. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from kernel.schemas.reading import Schema, as_schema, label_of, resolve
from kernel.types import Json
from kernel.values import dump_json, shortened

MAX_CHANGES: Final = 100
MAX_WORDS: Final = 500
"""Most words of a text that are compared one by one; of a longer one both are shown whole."""
MAX_WORDS_OF_ALL: Final = 3_000
"""The same of all places together."""
MAX_TEXT: Final = 5_000
"""Most characters shown of a value; it stands whole beside what was decided."""
_WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class DiffPart:
    """Words of a text; ``kind`` is ``same``, ``gone`` or ``new``."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ChangedPlace:
    """One place that differs: its labels from the outermost on, and its words."""

    label: str
    parts: tuple[DiffPart, ...]


def changed_places(before: Json, after: Json, schema: Json = None) -> list[ChangedPlace]:
    """List where two values differ, in the order of what was shown; at most ``MAX_CHANGES``."""
    root = as_schema(schema)
    found: list[ChangedPlace] = []
    left = MAX_WORDS_OF_ALL
    for label, old, new in _changes(before, after, root, root, ()):
        if len(found) == MAX_CHANGES:
            break
        parts = word_diff(old, new, most=min(left, MAX_WORDS))
        left -= sum(len(_WORDS.findall(part.text)) for part in parts)
        found.append(ChangedPlace(label, parts))
    return found


def word_diff(before: str, after: str, *, most: int = MAX_WORDS) -> tuple[DiffPart, ...]:
    """Tell two texts apart, word by word, where neither has over ``most`` words."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    if max(len(old), len(new)) > most:
        return tuple(part for part in (DiffPart("gone", before), DiffPart("new", after)) if part.text)
    parts: list[DiffPart] = []
    for kind, start, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(DiffPart("same", "".join(old[start:end])))
            continue
        parts += [DiffPart("gone", "".join(old[start:end]))] if end > start else []
        parts += [DiffPart("new", "".join(new[begin:stop]))] if stop > begin else []
    return tuple(parts)


_ABSENT: Final = object()


def _changes(
    before: object, after: object, schema: Schema, root: Schema, place: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    if isinstance(before, dict) and isinstance(after, dict):
        known = as_schema(schema.get("properties"))
        for key in dict.fromkeys([*before, *after]):
            inner = resolve(as_schema(known.get(key)), root)
            label = (*place, label_of(inner, key))
            yield from _changes(before.get(key, _ABSENT), after.get(key, _ABSENT), inner, root, label)
    elif isinstance(before, list) and isinstance(after, list):
        inner = resolve(as_schema(schema.get("items")), root)
        for index in range(max(len(before), len(after))):
            old, new = (side[index] if index < len(side) else _ABSENT for side in (before, after))
            yield from _changes(old, new, inner, root, (*place, str(index + 1)))
    elif _text(before) != _text(after):
        yield " / ".join(place), _text(before), _text(after)


def _text(value: object) -> str:
    if value is _ABSENT:
        return ""
    return shortened(value if isinstance(value, str) else dump_json(value), MAX_TEXT)  # type: ignore[arg-type]  # JSON
