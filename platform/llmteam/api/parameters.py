"""Query parameters: those that a route does not read are refused."""

from typing import TYPE_CHECKING, Any

from rest_framework.request import Request

from foundation.requests import Strict, read_query

if TYPE_CHECKING:
    from rest_framework.views import APIView


class ReadsItsQuery:
    """Lets through what has no parameters where the view names the method not in ``reads_query``."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Refuse parameters that nobody would read.

        Raises:
            Invalid: There is one.
        """
        method = "GET" if request.method == "HEAD" else request.method
        reads_query = method in getattr(view, "reads_query", ()) or not hasattr(view, (method or "").lower())
        if request.query_params and not reads_query:
            read_query(Strict, request)
        return True

    def has_object_permission(self, request: Request, view: "APIView", obj: Any) -> bool:
        """Parameters are the same for every object."""
        return True
