"""The API's routes by which an operator suspends, resumes and deletes a tenant."""

from typing import ClassVar, Final

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import read_fields
from tenants import errors
from tenants.access.callers import caller_of
from tenants.api.serializers import (
    DeletionConfirmation,
    DeletionFields,
    LifecycleShape,
    SuspensionFields,
    lifecycle_body,
)
from tenants.lifecycle.deletion import confirm_deletion, request_deletion, withdraw_deletion
from tenants.lifecycle.suspension import resume_tenant, suspend_tenant
from tenants.models import RunsWhileSuspended
from tenants.types import OPERATOR_SCOPES

OPERATE: Final = OPERATOR_SCOPES[0]


class SuspensionView(APIView):
    """The suspension of the caller's tenant."""

    required_scopes: ClassVar = {"PUT": OPERATE, "DELETE": OPERATE}

    @extend_schema(
        operation_id="suspend_tenant",
        summary="Suspend the tenant",
        description="For operators: every start is refused with the reason, in every process within 5 s; reading, "
        "saving, exporting, cancelling and deciding work. Its runs finish or are paused. Sent again it changes what "
        "becomes of the runs, or the reason.",
        request=SuspensionFields,
        responses={200: LifecycleShape},
        examples=[OpenApiExample("An open bill", {"runs": "pause", "reason": "The bill is open."}, request_only=True)],
    )
    def put(self, request: Request) -> Response:
        """Suspend it."""
        caller, fields = caller_of(request), read_fields(SuspensionFields, request.data)
        runs = RunsWhileSuspended(fields["runs"])
        tenant = suspend_tenant(tenant_id=caller.tenant.id, runs=runs, reason=fields["reason"], actor=caller.actor)
        return Response(lifecycle_body(tenant))

    @extend_schema(
        operation_id="resume_tenant",
        summary="Resume the tenant",
        description="For operators: it may start runs again, and those that its suspension has paused go on within a "
        "minute; runs that people have paused stay so. Where it is not suspended nothing changes.",
        responses={200: LifecycleShape},
    )
    def delete(self, request: Request) -> Response:
        """Resume it."""
        caller = caller_of(request)
        return Response(lifecycle_body(resume_tenant(tenant_id=caller.tenant.id, actor=caller.actor)))


class DeletionView(APIView):
    """The deletion of the caller's tenant, as it is asked for."""

    required_scopes: ClassVar = {"PUT": OPERATE, "DELETE": OPERATE}
    refusals: ClassVar = {"DELETE": (errors.TenantStateRefused,)}

    @extend_schema(
        operation_id="request_deletion",
        summary="Request deletion of the tenant",
        description="For operators, the first of two acts: it starts nothing any more, and at `deletion_due_at` its "
        "removal begins, or before that once you confirm. Sent again it changes nothing.",
        request=DeletionFields,
        responses={200: LifecycleShape},
        examples=[OpenApiExample("A customer who leaves", {"reason": "They left."}, request_only=True)],
    )
    def put(self, request: Request) -> Response:
        """Ask for it."""
        caller, fields = caller_of(request), read_fields(DeletionFields, request.data)
        tenant = request_deletion(tenant_id=caller.tenant.id, reason=fields["reason"], actor=caller.actor)
        return Response(lifecycle_body(tenant))

    @extend_schema(
        operation_id="withdraw_deletion",
        summary="Withdraw deletion of the tenant",
        description="For operators: the tenant is as it was before, as long as its removal has not begun. Where its "
        "deletion was not requested nothing changes.",
        responses={200: LifecycleShape},
    )
    def delete(self, request: Request) -> Response:
        """Keep the tenant."""
        caller = caller_of(request)
        return Response(lifecycle_body(withdraw_deletion(tenant_id=caller.tenant.id, actor=caller.actor)))


class ConfirmDeletionView(APIView):
    """The second act of a deletion."""

    required_scopes: ClassVar = {"POST": OPERATE}
    refusals: ClassVar = {"POST": (errors.TenantStateRefused, errors.NotThisTenant)}

    @extend_schema(
        operation_id="confirm_deletion",
        summary="Delete the tenant now",
        description="For operators, the second of two acts: the removal begins within moments. Its runs are cancelled, "
        "then its keys are refused, this one too, and all its data but the audit is removed. This cannot be undone.",
        request=DeletionConfirmation,
        responses={202: LifecycleShape},
        examples=[OpenApiExample("This one", {"slug": "acme"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Confirm it."""
        caller, fields = caller_of(request), read_fields(DeletionConfirmation, request.data)
        if fields["slug"] != caller.tenant.slug:
            raise errors.NotThisTenant
        tenant = confirm_deletion(tenant_id=caller.tenant.id, actor=caller.actor)
        return Response(lifecycle_body(tenant), status=202)
