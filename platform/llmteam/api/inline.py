"""Django's middleware as async code, without a change of thread for each hook.

Under ASGI Django runs every hook of its own middleware in a thread and comes back: a dozen changes of thread a request,
which cost more than the hooks. Those that only look at headers may run on the event loop; those that may read the
session from the database are left out of API calls, which know keys only.
"""

from functools import partial
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from tenants.members.sessions import user_of_session

API: Final = "/api/v1/"
WITHOUT_LANGUAGE: Final = ("/api/", "/admin/", "/metrics")
"""Paths under which nothing is translated: programs, and the console, whose operators share one language."""


class Inline(MiddlewareMixin):
    """Runs the hooks of the middleware it is mixed into on the event loop. For hooks that never block."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as the middleware would."""
        hooks: Any = self
        response: HttpResponseBase | None = None
        if hasattr(self, "process_request"):
            response = hooks.process_request(request)
        if response is None:
            response = await hooks.get_response(request)
        if hasattr(self, "process_response"):
            response = hooks.process_response(request, response)
        return response


class OutsideApi(MiddlewareMixin):
    """Leaves API calls alone; other requests go through the middleware it is mixed into."""

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer as the middleware would, or as what stands behind it."""
        middleware: Any = self
        inherited: Any = super().__acall__
        passes_by = request.path_info.startswith(API)
        answered: HttpResponseBase = await (middleware.get_response(request) if passes_by else inherited(request))
        return answered


class Security(Inline, SecurityMiddleware):
    """Redirects to HTTPS and sets the security headers."""


class Common(Inline, CommonMiddleware):
    """Says how long answers are."""


class XFrameOptions(Inline, XFrameOptionsMiddleware):
    """Keeps pages out of frames."""


class Session(OutsideApi, SessionMiddleware):
    """Gives pages their session."""


class Locale(Inline, LocaleMiddleware):
    """Chooses the language of pages for people by what their browser asks for."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose it."""
        if not request.path_info.startswith(WITHOUT_LANGUAGE):
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Say which it is, and leave none behind for the thread's next request."""
        if not request.path_info.startswith(WITHOUT_LANGUAGE):
            response = super().process_response(request, response)
            translation.deactivate()
        return response


class Csrf(Inline, CsrfViewMiddleware):
    """Guards the forms of pages, in a thread; views that are exempt, as those of the API are, need none."""

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        if self.async_mode:
            self.process_view = self._process_view_async  # type: ignore[assignment]  # the handler takes either kind

    async def _process_view_async(self, request: HttpRequest, view: Any, *arguments: Any) -> HttpResponseBase | None:
        if getattr(view, "csrf_exempt", False):
            return None
        refusal: HttpResponseBase | None = await sync_to_async(super().process_view)(request, view, *arguments)
        return refusal


class Authentication(OutsideApi, AuthenticationMiddleware):
    """Tells pages who is signed in, should they ask."""

    def process_request(self, request: HttpRequest) -> None:
        """Look the person up when a page first asks, as the system's role: no tenant is chosen yet."""
        super().process_request(request)
        # The stubs know the person only, not who stands in for them until a page asks; Django puts the same here.
        request.user = SimpleLazyObject(partial(user_of_session, request))  # type: ignore[assignment]


class InlineMessage(OutsideApi, MessageMiddleware):
    """Keeps messages from one page to the next."""
