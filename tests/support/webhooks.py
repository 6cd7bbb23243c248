"""Webhook endpoints as callers make them, what they were sent, and what became of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.models import Delivery, WebhookEndpoint
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.support.engine import wait_for
from tests.support.http_server import RecordedRequest

ENDPOINTS = "/api/v1/webhook-endpoints"


def client_for(tenant: Tenant) -> APIClient:
    """Make a client with a key of a tenant."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {create_api_key(tenant=tenant, name='tests').text}")
    client.default_format = "json"
    return client


def make_endpoint(client: APIClient, url: str, **fields: Any) -> dict[str, Any]:
    """Make an endpoint by the API."""
    made = client.post(ENDPOINTS, {"url": url, **fields})
    assert made.status_code == 201, made.content
    answer: dict[str, Any] = made.json()
    return answer


def deliveries_to(endpoint_id: str | UUID) -> list[Delivery]:
    """All deliveries of an endpoint in the order of its events."""
    with unscoped("tests look everywhere"):
        return list(Delivery.objects.filter(endpoint_id=endpoint_id).order_by("sequence"))


def statuses_of(endpoint_id: str | UUID) -> list[str]:
    return [delivery.status for delivery in deliveries_to(endpoint_id)]


def wait_for_statuses(endpoint_id: str | UUID, wanted: Sequence[str], *, seconds: float = 15) -> list[Delivery]:
    """Wait until the endpoint's deliveries have these statuses, in their order."""
    wait_for(
        lambda: statuses_of(endpoint_id) == list(wanted),
        seconds=seconds,
        what=f"{[(one.type, one.status, one.attempts) for one in deliveries_to(endpoint_id)]}",
    )
    return deliveries_to(endpoint_id)


def endpoint_row(endpoint_id: str | UUID) -> WebhookEndpoint:
    with unscoped("tests look everywhere"):
        return WebhookEndpoint.objects.get(id=endpoint_id)


def types_sent(calls: Sequence[RecordedRequest]) -> list[str]:
    return [call.json()["type"] for call in calls]
