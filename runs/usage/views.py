"""The API's routes about usage."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import read_query
from runs.errors import UsageTooDetailed
from runs.usage import serializers
from runs.usage.selectors import read_usage
from tenants.access.callers import caller_of

READ = "tenant:read"


class UsageView(APIView):
    """Usage of the tenant's model calls."""

    required_scopes: ClassVar = {"GET": READ}
    reads_query: ClassVar = {"GET"}
    refusals: ClassVar = {"GET": (UsageTooDetailed,)}

    @extend_schema(
        operation_id="read_usage",
        summary="Read usage",
        description="Sums over calls of language models by day (UTC), segment and model. Each call is counted at "
        "the moment its step's outcome is recorded, so the sums of all runs are the sums here.",
        parameters=[serializers.UsageQuery],
        responses=serializers.UsageShape,
    )
    def get(self, request: Request) -> Response:
        """Answer the sums."""
        query = read_query(serializers.UsageQuery, request)
        report = read_usage(tenant=caller_of(request).tenant, **query)
        return Response(serializers.usage_body(report, first=query["first"], last=query["last"]))
