"""Webhook endpoints as callers see them: what fills the shapes of ``runs.webhooks.serializers``."""

from typing import Any

import orjson

from kernel.clock import utc_now
from runs.callbacks.presentation import delivery_body
from runs.models import Delivery, WebhookEndpoint
from runs.webhooks.secrets import public_key
from tenants.callback_signing.secrets import BOTH_SIGN_FOR


def endpoint_body(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """Fill an ``EndpointShape``."""
    until = endpoint.secret_at + BOTH_SIGN_FOR
    return {
        "id": endpoint.id,
        "host": endpoint.host,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "segments": endpoint.segments,
        "severity": endpoint.severity,
        "thin": endpoint.is_thin,
        "signing": endpoint.signing,
        "public_key": public_key(endpoint),
        "enabled": not endpoint.is_disabled,
        "disabled_reason": endpoint.disabled_reason or None,
        "failing_since": endpoint.failing_since,
        "last_sequence": endpoint.sequence,
        "secret_created_at": endpoint.secret_at,
        "previous_secret_until": until if endpoint.secret_before and until > utc_now() else None,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def new_endpoint_body(endpoint: WebhookEndpoint, secret: str) -> dict[str, Any]:
    """Fill a ``NewEndpointShape``."""
    return {**endpoint_body(endpoint), "secret": secret or None}


def endpoint_delivery_body(delivery: Delivery) -> dict[str, Any]:
    """Fill an ``EndpointDeliveryShape``."""
    return {**delivery_body(delivery), "body": orjson.loads(delivery.body)}


def endpoint_event_body(delivery: Delivery) -> dict[str, Any]:
    """Fill an ``EndpointEventShape``."""
    return {
        "sequence": delivery.sequence,
        "webhook_id": delivery.webhook_id,
        "status": delivery.status,
        "body": orjson.loads(delivery.body),
    }
