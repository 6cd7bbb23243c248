"""Identifiers: time-ordered, made here, the same everywhere."""

import uuid
from typing import Final

from uuid_utils.compat import uuid7

ID_FORM: Final = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
"""Form of what ``parse_id`` takes, for those who want to tell others of it."""


def new_id() -> uuid.UUID:
    """Make a new identifier (UUID version 7: sorts by the time it was made)."""
    return uuid7()


def parse_id(text: object) -> uuid.UUID | None:
    """Read an identifier in its canonical spelling.

    Args:
        text: What a caller sent; only 36 characters with hyphens are an id, in either case.

    Returns:
        The identifier, or None for anything else, so that a wrong spelling is simply "not found".
    """
    if not isinstance(text, str) or len(text) != 36:
        return None
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
