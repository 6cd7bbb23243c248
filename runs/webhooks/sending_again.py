"""Deliveries that callers ask for: a test, and events sent again."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import DurationField, ExpressionWrapper, F, Value
from django.db.models.functions import Now

from audit.services import record
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from runs.callbacks.schedule import MAX_TRIES
from runs.callbacks.selectors import deliveries_with_log
from runs.errors import TooMuchToRedeliver, WebhookEndpointDisabled
from runs.models import Delivery, DeliveryStatus, DeliveryTarget, WebhookEndpoint
from runs.webhooks.bodies import BodyWriter, with_place
from runs.webhooks.bounds import MAX_REDELIVERED, MAX_WAITING
from runs.webhooks.event_types import TEST
from runs.webhooks.matching import OutgoingEvent
from runs.webhooks.services import lock_endpoint
from tenants.models import Tenant

TRIES_BEFORE_THE_LAST: Final = MAX_TRIES - 1
_APART: Final = timedelta(microseconds=1)
"""Distance of what is sent again, which keeps it in the order of its sequence."""


def send_test(*, tenant: Tenant, actor: str, endpoint_id: UUID) -> Delivery:
    """Have an endpoint sent a test within a second, once. It has no place in the sequence, nor an effect on health.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
    """
    with tenant_scope(tenant.id):
        endpoint = lock_endpoint(endpoint_id)
        delivery = Delivery.objects.create(
            tenant=tenant,
            endpoint=endpoint,
            target=DeliveryTarget.ENDPOINT,
            type=TEST,
            host=endpoint.host,
            url_hash=endpoint.url_hash,
            body=_test_body(endpoint),
            tries=TRIES_BEFORE_THE_LAST,
        )
        record("webhook_endpoint.tested", endpoint, actor=actor)
        return deliveries_with_log().defer(None).get(id=delivery.id)


def redeliver_events(*, tenant: Tenant, actor: str, endpoint_id: UUID, first: int, last: int) -> int:
    """Have events of an endpoint sent again, in their order: the same id and bytes, the present secret, one try.

    What is pending is tried now and keeps the tries it has left; what is under way is left alone. Repeatable.

    Returns:
        How many are sent.

    Raises:
        WebhookEndpointNotFound: The tenant has no such endpoint.
        WebhookEndpointDisabled: It is disabled.
        TooMuchToRedeliver: The range holds more than 1,000, or too many would wait.
    """
    with tenant_scope(tenant.id):
        endpoint = lock_endpoint(endpoint_id)
        if endpoint.is_disabled:
            raise WebhookEndpointDisabled
        rows = Delivery.objects.filter(endpoint=endpoint, sequence__range=(first, last), is_claimed=False)
        pending = rows.filter(status=DeliveryStatus.PENDING)
        over = rows.exclude(status=DeliveryStatus.PENDING)
        _check_room(endpoint, rows.count(), over.count())
        place = ExpressionWrapper(Value(_APART) * (F("sequence") - first), output_field=DurationField())
        soon = {"next_at": Now() + place, "is_queued": False}
        count = pending.update(**soon)
        count += over.update(status=DeliveryStatus.PENDING, ended_at=None, tries=TRIES_BEFORE_THE_LAST, **soon)
        record("webhook_endpoint.redelivered", endpoint, actor=actor, after={"from": first, "to": last, "count": count})
    return count


def _check_room(endpoint: WebhookEndpoint, wanted: int, added: int) -> None:
    if wanted > MAX_REDELIVERED:
        raise TooMuchToRedeliver(f"The range holds {wanted} events; one request sends {MAX_REDELIVERED} again at most.")
    waiting = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING).count()
    if waiting + added > MAX_WAITING:
        raise TooMuchToRedeliver(f"{waiting} events wait for the endpoint already, and {MAX_WAITING} may.")


def _test_body(endpoint: WebhookEndpoint) -> str:
    return with_place(BodyWriter(OutgoingEvent(TEST, utc_now(), {})).write_shared(""), endpoint.id, None)
