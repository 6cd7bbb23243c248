"""The API's routes about limits."""

from decimal import Decimal
from typing import ClassVar

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import read_fields
from runs.limits import serializers
from runs.limits.selectors import list_limits
from tenants.access.callers import caller_of
from tenants.limits.errors import UnknownLimit
from tenants.limits.selectors import weight_of
from tenants.limits.services import set_limits
from tenants.models import Tenant


class LimitsView(APIView):
    """Limits of the tenant, and their use."""

    required_scopes: ClassVar = {"GET": "tenant:read", "PATCH": "operator:write"}
    refusals: ClassVar = {"PATCH": (UnknownLimit,)}

    @extend_schema(
        operation_id="list_limits",
        summary="Read limits",
        description="Each limit with who says its number, what is used of it now, when it is whole again, and who can "
        "raise it.",
        responses=serializers.LimitsShape,
    )
    def get(self, request: Request) -> Response:
        """Answer all limits."""
        return _limits(caller_of(request).tenant)

    @extend_schema(
        operation_id="set_limits",
        summary="Set limits",
        description="For operators: sets limits of the caller's tenant in place of its licence's and its tier's, or "
        "has those say them again; sets its weight. Limits hold in every process within 5 s, a weight at the next "
        "claim. Budgets are set on the tenant's page of the console.",
        request=serializers.LimitsFields,
        responses=serializers.LimitsShape,
        examples=[
            OpenApiExample(
                "More runs a day",
                {"limits": {"runs_per_day": 20_000}, "inherit": ["concurrent_runs"]},
                request_only=True,
            ),
            OpenApiExample("Twice the share of others", {"weight": 2}, request_only=True),
        ],
    )
    def patch(self, request: Request) -> Response:
        """Set them."""
        fields, caller = read_fields(serializers.LimitsFields, request.data), caller_of(request)
        weight = fields.get("weight")
        set_limits(
            tenant=caller.tenant,
            actor=caller.actor,
            limits=fields["limits"],
            inherited=frozenset(fields["inherit"]),
            weight=None if weight is None else Decimal(str(weight)),
        )
        return _limits(caller.tenant)


def _limits(tenant: Tenant) -> Response:
    data = [serializers.limit_body(limit) for limit in list_limits(tenant=tenant)]
    return Response({"data": data, "weight": weight_of(tenant.id)})
