"""Versioned documents: rows with immutable versions, numbered from 1, of which one is current."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.db.models import Max, Model, QuerySet

from audit.services import record
from kernel.clock import utc_now
from kernel.paging import CursorRefused, Page
from kernel.types import Json
from segments.preconditions import NOTHING_REQUIRED, Preconditions
from tenants.limits.room import check_room

Row = TypeVar("Row", bound=Model)

MAX_NUMBER: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document, and what its parts are called.

    Attributes:
        noun: The document, in the audit; with an s behind it the bound of how many there are.
        version_noun: One of its versions, likewise.
        versions: The relation to its versions; each has a ``number`` and a ``content_hash``.
        current: The field with the current one.
    """

    noun: str
    version_noun: str
    versions: str
    current: str

    def shown(self, version: Any) -> Json:
        """Write a version as the audit has it."""
        return None if version is None else {self.version_noun: version.number, "content_hash": version.content_hash}


SEGMENT: Final = DocumentKind("segment", "revision", "revisions", "current_revision")
PROMPT: Final = DocumentKind("prompt", "version", "versions", "current_version")


def lock_document(rows: QuerySet[Row], kind: DocumentKind, **named: Any) -> Row:
    """Find or make a document and lock its row until the transaction ends, so that numbers have no gaps.

    Raises:
        TooManyKept: The tenant has as many of the kind as it may, and none of this name.
    """
    made, is_new = rows.get_or_create(**named)
    if is_new:
        check_room(f"{kind.noun}s", rows.count() - 1)
    return rows.select_for_update(of=("self",)).select_related(kind.current).get(pk=made.pk)


def tag_of(document: Any, kind: DocumentKind) -> str | None:
    """Give the entity tag of a document's present content; None where it has none yet."""
    current = getattr(document, kind.current)
    return None if current is None else f'"{current.content_hash}"'


def find_or_add_version(
    document: Any, kind: DocumentKind, *, digest: str, contents: Callable[[], dict[str, Any]]
) -> tuple[Any, bool]:
    """Give the version of a content, with the next number where it is new. To be called while the document is locked.

    Args:
        document: Whose.
        kind: What it is.
        digest: The hash of the content, which names it.
        contents: Makes the fields of a new version.

    Returns:
        The version, and whether it is new.

    Raises:
        TooManyKept: It is new, and the document has as many as it may.
    """
    versions = getattr(document, kind.versions)
    known = versions.filter(content_hash=digest).first()
    if known is not None:
        return known, False
    last = versions.aggregate(last=Max("number"))["last"] or 0
    check_room(f"{kind.version_noun}s", last)
    fields = {"tenant_id": document.tenant_id, "number": last + 1, "content_hash": digest, **contents()}
    return versions.create(**fields), True


def point_to(document: Any, kind: DocumentKind, version: Any, *, actor: str, **fields: Any) -> None:
    """Make a version the current one, take the document out of the archive and tell the audit.

    Nothing is written when the version is current already.

    Args:
        document: Whose; locked.
        kind: What it is.
        version: One of its versions.
        actor: For the audit.
        fields: What else of the document changes with it.
    """
    before = getattr(document, kind.current)
    if before == version and document.archived_at is None:
        return
    changed = {**fields, kind.current: version, "archived_at": None, "updated_at": utc_now()}
    for name, value in changed.items():
        setattr(document, name, value)
    document.save(update_fields=list(changed))
    record(f"{kind.noun}.saved", document, actor=actor, before=kind.shown(before), after=kind.shown(version))


def archive(
    rows: QuerySet[Any], kind: DocumentKind, *, actor: str, preconditions: Preconditions = NOTHING_REQUIRED
) -> bool:
    """Take a document out of lists; its versions stay. Repeating it changes nothing.

    Returns:
        Whether there is one.

    Raises:
        RevisionMismatch: The present content is not what ``preconditions`` require.
    """
    document = rows.select_for_update(of=("self",)).select_related(kind.current).first()
    if document is None:
        return False
    preconditions.check(tag_of(document, kind))
    if document.archived_at is None:
        document.archived_at = document.updated_at = utc_now()
        document.save(update_fields=["archived_at", "updated_at"])
        record(f"{kind.noun}.archived", document, actor=actor)
    return True


def page_of_versions(rows: QuerySet[Row], *, cursor: str | None, limit: int) -> Page[Row]:
    """Read one page of versions, newest first. To be called inside the tenant's scope.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    below = read_number(cursor) if cursor else None
    if cursor and below is None:
        raise CursorRefused
    rows = rows.order_by("-number")
    found = list((rows.filter(number__lt=below) if below else rows)[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    last: Any = found[limit - 1]
    return Page(found[:limit], str(last.number))


def read_number(text: str) -> int | None:
    """Read the number of a version in its one spelling; None where it is none."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or text.startswith("0"):
        return None
    number = int(text)
    return number if number <= MAX_NUMBER else None
