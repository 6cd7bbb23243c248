"""Entries as callers read them: a page at a time, with their numbers."""

from datetime import datetime
from typing import Final
from uuid import UUID

from audit.models import Entry, PersonalValue
from audit.personal import kept_values
from audit.reading.files import leaves_of
from foundation.pages import bytes_of, newest_page
from foundation.scope import tenant_scope
from kernel.paging import Page

MAX_LEAF_NUMBER: Final = 2**63 - 1


def read_leaf_number(text: str) -> int | None:
    """Read the number of a leaf in its one spelling; None where it is none."""
    is_plain = text == "0" or (text.isascii() and text.isdigit() and len(text) < 20 and not text.startswith("0"))
    number = int(text) if is_plain else None
    return None if number is None or number > MAX_LEAF_NUMBER else number


def list_entries(
    *,
    tenant_id: UUID,
    cursor: str | None,
    limit: int,
    action: str | None = None,
    actor: str | None = None,
    object: str | None = None,  # noqa: A002 - the caller's word
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[Page[Entry], dict[UUID, int], dict[str, PersonalValue]]:
    """Read a page of a tenant's entries, the newest first.

    Args:
        tenant_id: The tenant.
        cursor: Where the page starts; None for the first.
        limit: Entries per page.
        action: The whole word.
        actor: The whole name.
        object: A type (``segment``), or a type and an id (``segment:order``).
        since: Entries at this time or later.
        until: Entries before this time.

    Returns:
        The page, the numbers of those of them that are sealed, and what is kept of the personal data in them.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    kind, parted, object_id = (object or "").partition(":")
    wanted = {
        "action": action,
        "actor": actor,
        "object_type": None if object is None else kind,
        "object_id": object_id if parted else None,
        "created_at__gte": since,
        "created_at__lt": until,
    }
    with tenant_scope(tenant_id):
        rows = Entry.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
        page = newest_page(rows, cursor=cursor, limit=limit, weight=bytes_of("before", "after"))
        ids = [entry.id for entry in page.rows]
        numbers = dict(leaves_of(tenant_id).filter(entry_id__in=ids).values_list("entry_id", "n"))
        return page, numbers, kept_values(page.rows)
