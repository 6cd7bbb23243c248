"""Callers of requests, as authentication found them."""

from rest_framework.request import Request

from tenants.types import Caller


def caller_of(request: Request) -> Caller:
    """Return who authentication found.

    Raises:
        TypeError: The route is open to anybody, so there is no caller to ask for.
    """
    if not isinstance(request.auth, Caller):
        raise TypeError("this route has no authenticated caller")
    return request.auth
