"""The API's routes about callbacks: deliveries, sending again, the secret that signs."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NoFields, PageQuery, read_fields, read_query
from foundation.responses import page_response
from foundation.shapes import page_shape
from kernel.ids import parse_id
from kernel.paging import CursorRefused
from runs.api.presentation import runs_location
from runs.callbacks import selectors, serializers, services
from runs.callbacks.presentation import delivery_body, notification_body, secret_body
from runs.callbacks.schedule import MAX_TRIES
from runs.errors import CallbackRefused, DeliveryNotFound, RunNotFound
from runs.selectors import read_run_id
from tenants.access.callers import caller_of
from tenants.callback_signing.secrets import callback_secret_age

READ, WRITE, SIGN = "runs:read", "runs:write", "webhooks:write"


class DeliveriesView(APIView):
    """All deliveries of the caller's tenant."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (CursorRefused,)}

    @extend_schema(
        operation_id="list_deliveries",
        summary="List deliveries",
        description="Events sent, or to be sent, to callbacks of runs, with every attempt. Newest first.",
        parameters=[serializers.DeliveryListQuery],
        responses=page_shape("DeliveryPage", serializers.DeliveryShape()),
    )
    def get(self, request: Request) -> Response:
        """Answer one page."""
        query = read_query(serializers.DeliveryListQuery, request)
        page = selectors.list_deliveries(tenant=caller_of(request).tenant, **query)
        return page_response(request, page, delivery_body)


class RunDeliveriesView(APIView):
    """Deliveries of one run's callback."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (RunNotFound, CursorRefused)}

    @extend_schema(
        operation_id="list_run_deliveries",
        summary="List a run's deliveries",
        description="Events sent, or to be sent, to the run's callback, with every attempt. Newest first.",
        parameters=[PageQuery],
        responses=page_shape("RunDeliveryPage", serializers.DeliveryShape()),
    )
    def get(self, request: Request, run_id: str) -> Response:
        """Answer one page."""
        query = read_query(PageQuery, request)
        tenant = caller_of(request).tenant
        page = selectors.list_run_deliveries(tenant=tenant, run_id=read_run_id(run_id), **query)
        return page_response(request, page, delivery_body)


class RedeliverView(APIView):
    """A delivery again."""

    required_scopes: ClassVar = {"POST": WRITE}
    refusals: ClassVar = {"POST": (RunNotFound, DeliveryNotFound)}

    @extend_schema(
        operation_id="redeliver",
        summary="Send a delivery again",
        description="Whatever its status: it is sent within a second with the same `webhook-id` and the same body, "
        "and retried like a new one. A delivery that is being sent right now is left alone. Repeatable.",
        request=serializers.RedeliverFields,
        responses={202: serializers.DeliveryShape},
    )
    def post(self, request: Request, run_id: str, delivery_id: str) -> Response:
        """Have it sent."""
        fields, caller = read_fields(serializers.RedeliverFields, request.data), caller_of(request)
        delivery = services.redeliver(
            tenant=caller.tenant,
            actor=caller.actor,
            run_id=read_run_id(run_id),
            delivery_id=_read_delivery_id(delivery_id),
            **fields,
        )
        return Response(delivery_body(delivery), status=202)


class CallbackSecretView(APIView):
    """Signing secret of the tenant's callbacks."""

    required_scopes: ClassVar = {"GET": "tenant:read", "POST": SIGN}

    @extend_schema(
        operation_id="read_callback_secret",
        summary="Read the age of the callback secret",
        description="The secret itself is shown once, when it is made.",
        responses=serializers.CallbackSecretShape,
    )
    def get(self, request: Request) -> Response:
        """Answer its age."""
        age = callback_secret_age(tenant=caller_of(request).tenant)
        return Response(secret_body(None, None) if age is None else secret_body(age.created_at, age.before_until))

    @extend_schema(
        operation_id="rotate_callback_secret",
        summary="Make a new callback secret",
        description="Shown in this answer only. Callbacks are signed with it from now on, and for 24 hours with the "
        "one before it as well: `webhook-signature` has both. The tenant's first callback creates a secret that is "
        "never shown; make a new one to see it.",
        request=NoFields,
        responses={201: serializers.NewCallbackSecretShape},
    )
    def post(self, request: Request) -> Response:
        """Make one."""
        read_fields(NoFields, request.data)
        caller = caller_of(request)
        made = services.rotate_secret(tenant=caller.tenant, actor=caller.actor)
        return Response({**secret_body(made.created_at, made.before_until), "secret": made.text}, status=201)


class NotificationsView(APIView):
    """Address for notifications about the tenant's human tasks."""

    required_scopes: ClassVar = {"GET": READ, "PUT": SIGN, "DELETE": SIGN}
    refusals: ClassVar = {"PUT": (CallbackRefused,)}

    @extend_schema(
        operation_id="read_notifications",
        summary="Read the notification URL of human tasks",
        description="Only its host is shown: the URL may hold a secret.",
        responses=serializers.NotificationShape,
    )
    def get(self, request: Request) -> Response:
        """Answer the host."""
        return Response(notification_body(selectors.find_notifications(tenant=caller_of(request).tenant)))

    @extend_schema(
        operation_id="set_notifications",
        summary="Set the notification URL of human tasks",
        description="Every `human.*` event of every run goes there from now on, by the rules of callbacks: signed, "
        f"tried up to {MAX_TRIES} times in about 75 hours, listed under `/deliveries` with the target `tenant`. "
        f"The data to decide about is never sent.",
        request=serializers.NotificationFields,
        responses=serializers.NotificationShape,
    )
    def put(self, request: Request) -> Response:
        """Set."""
        fields, caller = read_fields(serializers.NotificationFields, request.data), caller_of(request)
        address, runs_url = serializers.address_of(fields), runs_location(request)
        row = services.set_notifications(tenant=caller.tenant, actor=caller.actor, address=address, runs_url=runs_url)
        return Response(notification_body(row))

    @extend_schema(
        operation_id="clear_notifications",
        summary="Remove the notification URL of human tasks",
        description="Pending deliveries are dropped. Repeatable.",
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        """Clear."""
        caller = caller_of(request)
        services.clear_notifications(tenant=caller.tenant, actor=caller.actor)
        return Response(status=204)


def _read_delivery_id(text: str) -> Any:
    delivery_id = parse_id(text)
    if delivery_id is None:
        raise DeliveryNotFound
    return delivery_id
