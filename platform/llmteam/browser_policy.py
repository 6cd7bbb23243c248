"""Browser policy: the sources pages may load from, and the answers browsers may keep."""

from collections.abc import Awaitable, Callable
from typing import Final

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from tenants.content_security import policy

NO_PAGE: Final = policy(form_action="'none'")
"""For what is no page: nothing in it is loaded or run, should a browser show it."""
CONSOLE: Final = policy(
    # Alpine.js, which draws the console, evaluates its attributes; the theme's colours stand in the page.
    script_src="'self' 'unsafe-eval'",
    style_src="'self' 'unsafe-inline'",
    img_src="'self' data:",
    font_src="'self'",
    connect_src="'self'",
)
API_DOCS: Final = policy(
    script_src="'self'", style_src="'self'", img_src="'self' data:", font_src="'self'", connect_src="'self'"
)
CANVAS: Final = policy(
    form_action="'none'", script_src="'self'", style_src="'self'", img_src="'self'", connect_src="'self'"
)
_BY_PATH: Final = (("/admin/", CONSOLE), ("/api/docs/", API_DOCS), ("/canvas/", CANVAS))
Answer = Callable[[HttpRequest], HttpResponseBase]
AsyncAnswer = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def browser_policy(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Give every answer a content security policy, and have nothing kept by anybody that does not say so itself."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _with_headers(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _with_headers(request, get_response(request))  # type: ignore[arg-type]  # not the async kind

    return answer


def _with_headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    own = next((found for path, found in _BY_PATH if request.path_info.startswith(path)), NO_PAGE)
    response.headers.setdefault("Content-Security-Policy", own)
    # With an entity tag a caller may ask whether what it has is still so.
    response.headers.setdefault("Cache-Control", "private, no-cache" if response.has_header("ETag") else "no-store")
    return response
