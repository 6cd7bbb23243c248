"""The API's routes about webhook endpoints."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NoFields, PageQuery, read_fields, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.paging import CursorRefused
from runs.api.presentation import runs_location
from runs.errors import (
    CallbackRefused,
    TooManyWebhookEndpoints,
    TooMuchToRedeliver,
    WebhookEndpointDisabled,
    WebhookEndpointNotFound,
)
from runs.webhooks import selectors, serializers, services
from runs.webhooks.event_types import BY_DEFAULT
from runs.webhooks.presentation import (
    endpoint_body,
    endpoint_delivery_body,
    endpoint_event_body,
    new_endpoint_body,
)
from runs.webhooks.sending_again import redeliver_events, send_test
from tenants.access.callers import caller_of

READ, WRITE = "runs:read", "webhooks:write"


class WebhookEndpointsView(APIView):
    """Webhook endpoints of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ, "POST": WRITE}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,), "POST": (CallbackRefused, TooManyWebhookEndpoints)}

    @extend_schema(
        operation_id="list_webhook_endpoints",
        summary="List webhook endpoints",
        description="Newest first. URLs and secrets are not shown.",
        parameters=[PageQuery],
        responses=page_shape("WebhookEndpointPage", serializers.EndpointShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        query = read_query(PageQuery, request)
        page = selectors.list_endpoints(tenant=caller_of(request).tenant, **query)
        return page_response(request, page, endpoint_body)

    @extend_schema(
        operation_id="create_webhook_endpoint",
        summary="Make a webhook endpoint",
        description="It is sent the events it asks for, of all runs, from now on: signed, in numbered order, retried "
        "for 75 hours. `secret` is shown in this answer only.",
        request=serializers.EndpointFields,
        responses={201: serializers.NewEndpointShape},
    )
    def post(self, request: Request) -> Response:
        """Make one."""
        fields, caller = read_fields(serializers.EndpointFields, request.data), caller_of(request)
        defaults = {"event_types": list(BY_DEFAULT), **fields}
        spec = serializers.endpoint_spec(defaults, runs_url=runs_location(request))
        made = services.create_endpoint(tenant=caller.tenant, actor=caller.actor, spec=spec)
        return Response(new_endpoint_body(made.endpoint, made.secret), status=201)


class WebhookEndpointView(APIView):
    """One webhook endpoint."""

    required_scopes: ClassVar = {"GET": READ, "PATCH": WRITE, "DELETE": WRITE}
    refusals: ClassVar = {
        "GET": (WebhookEndpointNotFound,),
        "PATCH": (WebhookEndpointNotFound, CallbackRefused),
        "DELETE": (WebhookEndpointNotFound,),
    }

    @extend_schema(
        operation_id="read_webhook_endpoint",
        summary="Read a webhook endpoint",
        responses=serializers.EndpointShape,
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Answer it."""
        wanted = selectors.read_endpoint_id(endpoint_id)
        return Response(endpoint_body(selectors.get_endpoint(tenant=caller_of(request).tenant, endpoint_id=wanted)))

    @extend_schema(
        operation_id="change_webhook_endpoint",
        summary="Change a webhook endpoint",
        description="What is left out stays. What is pending goes to a new URL.",
        request=serializers.EndpointChanges,
        responses=serializers.EndpointShape,
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Change it."""
        fields, caller = read_fields(serializers.EndpointChanges, request.data), caller_of(request)
        endpoint = services.update_endpoint(
            tenant=caller.tenant,
            actor=caller.actor,
            endpoint_id=selectors.read_endpoint_id(endpoint_id),
            spec=serializers.endpoint_spec(fields, runs_url=runs_location(request)),
        )
        return Response(endpoint_body(endpoint))

    @extend_schema(
        operation_id="delete_webhook_endpoint",
        summary="Delete a webhook endpoint",
        description="Nothing more is sent to it; what is pending is given up. Repeatable.",
        responses={204: None},
    )
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Delete it."""
        caller, wanted = caller_of(request), selectors.read_endpoint_id(endpoint_id)
        services.delete_endpoint(tenant=caller.tenant, actor=caller.actor, endpoint_id=wanted)
        return Response(status=204)


class RotateWebhookSecretView(APIView):
    """A new secret of a webhook endpoint."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (WebhookEndpointNotFound,)}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        summary="Make a new secret for a webhook endpoint",
        description="Shown in this answer only. For 24 hours the one before it signs as well.",
        request=NoFields,
        responses={201: serializers.NewEndpointShape},
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Make one."""
        read_fields(NoFields, request.data)
        caller, wanted = caller_of(request), selectors.read_endpoint_id(endpoint_id)
        made = services.rotate_secret(tenant=caller.tenant, actor=caller.actor, endpoint_id=wanted)
        return Response(new_endpoint_body(made.endpoint, made.secret), status=201)


class TestWebhookEndpointView(APIView):
    """A test of a webhook endpoint."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (WebhookEndpointNotFound,)}

    @extend_schema(
        operation_id="test_webhook_endpoint",
        summary="Test a webhook endpoint",
        description="`webhook.test` is sent within a second, once, also to one that is disabled. It has no `sequence`.",
        request=NoFields,
        responses={202: serializers.EndpointDeliveryShape},
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Have it sent."""
        read_fields(NoFields, request.data)
        caller, wanted = caller_of(request), selectors.read_endpoint_id(endpoint_id)
        delivery = send_test(tenant=caller.tenant, actor=caller.actor, endpoint_id=wanted)
        return Response(endpoint_delivery_body(delivery), status=202)


class RedeliverEventsView(APIView):
    """Events of a webhook endpoint again."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (WebhookEndpointNotFound, WebhookEndpointDisabled, TooMuchToRedeliver)}

    @extend_schema(
        operation_id="redeliver_webhook_events",
        summary="Send events of a webhook endpoint again",
        description="One or a range, whatever became of them: in order, with the same `webhook-id` and body, signed "
        "with the present secret, one try each. What is being sent right now is left alone. Repeatable.",
        request=serializers.RangeFields,
        responses={202: serializers.RedeliveredShape},
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Have them sent."""
        caller, wanted = caller_of(request), selectors.read_endpoint_id(endpoint_id)
        selectors.get_endpoint(tenant=caller.tenant, endpoint_id=wanted)  # what is not there is not told of fields
        fields = read_fields(serializers.RangeFields, request.data)
        count = redeliver_events(
            tenant=caller.tenant,
            actor=caller.actor,
            endpoint_id=wanted,
            first=fields["first"],
            last=fields.get("last", fields["first"]),
        )
        return Response({"redelivered": count}, status=202)


class WebhookDeliveriesView(APIView):
    """Deliveries of a webhook endpoint."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (WebhookEndpointNotFound, CursorRefused)}

    @extend_schema(
        operation_id="list_webhook_deliveries",
        summary="List a webhook endpoint's deliveries",
        description="Newest first, each with its body and every attempt.",
        parameters=[serializers.EndpointDeliveryQuery],
        responses=page_shape("WebhookDeliveryPage", serializers.EndpointDeliveryShape()),
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Answer one page."""
        query, wanted = read_query(serializers.EndpointDeliveryQuery, request), selectors.read_endpoint_id(endpoint_id)
        tenant = caller_of(request).tenant
        page = selectors.list_endpoint_deliveries(tenant=tenant, endpoint_id=wanted, **query)
        return page_response(request, page, endpoint_delivery_body)


class WebhookEventsView(APIView):
    """Events of a webhook endpoint in their order."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (WebhookEndpointNotFound,)}

    @extend_schema(
        operation_id="list_webhook_events",
        summary="List a webhook endpoint's events",
        description="In the order of `sequence`, whatever became of their deliveries: a receiver that sees a gap "
        "(`previous_sequence` is not the last it has) reads on behind the last it has.",
        parameters=[serializers.EndpointEventQuery],
        responses=serializers.EndpointEventPage,
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Answer one page."""
        query, wanted = read_query(serializers.EndpointEventQuery, request), selectors.read_endpoint_id(endpoint_id)
        tenant = caller_of(request).tenant
        found, has_more = selectors.list_endpoint_events(tenant=tenant, endpoint_id=wanted, **query)
        next_after = found[-1].sequence if has_more else None
        return Response({"data": [endpoint_event_body(one) for one in found], "next_after": next_after})
