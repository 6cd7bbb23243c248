"""Static files, served by WhiteNoise, without making every other request take a thread."""

from collections.abc import Callable
from functools import cache
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from whitenoise.middleware import WhiteNoiseMiddleware


@sync_and_async_middleware
def static_files(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer for a static file, else pass on.

    WhiteNoise's own middleware is for sync servers: in an ASGI server it would hold a thread for as long as a request
    takes, even one that only waits. Whether an address is a static file is a look into a dictionary.
    """
    whitenoise = _whitenoise()

    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            found: HttpResponseBase | None = whitenoise(request)
            if found is None:
                passed: HttpResponseBase = await get_response(request)
                return passed
            return found

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        found: HttpResponseBase | None = whitenoise(request)
        if found is None:
            passed: HttpResponseBase = get_response(request)
            return passed
        return found

    return answer


@cache
def _whitenoise() -> WhiteNoiseMiddleware:
    """One for all handlers of a process: a look at every static file takes longer than most requests."""
    return WhiteNoiseMiddleware(lambda _: None)
