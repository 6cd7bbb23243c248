"""Identifiers: time-ordered, made here, the same everywhere."""

import uuid

from uuid_utils.compat import uuid7


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
