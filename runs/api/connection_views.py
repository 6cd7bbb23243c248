"""The API's route that tries a connection."""

from dataclasses import asdict
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.requests import NoFields, read_fields
from runs.connection_trials import TrialsUnderWay, try_connection
from tenants.access.callers import caller_of
from tenants.errors import ConnectionNotFound


class TrialShape(serializers.Serializer[Any]):
    """Result of one call through a connection."""

    ok = serializers.BooleanField()
    code = serializers.CharField(help_text="`OK`, or the code a step would have failed with.")
    detail = serializers.CharField()
    duration_ms = serializers.IntegerField()
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status, where there was one.")


class ConnectionTestView(APIView):
    """One small call through a connection."""

    required_scopes: ClassVar = {"POST": "tenant:write"}
    refusals: ClassVar = {"POST": (ConnectionNotFound, TrialsUnderWay)}

    @extend_schema(
        operation_id="test_connection",
        summary="Try a connection",
        description="Makes one small call as a step would, and returns the result: a request to the base address "
        "of an HTTP API, or a few tokens of a language model, which its provider charges for. A failed call "
        "answers 200, too.",
        request=NoFields,
        responses=TrialShape,
    )
    def post(self, request: Request, ref: str) -> Response:
        """Try it."""
        caller = caller_of(request)
        read_fields(NoFields, request.data)
        return Response(asdict(try_connection(tenant=caller.tenant, actor=caller.actor, ref=ref)))
