"""Queries of connections."""

from collections.abc import Collection, Mapping

from django.db.models.fields.json import KeyTextTransform

from foundation.pages import newest_page
from foundation.scope import reading_scope
from kernel.paging import Page
from tenants.errors import ConnectionNotFound
from tenants.models import Connection, ConnectionKind, Tenant


def get_connection(*, tenant: Tenant, ref: str) -> Connection:
    """Read one connection.

    Raises:
        ConnectionNotFound: The tenant has none of this name.
    """
    with reading_scope(tenant.id):
        row = Connection.objects.filter(ref=ref[:64]).first() if "\x00" not in ref else None
    if row is None or row.ref != ref:
        raise ConnectionNotFound
    return row


def list_connections(*, tenant: Tenant, cursor: str | None, limit: int) -> Page[Connection]:
    """Read one page of connections, newest first.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    with reading_scope(tenant.id):
        return newest_page(Connection.objects.all(), cursor=cursor, limit=limit)


def providers_of(refs: Collection[str]) -> set[str]:
    """Tell which providers some connections of the tenant in scope name; those that are switched off name none."""
    rows = Connection.objects.filter(ref__in=refs, kind=ConnectionKind.LLM, is_active=True)
    return set(rows.values_list("provider", flat=True))


def closed_to_tools(*, tenant: Tenant) -> frozenset[str]:
    """Tell which active connections of a tenant models may not call."""
    with reading_scope(tenant.id):
        return frozenset(Connection.objects.filter(is_active=True, allows_tools=False).values_list("ref", flat=True))


def honouring_keys(*, tenant: Tenant) -> frozenset[str]:
    """Tell which active connections of a tenant lead to servers that honour idempotency keys."""
    with reading_scope(tenant.id):
        rows = Connection.objects.alias(honours=KeyTextTransform("honours_idempotency_key", "options"))
        return frozenset(rows.filter(is_active=True, honours="true").values_list("ref", flat=True))


def connection_kinds(*, tenant: Tenant) -> Mapping[str, str]:
    """Tell which active connections a tenant has: kind by ref."""
    with reading_scope(tenant.id):
        return dict(Connection.objects.filter(is_active=True).values_list("ref", "kind"))
