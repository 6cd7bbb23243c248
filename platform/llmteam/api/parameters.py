"""Query parameters and preconditions: those that a route does not keep to are refused."""

from typing import TYPE_CHECKING, Any, Final

from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from foundation.requests import Strict, read_query
from kernel.errors import Invalid

if TYPE_CHECKING:
    from rest_framework.views import APIView

CONDITIONS: Final = ("If-Match", "If-None-Match")


class PreconditionNotKept(Invalid):
    """A change was to happen on a condition that this route does not know."""

    code = "PRECONDITION_NOT_KEPT"
    status = 400
    title = "This route keeps to no preconditions"


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


class KeepsPreconditions:
    """Lets through changes without a precondition where the view names the method not in ``keeps_preconditions``."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Refuse conditions that nobody would look at: the change would happen whether they hold or not.

        Raises:
            PreconditionNotKept: There is one.
        """
        is_kept = request.method in SAFE_METHODS or request.method in getattr(view, "keeps_preconditions", ())
        named = [name for name in CONDITIONS if name in request.headers]
        if named and not is_kept:
            raise PreconditionNotKept(f"Nothing here depends on {' or '.join(named)}. Leave it out to make the change.")
        return True

    def has_object_permission(self, request: Request, view: "APIView", obj: Any) -> bool:
        """Preconditions are the same for every object."""
        return True
