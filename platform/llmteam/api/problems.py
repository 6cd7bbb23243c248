"""Translator of every error into ``application/problem+json`` (RFC 9457)."""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from audit.types import REQUEST
from foundation.platform_faults import DATABASE, platform_fault
from kernel.errors import (
    PROBLEM,
    PROBLEM_TYPE_ROOT,
    ErrorItem,
    Invalid,
    LlmteamError,
    Malformed,
    NotAuthenticated,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from kernel.values import pointer_of
from llmteam.api.content import UnsupportedContent

MAX_ERRORS = 200
log = logging.getLogger(__name__)


class RouteNotFound(NotFound):
    """No route has this path."""

    code = "ROUTE_NOT_FOUND"
    title = "There is nothing at this address"


class MethodNotAllowed(LlmteamError):
    """The route exists, the method on it does not."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    title = "This address does not answer that method"


class DatabaseAway(Unavailable):
    """The database does not answer."""

    code = "DATABASE_UNAVAILABLE"
    title = "The database does not answer right now"


def answer(error: Exception, context: Mapping[str, Any]) -> Response:
    """Turn any exception of a view into its answer; what nobody foresaw is logged and becomes a 500."""
    known = translate(error)
    if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request %s failed", REQUEST.get().request_id, exc_info=error)
    headers = _headers(known, error)
    return Response(problem(known), status=known.status, content_type=PROBLEM, headers=headers)


def translate(error: Exception) -> LlmteamError:
    """Find the fact behind an exception of Django, DRF or the database."""
    if isinstance(error, LlmteamError):
        return error
    if isinstance(error, exceptions.ValidationError):
        return Invalid(errors=list(_items(error.detail, ())))
    if platform_fault(error) == DATABASE:
        return DatabaseAway(extra={"retry_after": 5})
    for kind, known in _KINDS:
        if isinstance(error, kind):
            return known()
    return LlmteamError("Something went wrong on our side. The request's id helps us find out what.")


_KINDS: tuple[tuple[type[Exception], type[LlmteamError]], ...] = (
    (Http404, NotFound),
    (exceptions.NotFound, NotFound),
    (exceptions.MethodNotAllowed, MethodNotAllowed),
    (exceptions.UnsupportedMediaType, UnsupportedContent),
    (exceptions.NotAuthenticated, NotAuthenticated),
    (exceptions.AuthenticationFailed, NotAuthenticated),
    (exceptions.PermissionDenied, Refused),
    (PermissionDenied, Refused),
    (RequestDataTooBig, TooLarge),
    (SuspiciousOperation, Malformed),
    (exceptions.ParseError, Malformed),
)


def problem(error: LlmteamError) -> dict[str, Any]:
    """Write the body of an error's answer."""
    request = REQUEST.get()
    extra = {name: value for name, value in error.extra.items() if name != "retry_after"}
    return {
        **extra,
        "type": PROBLEM_TYPE_ROOT + error.code,
        "title": error.title,
        "status": error.status,
        "detail": _detail(error),
        "code": error.code,
        "errors": [
            {
                "pointer": item.pointer,
                "step_id": item.step_id,
                "code": item.code,
                "detail": item.detail,
                "hint": item.hint,
            }
            for item in error.errors[:MAX_ERRORS]
        ],
        "request_id": request.request_id,
    }


def _detail(error: LlmteamError) -> str:
    """Say what happened, and of findings the first with its place, then how many more.

    A detail that is only the title, or the first finding without its place, adds nothing and is left out.
    """
    if not error.errors:
        return error.detail
    first, more = error.errors[0], len(error.errors) - 1
    found = f"{first.pointer}: {first.detail}" if first.pointer else first.detail
    found = f"{found} ({more} more in `errors`.)" if more else found
    return found if error.detail in {error.title, first.detail} else f"{error.detail} {found}"


def no_route() -> HttpResponse:
    """Answer where no route matches."""
    return _plain(RouteNotFound())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for Django where a request is refused before any view."""
    return _plain(translate(exception)) if is_api(request) else defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for Django where a request is forbidden before any view."""
    return _plain(Refused()) if is_api(request) else defaults.permission_denied(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for Django where something failed outside of a view; Django has logged it."""
    return _plain(LlmteamError()) if is_api(request) else defaults.server_error(request)


def _plain(error: LlmteamError) -> HttpResponse:
    return HttpResponse(orjson.dumps(problem(error)), status=error.status, content_type=PROBLEM)


def is_api(request: HttpRequest) -> bool:
    """Whether a request's address is one for programs."""
    return (request.path + "/").startswith("/api/")


def _headers(known: LlmteamError, error: Exception) -> dict[str, str]:
    headers = {}
    if "retry_after" in known.extra:
        headers["Retry-After"] = str(known.extra["retry_after"])
    if known.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="llmteam"'
    return headers


def _items(detail: Any, path: tuple[str | int, ...]) -> Iterable[ErrorItem]:
    """Flatten DRF's nested error texts into findings with pointers."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _items(inner, path if name == "non_field_errors" else (*path, name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _items(inner, (*path, index) if isinstance(inner, dict | list) else path)
    else:
        code = getattr(detail, "code", "invalid")
        yield ErrorItem(code=str(code).upper(), detail=str(detail), pointer=pointer_of(path))
