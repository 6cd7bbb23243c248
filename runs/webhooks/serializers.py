"""Serializers of webhook endpoints: what callers send, and the shapes for the API's description."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from foundation.request_fields import PatternText, whole
from foundation.requests import PageQuery, Strict
from foundation.shapes import JsonObject
from runs.callbacks.serializers import MAX_URL_LENGTH, AddressFields, DeliveryShape
from runs.core.severities import SEVERITIES
from runs.models import DeliveryStatus, DisabledReason, WebhookSigning
from runs.webhooks.bounds import MAX_SEGMENTS
from runs.webhooks.event_types import BY_DEFAULT, EVENT_TYPES, GROUPS, expand
from runs.webhooks.services import EndpointSpec
from segments.selectors import SEGMENT_ID

MAX_SEQUENCE: Final = 2**53
_TYPES: Final = [*EVENT_TYPES, *GROUPS]


def _event_types(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.ChoiceField(choices=_TYPES),
        allow_empty=False,
        help_text="Event types to send; `segment.*` and its like stand for all that begin so. By default those that "
        "end a run: " + ", ".join(f"`{event}`" for event in BY_DEFAULT) + ".",
        **options,
    )


def _segments(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=PatternText(pattern=whole(SEGMENT_ID), max_length=64),
        max_length=MAX_SEGMENTS,
        help_text="Of runs of these segments only; empty: of all. Events that are of no run are sent anyway.",
        **options,
    )


def _severity(**options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        choices=[*SEVERITIES], help_text="Send only what is at least as severe; `info` is everything.", **options
    )


class EndpointFields(AddressFields):
    """A webhook endpoint that is made."""

    event_types = _event_types(required=False)
    segments = _segments(required=False)
    severity = _severity(required=False)
    thin = serializers.BooleanField(required=False, help_text="Send ids only; what is about them is read by the API.")
    signing = serializers.ChoiceField(
        required=False,
        choices=WebhookSigning.values,
        help_text="`symmetric`: with a secret you share (`v1`). `ed25519`: with a key whose public half is yours "
        "(`v1a`).",
    )
    description = serializers.CharField(required=False, allow_blank=True, max_length=200)


class EndpointChanges(Strict):
    """Changes of a webhook endpoint; what is left out stays."""

    url = serializers.CharField(required=False, max_length=MAX_URL_LENGTH, trim_whitespace=False)
    headers = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=MAX_URL_LENGTH),
        required=False,
        help_text="In place of those there are.",
    )
    event_types = _event_types(required=False)
    segments = _segments(required=False)
    severity = _severity(required=False)
    thin = serializers.BooleanField(required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=200)
    enabled = serializers.BooleanField(
        required=False,
        help_text="False: send nothing, and give up what is pending. True: send what is recorded from then on.",
    )


def endpoint_spec(fields: Mapping[str, Any], *, runs_url: str) -> EndpointSpec:
    """Turn the fields of an endpoint into what the service is asked."""
    given = dict(fields)
    headers = given.pop("headers", None)
    names = {"thin": "is_thin", "enabled": "is_enabled"}
    members = {names.get(name, name): value for name, value in given.items()}
    if "event_types" in members:
        members["event_types"] = expand(members["event_types"])
    return EndpointSpec(runs_url=runs_url, headers=None if headers is None else list(headers.items()), **members)


class EndpointShape(serializers.Serializer[Any]):
    """A webhook endpoint, without what may be secret."""

    id = serializers.UUIDField()
    host = serializers.CharField(help_text="Where it is; the URL is never shown again.")
    description = serializers.CharField()
    event_types = serializers.ListField(child=serializers.CharField())
    segments = serializers.ListField(child=serializers.CharField())
    severity = serializers.ChoiceField(choices=[*SEVERITIES])
    thin = serializers.BooleanField()
    signing = serializers.ChoiceField(choices=WebhookSigning.values)
    public_key = serializers.CharField(allow_null=True, help_text="`whpk_...`, of `ed25519`.")
    enabled = serializers.BooleanField()
    disabled_reason = serializers.ChoiceField(choices=DisabledReason.values, allow_null=True)
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first try that failed, with none behind it that succeeded."
    )
    last_sequence = serializers.IntegerField(help_text="`sequence` of its newest event; 0 before there is any.")
    secret_created_at = serializers.DateTimeField()
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before this one signs as well."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class NewEndpointShape(EndpointShape):
    """A webhook endpoint with a secret just made."""

    secret = serializers.CharField(allow_null=True, help_text="`whsec_...`, shown this once; null of `ed25519`.")


class RangeFields(Strict):
    """Events that are sent again."""

    first = serializers.IntegerField(min_value=1, max_value=MAX_SEQUENCE, help_text="`sequence` of the first.")
    last = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_SEQUENCE, help_text="`sequence` of the last; by default the first."
    )


class RedeliveredShape(serializers.Serializer[Any]):
    """Result of a redelivery."""

    redelivered = serializers.IntegerField(help_text="How many events are sent again.")


class EndpointDeliveryQuery(PageQuery):
    """Filter of an endpoint's deliveries."""

    status = serializers.ChoiceField(required=False, choices=DeliveryStatus.choices)


class EndpointDeliveryShape(DeliveryShape):
    """One event that an endpoint is told, with its body."""

    body = JsonObject(help_text="What is sent.")


class EndpointEventQuery(Strict):
    """Start of a page of an endpoint's events."""

    after = serializers.IntegerField(
        default=0, min_value=0, max_value=MAX_SEQUENCE, help_text="`sequence` of the last event seen; 0 for all."
    )
    limit = serializers.IntegerField(default=100, min_value=1, max_value=250, help_text="Events per page.")


class EndpointEventShape(serializers.Serializer[Any]):
    """One event of an endpoint, whatever became of its delivery."""

    sequence = serializers.IntegerField()
    webhook_id = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    body = JsonObject(help_text="What is sent.")


class EndpointEventPage(serializers.Serializer[Any]):
    """Events of an endpoint in their order."""

    data = EndpointEventShape(many=True)  # type: ignore[assignment]  # the name callers know
    next_after = serializers.IntegerField(allow_null=True, help_text="`after` of the next page, if there is one.")
