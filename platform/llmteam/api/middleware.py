"""Request context of every answer: its request's id and its place in the caller's trace."""

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from audit.types import REQUEST, RequestContext
from kernel.ids import new_id
from kernel.log_fields import LOG_FIELDS

log = logging.getLogger("llmteam.requests")

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def request_context(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Give the request an id, a trace and a context others can read while it is served.

    A caller's ``traceparent`` is continued where it is one, and answered with our own span; else a trace begins here.
    """
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            context, traceparent = _opened(request)
            token, fields = REQUEST.set(context), LOG_FIELDS.set({"request_id": context.request_id})
            try:
                return _closed(request, await get_response(request), context, traceparent)
            finally:
                REQUEST.reset(token)
                LOG_FIELDS.reset(fields)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        context, traceparent = _opened(request)
        token, fields = REQUEST.set(context), LOG_FIELDS.set({"request_id": context.request_id})
        try:
            return _closed(request, get_response(request), context, traceparent)  # type: ignore[arg-type]  # not async
        finally:
            REQUEST.reset(token)
            LOG_FIELDS.reset(fields)

    return answer


def _opened(request: HttpRequest) -> tuple[RequestContext, str]:
    given = _TRACEPARENT.fullmatch(request.headers.get("traceparent", "").strip())
    trace_id, flags = (given[1], given[2]) if given else (secrets.token_hex(16), "00")
    span_id = secrets.token_hex(8)
    context = RequestContext(
        request_id=str(new_id()),
        source_address=_address(request.META.get("REMOTE_ADDR")),
        trace_id=trace_id,
        began_at=time.monotonic(),
        # Nobody decided against sampling a trace that begins here; those who make spans of it later may.
        traceparent=given[0] if given else f"00-{trace_id}-{span_id}-01",
    )
    return context, f"00-{trace_id}-{span_id}-{flags}"


def _closed(
    request: HttpRequest, response: HttpResponseBase, context: RequestContext, traceparent: str
) -> HttpResponseBase:
    response["X-Request-Id"] = context.request_id
    response["traceparent"] = traceparent
    if "Allow" in response:  # no view answers to OPTIONS, though DRF names it
        response["Allow"] = ", ".join(method for method in response["Allow"].split(", ") if method != "OPTIONS")
    _log(request, response, context)
    return response


def _log(request: HttpRequest, response: HttpResponseBase, context: RequestContext) -> None:
    """Write the request's line: its route, as a path may hold a secret and a query does; how it was answered."""
    match = request.resolver_match
    route = "none" if match is None else match.route
    named = {} if match is None else {"run": str(match.kwargs["run_id"])} if "run_id" in match.kwargs else {}
    fields = {
        "method": request.method,
        "route": route,
        "status": response.status_code,
        "duration_ms": round((time.monotonic() - context.began_at) * 1000),
        "address": context.source_address,
        **named,
    }
    log.info("%s %s %d", request.method, route, response.status_code, extra=fields)


def _address(text: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(text or ""))
    except ValueError:
        return None
