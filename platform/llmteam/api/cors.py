"""Cross-origin rules: pages of an origin may read the API if the caller's own tenant lists it."""

from typing import Final

from asgiref.sync import sync_to_async
from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from llmteam.api.inline import API
from tenants.access.known_origins import known_origins

ALLOWED: Final = "allowed_origins"
"""Attribute of a request: the origins of its caller's tenant, once the caller is known."""


class Cors(CorsMiddleware):
    """django-cors-headers, where the tenant decides.

    A preflight has no credentials, so it is answered for an origin that some active tenant lists; whether a page may
    read an answer is decided by the caller's own tenant. Without an ``Origin`` nothing is done. The origins of all
    tenants are read at most every 4 s, in a thread.
    """

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as the library does."""
        if "Origin" not in request.headers or not request.path_info.startswith(API):
            passed: HttpResponseBase = await self.get_response(request)  # type: ignore[misc]  # the async kind
            return passed
        if request.method == "OPTIONS" and known_origins.is_old():
            await sync_to_async(known_origins.read)()
        return await super().__acall__(request)

    def is_enabled(self, request: HttpRequest) -> bool:
        """Only the API is for pages of others."""
        return request.path_info.startswith(API)

    def check_signal(self, request: HttpRequest) -> bool:
        """Whether the origin may have its answer; the library asks its users by a signal here."""
        origin = request.headers.get("Origin", "")
        if request.method == "OPTIONS":
            return origin in known_origins
        return origin in getattr(request, ALLOWED, ())
