"""Views that belong to the API as a whole."""

from typing import Any, NoReturn

from drf_spectacular.views import SpectacularAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from llmteam.api.problems import RouteNotFound


class SchemaView(SpectacularAPIView):
    """The API's description, open to anybody; as YAML or JSON, as asked for."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = DefaultContentNegotiation


class NoSuchRouteView(APIView):
    """Every address no other route answers at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """Answer all methods alike.

        Raises:
            RouteNotFound: Always.
        """
        raise RouteNotFound
