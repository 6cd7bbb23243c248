"""Responses every app's routes share: pages, and contents with an entity tag."""

from collections.abc import Callable
from typing import Any, TypeVar

from rest_framework.request import Request
from rest_framework.response import Response

from kernel.paging import Page, page_body

Row = TypeVar("Row")


def page_response(
    request: Request, page: Page[Row], show: Callable[[Row], Any], *, parameter: str = "cursor"
) -> Response:
    """Answer with a page; the address of the next is this request's but for ``parameter``. ``show`` writes a row."""
    return Response(page_body(page, show, request.build_absolute_uri(), parameter=parameter))


def with_etag(request: Request, etag: str, body: Any, *, status: int = 200, **headers: str) -> Response:
    """Answer with an entity tag; 304 without a body when the caller (``If-None-Match``) has that content already."""
    tags = {tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")}
    if request.method in {"GET", "HEAD"} and tags & {etag, "*"}:
        return Response(status=304, headers={"ETag": etag})
    return Response(body, status=status, headers={"ETag": etag, **headers})


def content_response(request: Request, content_hash: str, body: Any) -> Response:
    """Answer with a content whose entity tag is its hash."""
    return with_etag(request, f'"{content_hash}"', body)


def saved_response(request: Request, content_hash: str, body: Any, *, is_new: bool, path: str) -> Response:
    """Answer a request that saved a content: 201 when it is new, else 200; it is read at ``path``."""
    status, location = 201 if is_new else 200, request.build_absolute_uri(path)
    return with_etag(request, f'"{content_hash}"', body, status=status, Location=location)
