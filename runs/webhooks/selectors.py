"""Queries of webhook endpoints and their deliveries."""

from uuid import UUID

from foundation.pages import newest_page
from foundation.scope import reading_scope, tenant_scope
from kernel.ids import parse_id
from kernel.paging import Page
from runs.callbacks.selectors import deliveries_with_log
from runs.errors import WebhookEndpointNotFound
from runs.models import Delivery, WebhookEndpoint
from tenants.models import Tenant


def read_endpoint_id(text: str) -> UUID:
    """Read an id out of an address.

    Raises:
        WebhookEndpointNotFound: No endpoint can have that id.
    """
    endpoint_id = parse_id(text)
    if endpoint_id is None:
        raise WebhookEndpointNotFound
    return endpoint_id


def get_endpoint(*, tenant: Tenant, endpoint_id: UUID) -> WebhookEndpoint:
    """Read an endpoint.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
    """
    with tenant_scope(tenant.id):
        found = WebhookEndpoint.objects.filter(id=endpoint_id, deleted_at=None).first()
    if found is None:
        raise WebhookEndpointNotFound
    return found


def list_endpoints(*, tenant: Tenant, cursor: str | None, limit: int) -> Page[WebhookEndpoint]:
    """Read one page of a tenant's endpoints, newest first.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    with reading_scope(tenant.id):
        return newest_page(WebhookEndpoint.objects.filter(deleted_at=None), cursor=cursor, limit=limit)


def list_endpoint_deliveries(
    *, tenant: Tenant, endpoint_id: UUID, cursor: str | None, limit: int, status: str | None = None
) -> Page[Delivery]:
    """Read one page of an endpoint's deliveries with their tries, newest first.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
        CursorRefused: Not a cursor of ours.
    """
    endpoint = get_endpoint(tenant=tenant, endpoint_id=endpoint_id)
    wanted = {"status": status} if status else {}
    with reading_scope(tenant.id):
        rows = deliveries_with_log().defer(None).filter(endpoint=endpoint, **wanted)
        return newest_page(rows, cursor=cursor, limit=limit)


def list_endpoint_events(*, tenant: Tenant, endpoint_id: UUID, after: int, limit: int) -> tuple[list[Delivery], bool]:
    """Read what an endpoint is told behind a place in its sequence, in order, whatever became of each delivery.

    Returns:
        The deliveries, and whether there are more.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
    """
    endpoint = get_endpoint(tenant=tenant, endpoint_id=endpoint_id)
    with reading_scope(tenant.id):
        rows = Delivery.objects.filter(endpoint=endpoint, sequence__gt=after).order_by("sequence")
        found = list(rows[: limit + 1])
    return found[:limit], len(found) > limit
