"""Queries of segments and of the catalog they are drawn from."""

import re
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, NullIf

from foundation.pages import bytes_of, newest_page
from foundation.scope import reading_scope, tenant_scope
from kernel.canonical import content_hash
from kernel.paging import Page
from segments.catalog import Catalog
from segments.errors import RevisionNotFound, SegmentArchived, SegmentNotFound, StepTypeNotFound
from segments.installed import installed_catalog, installed_connections
from segments.known_revisions import known_revisions
from segments.models import Revision, Segment
from segments.versioned import SEGMENT, page_of_versions, read_number, tag_of
from tenants.connections.selectors import closed_to_tools, connection_kinds, honouring_keys
from tenants.models import Tenant

SEGMENT_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def catalog() -> Catalog:
    """Return the step types of this installation.

    The app that has their handlers supplies them.
    """
    return installed_catalog()


def connections_of(tenant: Tenant) -> dict[str, str]:
    """Tell which connections a tenant's steps may name, kind by ref: its own, and those of the installation.

    The app that calls them supplies the latter.
    """
    return {**installed_connections(), **connection_kinds(tenant=tenant)}


def refs_closed_to_tools(tenant: Tenant) -> frozenset[str]:
    """Tell which of a tenant's own connections models may not call."""
    return closed_to_tools(tenant=tenant)


def refs_honouring_keys(tenant: Tenant) -> frozenset[str]:
    """Tell which of a tenant's own connections lead to servers that honour idempotency keys."""
    return honouring_keys(tenant=tenant)


@cache
def catalog_etag() -> str:
    """Return the entity tag of the whole catalog; it changes only with the installed code."""
    return f'"{content_hash(catalog().export_for_ui())}"'


def get_card(*, type_id: str) -> dict[str, Any]:
    """Read one step type's card.

    Raises:
        StepTypeNotFound: The catalog has no such type.
    """
    step_type = catalog().get(type_id)
    if step_type is None:
        raise StepTypeNotFound
    return step_type.card()


def is_segment_id(text: str) -> bool:
    """Whether a text from an address can be a segment's id at all."""
    return SEGMENT_ID.fullmatch(text) is not None


def etag_of(segment: Segment) -> str | None:
    """Return the entity tag of a segment's present content; None before it has any."""
    return tag_of(segment, SEGMENT)


def get_segment(*, tenant: Tenant, segment_id: str) -> Segment:
    """Read a segment with its current revision, archived or not.

    Raises:
        SegmentNotFound: The tenant has no such segment.
    """
    if not is_segment_id(segment_id):
        raise SegmentNotFound
    with reading_scope(tenant.id):
        # Not `first`, which would have the database sort one row.
        found = list(Segment.objects.filter(segment_id=segment_id).select_related("current_revision"))
    if not found:
        raise SegmentNotFound
    return found[0]


def get_startable(*, tenant: Tenant, segment_id: str) -> Revision:
    """Read what a start of a segment executes: its current revision.

    Raises:
        SegmentNotFound: The tenant has no such segment.
        SegmentArchived: It is archived.
        RevisionNotFound: It has no revision.
    """
    if not is_segment_id(segment_id):
        raise SegmentNotFound
    with reading_scope(tenant.id):
        rows = Segment.objects.filter(segment_id=segment_id).values_list("archived_at", "current_revision_id")
        for archived_at, revision_id in rows:
            check_startable(segment_id, archived_at)
            if revision_id is None:
                raise RevisionNotFound
            return _revision(revision_id)
    raise SegmentNotFound


def check_startable(segment_id: str, archived_at: datetime | None) -> None:
    """Refuse what may not run.

    Raises:
        SegmentArchived: It is archived.
    """
    if archived_at is not None:
        raise SegmentArchived(
            f"The segment {segment_id!r} is archived. Save it again to start it.", extra={"state": "archived"}
        )


def _revision(revision_id: UUID) -> Revision:
    revision = known_revisions.find(revision_id)
    if revision is None:
        revision = Revision.objects.get(id=revision_id)
        known_revisions.remember(revision)
    return revision


def segment_name(way: str = "") -> Coalesce:
    """Name the segment of a row, to annotate a query with: by its name, by its id where it has none.

    Args:
        way: From a row to the one that has ``tenant`` and ``segment_id``, as ``run__``.
    """
    name = _segments_of_rows(way).values("name")[:1]
    return Coalesce(NullIf(Subquery(name), Value("")), F(f"{way}segment_id"))


def of_segment_called(text: str, way: str = "") -> Q:
    """Keep rows of segments that have a text in their id or name, in any case.

    Args:
        text: What a person typed.
        way: As ``segment_name`` takes it.
    """
    named = Exists(_segments_of_rows(way).filter(name__icontains=text))
    return Q(**{f"{way}segment_id__icontains": text}) | Q(named)


def _segments_of_rows(way: str) -> QuerySet[Segment]:
    return Segment.objects.filter(tenant=OuterRef(f"{way}tenant"), segment_id=OuterRef(f"{way}segment_id"))


def list_segments(
    *, tenant: Tenant, cursor: str | None, limit: int, archived: bool = False, q: str | None = None
) -> Page[Segment]:
    """Read one page of segments, newest first.

    Args:
        tenant: Owner.
        cursor: Where the page starts; None for the first.
        limit: Rows per page.
        archived: Read the archived ones instead of the others.
        q: A text that their id or name has, in any case.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    has_text = Q(segment_id__icontains=q) | Q(name__icontains=q) if q else Q()
    with tenant_scope(tenant.id):
        rows = Segment.objects.filter(has_text, archived_at__isnull=not archived).select_related("current_revision")
        rows = rows.defer("current_revision__definition", "current_revision__step_types")
        return newest_page(rows, cursor=cursor, limit=limit, weight=bytes_of("description"))


def list_revisions(*, tenant: Tenant, segment_id: str, cursor: str | None, limit: int) -> Page[Revision]:
    """Read one page of a segment's revisions, newest first.

    Raises:
        SegmentNotFound: The tenant has no such segment.
        CursorRefused: Not a cursor of ours.
    """
    segment = get_segment(tenant=tenant, segment_id=segment_id)
    with tenant_scope(tenant.id):
        rows = segment.revisions.select_related("segment").defer("definition", "step_types")
        return page_of_versions(rows, cursor=cursor, limit=limit)


def get_revision(*, tenant: Tenant, segment_id: str, number: str | int | None = None) -> Revision:
    """Read one revision of a segment; the current one when no number is given.

    Raises:
        SegmentNotFound: The tenant has no such segment.
        RevisionNotFound: The segment has no such revision.
    """
    segment = get_segment(tenant=tenant, segment_id=segment_id)
    if number is None:
        if segment.current_revision is None:
            raise RevisionNotFound
        return segment.current_revision
    wanted = read_number(str(number))
    if wanted is None:
        raise RevisionNotFound
    with reading_scope(tenant.id):
        revision = segment.revisions.select_related("segment").filter(number=wanted).first()
    if revision is None:
        raise RevisionNotFound
    return revision
