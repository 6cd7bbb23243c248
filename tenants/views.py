"""The API's routes about who calls."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.requests import caller_of
from tenants.serializers import MeShape, me_body


class MeView(APIView):
    """Who calls."""

    required_scopes: ClassVar = {"GET": ""}

    @extend_schema(
        operation_id="read_me",
        summary="Who am I?",
        description="The tenant, key and scopes of the caller: the test of a credential. Any live key may ask.",
        responses=MeShape,
    )
    def get(self, request: Request) -> Response:
        """Answer what the key is."""
        return Response(me_body(caller_of(request)))
