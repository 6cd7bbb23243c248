"""One try to deliver a callback: through the egress client, signed, bounded, recorded without secrets."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import httpx

from kernel.bounded_cache import BoundedCache
from kernel.clock import utc_now
from kernel.crypto import SealBroken
from kernel.egress import BodyUnreadable, ConnectionFailed, DeadlineExceeded, EgressClient, Policy, open_client
from kernel.errors import LlmteamError
from runs.callbacks.address import check_address
from runs.callbacks.redaction import MAX_READ, excerpt, secrets_in
from runs.callbacks.schedule import CLEARED, ENDPOINT_DISABLED, DeliveryAnswer
from runs.callbacks.sealing import Address, open_address
from runs.callbacks.signing import signed_headers
from runs.engine.store.deliveries import ClaimedDelivery
from runs.models import DeliveryTarget, NotificationTarget, RunCallback, WebhookEndpoint
from runs.step_api.retry_after import retry_after_seconds
from tenants.callback_signing.secrets import signing_secrets
from tenants.connections.egress_policy import egress_policy_of
from tenants.models import CallbackSecret, Tenant

log = logging.getLogger(__name__)

UNREADABLE: Final = "SECRET_UNREADABLE"
MAX_CLIENTS: Final = 200
"""Tenants whose connections stay open; many more than deliveries are sent at a time, so none that goes is in use."""
_TARGET: Final = "target"
"""httpcore's name for the bytes of the request line; without it httpx would spell them anew."""


@dataclass(frozen=True, slots=True)
class SentDelivery:
    """Result of one try."""

    answer: DeliveryAnswer
    at: datetime
    duration_ms: int
    response: str = ""


class DeliverySender:
    """Sends deliveries, each tenant's through a client of its own under that tenant's policy."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._clients: BoundedCache[UUID, tuple[Policy, EgressClient]] = BoundedCache(MAX_CLIENTS)

    async def send(self, delivery: ClaimedDelivery, body: str) -> SentDelivery:
        """Send a body once. Whatever goes wrong is part of what is returned."""
        at, began = utc_now(), time.monotonic()
        if not delivery.address:
            code = CLEARED if delivery.endpoint_id is None else ENDPOINT_DISABLED
            return SentDelivery(DeliveryAnswer(error_code=code), at, 0, "")
        policy = egress_policy_of(Tenant(id=delivery.tenant_id, egress_allow_hosts=delivery.allow_hosts))
        response = ""
        try:
            address = open_address(_row_of(delivery))
            headers = {**dict(address.headers), **_our_headers(delivery, body, at)}
            client = await self._client(delivery.tenant_id, policy)
            answer, response = await self._post(client, address, headers, body, policy)
        except SealBroken as error:
            log.warning("the delivery %s cannot be sent: %s", delivery.delivery_id, error)
            answer = DeliveryAnswer(error_code=UNREADABLE)
        except LlmteamError as error:
            status = _status_of(error)
            answer, response = (
                DeliveryAnswer(error_code=error.code) if status is None else DeliveryAnswer(status),
                error.detail,
            )
        return SentDelivery(answer, at, round((time.monotonic() - began) * 1000), response)

    async def close(self) -> None:
        """Close every connection."""
        for _, client in self._clients.clear():
            await client.aclose()

    async def _client(self, tenant_id: UUID, policy: Policy) -> EgressClient:
        known = self._clients.get(tenant_id)
        if known is not None and known[0] == policy:
            return known[1]
        client = open_client(policy, max_body_bytes=MAX_READ, owner=tenant_id)
        for _, gone in self._clients.put(tenant_id, (policy, client)):
            await gone.aclose()
        return client

    async def _post(
        self, client: EgressClient, address: Address, headers: Mapping[str, str], body: str, policy: Policy
    ) -> tuple[DeliveryAnswer, str]:
        target = check_address(address.url, policy)
        request = client.build_request(
            "POST",
            address.url,
            headers=headers,
            content=body.encode(),
            timeout=self._timeout_seconds,
            extensions={_TARGET: target.path.encode("ascii")},
        )
        response = await client.send(request, stream=True, follow_redirects=False)
        retry_after = retry_after_seconds(response.headers.get("retry-after"))
        content = await _beginning(response)
        return DeliveryAnswer(response.status_code, "", retry_after), excerpt(
            content, secrets_in(address.url, address.headers)
        )


def _status_of(error: LlmteamError) -> int | None:
    """Give the status that came, where no more of an answer could be read."""
    return error.answered_with if isinstance(error, BodyUnreadable | ConnectionFailed | DeadlineExceeded) else None


def _row_of(delivery: ClaimedDelivery) -> RunCallback | NotificationTarget | WebhookEndpoint:
    """Give the row whose address a delivery goes to: it is sealed for that place."""
    if delivery.target == DeliveryTarget.ENDPOINT:
        return WebhookEndpoint(id=delivery.endpoint_id, tenant_id=delivery.tenant_id, address=delivery.address)
    if delivery.target == DeliveryTarget.TENANT:
        return NotificationTarget(tenant_id=delivery.tenant_id, address=delivery.address)
    return RunCallback(pk=delivery.run_id, tenant_id=delivery.tenant_id, address=delivery.address)


def _our_headers(delivery: ClaimedDelivery, body: str, at: datetime) -> dict[str, str]:
    """Write what the platform adds.

    Raises:
        SealBroken: The secret cannot be opened, or is gone.
    """
    if delivery.secret is None or delivery.secret_created_at is None:
        raise SealBroken("there is no secret to sign with")
    secrets = signing_secrets(_signer_of(delivery), made_at=delivery.secret_created_at, now=at)
    signed = signed_headers(webhook_id=delivery.webhook_id, at=at, body=body, secrets=secrets)
    return {"content-type": "application/json", **signed}


def _signer_of(delivery: ClaimedDelivery) -> CallbackSecret | WebhookEndpoint:
    """Give the row whose secrets sign a delivery: an endpoint's own, or the tenant's."""
    sealed = {"secret": delivery.secret or "", "secret_before": delivery.secret_before or ""}
    if delivery.target == DeliveryTarget.ENDPOINT:
        return WebhookEndpoint(id=delivery.endpoint_id, tenant_id=delivery.tenant_id, **sealed)
    return CallbackSecret(tenant_id=delivery.tenant_id, **sealed)


async def _beginning(response: httpx.Response) -> bytes:
    """Read the beginning of an answer. Its status stands, whatever becomes of the rest."""
    content = b""
    try:
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) >= MAX_READ:
                break
    except LlmteamError:
        return content
    finally:
        await response.aclose()
    return content
