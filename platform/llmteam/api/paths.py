"""Addresses that programs call: a slash at the end changes nothing."""

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from llmteam.api.middleware import Answer, AsyncAnswer

API = "/api/v1/"
CALLED = (API, "/resume/")


@sync_and_async_middleware
def without_trailing_slash(get_response: Answer | AsyncAnswer) -> Answer | AsyncAnswer:
    """Serve ``/api/v1/runs/`` as ``/api/v1/runs``: answered, and not redirected, as a redirect loses a body."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            _cut(request)
            response: HttpResponseBase = await get_response(request)
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        _cut(request)
        return get_response(request)  # type: ignore[return-value]  # not async

    return answer


def _cut(request: HttpRequest) -> None:
    if request.path_info.startswith(CALLED):
        request.path_info = request.path_info.removesuffix("/")
        request.path = request.path.removesuffix("/")
