"""Serializers of callbacks: the fields of a start, and the shapes for the API's description."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from foundation.request_fields import Id
from foundation.requests import PageQuery, Strict
from runs.callbacks.payload import ENDS, EVENTS
from runs.callbacks.sealing import Address
from runs.callbacks.starting import CallbackSpec
from runs.models import DeliveryStatus, DeliveryTarget

MAX_URL_LENGTH: Final = 8192
NOTHING_YET: Final = "waiting"


class AddressFields(Strict):
    """Address of a receiver."""

    url = serializers.CharField(
        max_length=MAX_URL_LENGTH,
        trim_whitespace=False,
        help_text="https, used byte for byte with its query. Kept sealed, never shown again.",
    )
    headers = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=MAX_URL_LENGTH),
        required=False,
        help_text="Sent along with every delivery. Kept sealed, never shown again.",
    )


class CallbackFields(AddressFields):
    """Callback of a run: its address and its events."""

    events = serializers.ListField(
        child=serializers.ChoiceField(choices=[event.value for event in EVENTS]),
        required=False,
        allow_empty=False,
        help_text="Events to send; by default those that end the run: "
        + ", ".join(f"`{event}`" for event in ENDS)
        + ".",
    )


def start_fields(fields: Mapping[str, Any], *, runs_url: str) -> dict[str, Any]:
    """Turn a start's fields into what the service is asked, for a caller that reads runs at an address."""
    start = {"input": {}, **fields}
    if "callback" in fields:
        start["callback"] = callback_spec(fields["callback"], runs_url=runs_url)
    return start


def callback_spec(fields: Mapping[str, Any], *, runs_url: str) -> CallbackSpec:
    """Turn a callback's fields into what the service is asked."""
    events = dict.fromkeys(fields.get("events", [event.value for event in ENDS]))
    return CallbackSpec(address_of(fields), list(events), runs_url)


def address_of(fields: Mapping[str, Any]) -> Address:
    """Turn the fields of an address into the address."""
    return Address(fields["url"], list(fields.get("headers", {}).items()))


class NotificationFields(AddressFields):
    """Address for notifications about the tenant's human tasks."""


class NotificationShape(serializers.Serializer[Any]):
    """Address for notifications about the tenant's human tasks, without its secret parts."""

    host = serializers.CharField(allow_null=True, help_text="Null: nowhere.")
    events = serializers.ListField(child=serializers.CharField())
    updated_at = serializers.DateTimeField(allow_null=True)


class DeliveryListQuery(PageQuery):
    """Filters of the list of deliveries; they add up."""

    status = serializers.ChoiceField(required=False, choices=DeliveryStatus.choices)
    run = Id(required=False, help_text="Deliveries of this run_id.")


class CallbackShape(serializers.Serializer[Any]):
    """The callback of a run, without what may be secret."""

    host = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(
        choices=[NOTHING_YET, *DeliveryStatus.values],
        help_text=f"Status of its newest delivery; `{NOTHING_YET}` before there is any.",
    )


class DeliveryAttemptShape(serializers.Serializer[Any]):
    """One try to deliver."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField(allow_null=True)
    status_code = serializers.IntegerField(allow_null=True)
    error_code = serializers.CharField(allow_null=True, help_text="Why there was no response.")
    response = serializers.CharField(
        help_text="The beginning of the response; without a response, the reason in words."
    )


class DeliveryShape(serializers.Serializer[Any]):
    """One event that a run's callback, its tenant, or a webhook endpoint is told."""

    delivery_id = serializers.UUIDField()
    webhook_id = serializers.CharField(help_text="Its `webhook-id`, the same in every attempt.")
    run_id = serializers.UUIDField(allow_null=True, help_text="Null: the event is of no run.")
    event_type = serializers.CharField()
    target = serializers.ChoiceField(
        choices=DeliveryTarget.choices, help_text="The run's `callback`, the `tenant`, or an `endpoint`."
    )
    endpoint_id = serializers.UUIDField(allow_null=True, help_text="The webhook endpoint, if it goes to one.")
    sequence = serializers.IntegerField(allow_null=True, help_text="Its place among the endpoint's events.")
    seq = serializers.IntegerField(allow_null=True, help_text="The event of the run that it reports.")
    host = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    attempts = DeliveryAttemptShape(many=True)


class CallbackSecretShape(serializers.Serializer[Any]):
    """Age of the signing secret of callbacks, without the secret."""

    created_at = serializers.DateTimeField(allow_null=True, help_text="Null before the first callback is asked for.")
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then callbacks are signed with the secret before this one as well."
    )


class NewCallbackSecretShape(CallbackSecretShape):
    """A secret just made."""

    secret = serializers.CharField(help_text="`whsec_...`, shown this once.")


class RedeliverFields(Strict):
    """Fields of a redelivery."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, help_text="Kept in the audit.")
