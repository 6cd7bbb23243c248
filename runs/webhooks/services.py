"""Changes of webhook endpoints: made, changed, deleted, their secrets rotated."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db.models import Func

from audit.models import LogCheckpoint
from audit.services import record
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.egress import Target
from kernel.types import Json
from runs.callbacks.address import host_of
from runs.callbacks.lanes import dissolve_lane, give_up_for, lock_lane
from runs.callbacks.schedule import ENDPOINT_DISABLED
from runs.callbacks.sealing import Address, open_address, seal_address
from runs.callbacks.starting import CallbackSpec, check_callback
from runs.errors import TooManyWebhookEndpoints, WebhookEndpointNotFound
from runs.models import Delivery, DisabledReason, TransactionIdField, WebhookEndpoint, WebhookFeed
from runs.webhooks.bounds import MAX_ENDPOINTS
from runs.webhooks.event_types import OF_AUDIT
from runs.webhooks.secrets import give_secret
from tenants.models import Tenant

_NOW: Final = Func(function="pg_current_xact_id", output_field=TransactionIdField())
_HORIZON: Final = Func(
    Func(function="pg_current_snapshot"), function="pg_snapshot_xmin", output_field=TransactionIdField()
)
TOLD_MEMBERS: Final = ("description", "host", "event_types", "segments", "severity", "is_thin", "signing")
"""Members of an endpoint that entries of the audit tell."""


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """Members of an endpoint as a caller gives them; None leaves one as it is.

    ``headers`` go with ``url``; without it they replace those that are there.
    """

    runs_url: str
    url: str | None = field(default=None, repr=False)
    headers: Sequence[tuple[str, str]] | None = field(default=None, repr=False)
    description: str | None = None
    event_types: Sequence[str] | None = None
    segments: Sequence[str] | None = None
    severity: str | None = None
    is_thin: bool | None = None
    signing: str | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class MadeEndpoint:
    """An endpoint with a secret just made, which is shown once; empty where only its public key is the caller's."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)


def create_endpoint(*, tenant: Tenant, actor: str, spec: EndpointSpec) -> MadeEndpoint:
    """Make an endpoint; it is told of what is recorded from now on.

    Raises:
        CallbackRefused: It may not be called, or not with these headers.
        TooManyWebhookEndpoints: The tenant has as many as it may have.
    """
    address = Address(spec.url or "", list(spec.headers or ()))
    target = _check(tenant, address)
    with tenant_scope(tenant.id):
        _lock(tenant)
        used = WebhookEndpoint.objects.filter(deleted_at=None).count()
        if used >= MAX_ENDPOINTS:
            raise TooManyWebhookEndpoints(
                f"The tenant has {used} webhook endpoints, and may have {MAX_ENDPOINTS}; delete one that is not used.",
                extra={"limit": "webhook_endpoints", "used": used, "cap": MAX_ENDPOINTS},
            )
        endpoint = WebhookEndpoint(tenant=tenant, host=host_of(target), runs_url=spec.runs_url)
        _set_members(endpoint, spec)
        seal_address(endpoint, address)
        secret = give_secret(endpoint)
        endpoint.save()
        _keep_feed(tenant)
        record("webhook_endpoint.created", endpoint, actor=actor, after=_told(endpoint))
    return MadeEndpoint(endpoint, secret)


def update_endpoint(*, tenant: Tenant, actor: str, endpoint_id: UUID, spec: EndpointSpec) -> WebhookEndpoint:
    """Change an endpoint: from the next event on, and where what is pending goes. Repeating it changes nothing.

    Disabling gives up what is pending; enabling has it told of what is recorded from then on.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
        CallbackRefused: It may not be called, or not with these headers.
    """
    with tenant_scope(tenant.id):
        endpoint = lock_endpoint(endpoint_id)
        before = _told(endpoint)
        _set_members(endpoint, spec)
        if spec.url is not None or spec.headers is not None:
            _move(tenant, endpoint, spec)
        if spec.is_enabled is not None and spec.is_enabled == endpoint.is_disabled:
            _enable(endpoint) if spec.is_enabled else disable(endpoint, DisabledReason.REQUEST)
        endpoint.updated_at = utc_now()
        endpoint.save()
        _keep_feed(tenant)
        record("webhook_endpoint.changed", endpoint, actor=actor, before=before, after=_told(endpoint))
    return endpoint


def delete_endpoint(*, tenant: Tenant, actor: str, endpoint_id: UUID) -> None:
    """Tell an endpoint nothing more; what is pending is given up. Repeating it changes nothing.

    Raises:
        WebhookEndpointNotFound: The tenant never had such an endpoint.
    """
    with tenant_scope(tenant.id):
        found = WebhookEndpoint.objects.filter(id=endpoint_id).first()
        if found is None:
            raise WebhookEndpointNotFound
        if found.deleted_at is not None:
            return
        _lock(tenant)
        endpoint = lock_endpoint(endpoint_id)
        give_up_for(Delivery.objects.filter(endpoint=endpoint), ENDPOINT_DISABLED)
        dissolve_lane(tenant.id, endpoint.url_hash)
        endpoint.deleted_at = utc_now()
        endpoint.save()
        _keep_feed(tenant)
        record("webhook_endpoint.deleted", endpoint, actor=actor, before=_told(endpoint))


def rotate_secret(*, tenant: Tenant, actor: str, endpoint_id: UUID) -> MadeEndpoint:
    """Make a new secret for an endpoint; the one before it signs beside it for 24 hours.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
    """
    with tenant_scope(tenant.id):
        endpoint = lock_endpoint(endpoint_id)
        secret = give_secret(endpoint)
        endpoint.secret_at = utc_now()
        endpoint.save()
        record("webhook_endpoint.secret_rotated", endpoint, actor=actor)
    return MadeEndpoint(endpoint, secret)


def lock_endpoint(endpoint_id: UUID) -> WebhookEndpoint:
    """Lock the lane of an endpoint, then its row, in the scope of its tenant.

    Raises:
        WebhookEndpointNotFound: There is none.
    """
    found = WebhookEndpoint.objects.filter(id=endpoint_id, deleted_at=None).first()
    if found is not None:
        lock_lane(found.tenant_id, found.url_hash)
    locked = WebhookEndpoint.objects.select_for_update(no_key=True).filter(id=endpoint_id, deleted_at=None).first()
    if locked is None:
        raise WebhookEndpointNotFound
    return locked


def disable(endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    """Tell a locked endpoint nothing more, and give up what is pending; save the row yourself."""
    endpoint.disabled_at, endpoint.disabled_reason = utc_now(), reason
    give_up_for(Delivery.objects.filter(endpoint=endpoint, sequence__isnull=False), ENDPOINT_DISABLED)
    dissolve_lane(endpoint.tenant_id, endpoint.url_hash)


def _enable(endpoint: WebhookEndpoint) -> None:
    endpoint.disabled_at, endpoint.disabled_reason = None, ""
    endpoint.failing_since, endpoint.is_gone, endpoint.noticed_days = None, False, 0
    endpoint.since = _NOW


def _move(tenant: Tenant, endpoint: WebhookEndpoint, spec: EndpointSpec) -> None:
    """Give an endpoint another URL or other headers; what is pending goes there."""
    known = open_address(endpoint)
    headers = known.headers if spec.headers is None else list(spec.headers)
    address = Address(known.url if spec.url is None else spec.url, headers)
    target, hash_before = _check(tenant, address), endpoint.url_hash
    endpoint.host = host_of(target)
    seal_address(endpoint, address)
    if endpoint.url_hash != hash_before:
        lock_lane(tenant.id, endpoint.url_hash)
        pending = Delivery.objects.filter(endpoint=endpoint, status="pending", is_claimed=False)
        pending.update(host=endpoint.host, url_hash=endpoint.url_hash, is_queued=False)
        dissolve_lane(tenant.id, hash_before)


def _set_members(endpoint: WebhookEndpoint, spec: EndpointSpec) -> None:
    for name in ("description", "event_types", "segments", "severity", "is_thin", "signing"):
        value = getattr(spec, name)
        if value is not None:
            setattr(endpoint, name, value)


def _check(tenant: Tenant, address: Address) -> Target:
    return check_callback(tenant=tenant, spec=CallbackSpec(address, [], ""), below="")


def _lock(tenant: Tenant) -> None:
    Tenant.objects.select_for_update(no_key=True).get(id=tenant.id)


def _keep_feed(tenant: Tenant) -> None:
    """Have the tenant's events handed out while it has endpoints: what is recorded from now on."""
    live = WebhookEndpoint.objects.filter(deleted_at=None)
    if not live.exists():
        WebhookFeed.objects.filter(tenant=tenant).delete()
        return
    reads_audit = live.filter(event_types__overlap=list(OF_AUDIT)).exists()
    feed, _ = WebhookFeed.objects.get_or_create(tenant=tenant, defaults={"transaction": _HORIZON})
    if feed.reads_audit != reads_audit:
        newest = LogCheckpoint.objects.filter(log_id=tenant.id).order_by("-id").first()
        entries, checkpoint = (0, 0) if newest is None else (newest.size, newest.id)
        WebhookFeed.objects.filter(tenant=tenant).update(
            reads_audit=reads_audit, entries=entries, checkpoint=checkpoint
        )


def _told(endpoint: WebhookEndpoint) -> Json:
    told: dict[str, Json] = {name: getattr(endpoint, name) for name in TOLD_MEMBERS}
    return {**told, "is_enabled": not endpoint.is_disabled}
