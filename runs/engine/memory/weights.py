"""Estimate of the memory that an event of a journal takes, from its JSON text. Pure."""

import sys
from collections.abc import Mapping
from typing import Final

from kernel.types import Json

EVENT_BYTES: Final = 256
"""Bytes the engine keeps of an event beside the values in it."""
SMALL_BYTES: Final = 512
SMALL_FACTOR: Final = 4
"""A text below this size is not looked into: its values seldom take more than so many times its size."""
OBJECT_BYTES: Final = 200
ARRAY_BYTES: Final = 72
ITEM_BYTES: Final = 56
"""Bytes Python takes for an object, an array, and each further value in one."""
TOKEN_BYTES: Final = 1024
"""Bytes the core takes for an item in a branch."""
SUSPECT_BYTES: Final = 64 * 1024
CHARACTERS_PER_QUOTE: Final = 16


def weight_of(text: str, payload: Mapping[str, Json]) -> int:
    """Return about how many bytes an event takes, rather too many than too few.

    Args:
        text: Its payload as JSON.
        payload: The same; of it, only what a split says of its items is looked at.
    """
    if "items" in payload:
        items, edges = payload["items"], payload.get("edges")
        if isinstance(items, list) and isinstance(edges, list):
            return values_weight(text) + TOKEN_BYTES * len(items) * len(edges)
    return values_weight(text)


def values_weight(text: str) -> int:
    """Return the same of an event that starts no branches for items."""
    if len(text) < SMALL_BYTES:
        return EVENT_BYTES + SMALL_FACTOR * len(text)
    size = EVENT_BYTES + sys.getsizeof(text)
    parts = _parts(text)
    return size + (parts if parts < max(SUSPECT_BYTES, size) else _parts_outside_strings(text, parts))


def _parts_outside_strings(text: str, parts: int) -> int:
    """Count again where strings are long: they may be full of commas, which take no more than their own place."""
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    if unescaped.count('"') * CHARACTERS_PER_QUOTE > len(text):
        return parts
    return _parts("".join(unescaped.split('"')[::2]))


def _parts(text: str) -> int:
    return OBJECT_BYTES * text.count("{") + ARRAY_BYTES * text.count("[") + ITEM_BYTES * text.count(",")
