"""Views that belong to the API as a whole."""

import gzip
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, NoReturn

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from llmteam.api.problems import RouteNotFound

_TAKES_GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)
_BUILDER: Final = ThreadPoolExecutor(1, thread_name_prefix="description")
"""Those who come while the description is made wait here, not in the threads of requests."""


@require_safe
async def show_description(request: HttpRequest) -> HttpResponse:
    """Answer the API's description to anybody, as YAML or JSON; made once in the life of a process.

    It has nearly two megabytes, so whoever takes gzip gets a tenth of it.
    """
    wants_json = "json" in (request.GET.get("format") or request.headers.get("Accept", ""))
    takes_gzip = _TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")) is not None
    describe = sync_to_async(_description, thread_sensitive=False, executor=_BUILDER)
    body, etag = await describe(as_json=wants_json, zipped=takes_gzip)
    headers = {"ETag": etag, "Cache-Control": "public, no-cache", "Vary": "Accept, Accept-Encoding"}
    if takes_gzip:
        headers["Content-Encoding"] = "gzip"
    if etag in request.headers.get("If-None-Match", ""):
        return HttpResponseNotModified(headers=headers)
    renderer = OpenApiJsonRenderer if wants_json else OpenApiYamlRenderer
    return HttpResponse(body, content_type=renderer.media_type, headers=headers)


@lru_cache(maxsize=4)
def _description(*, as_json: bool, zipped: bool) -> tuple[bytes, str]:
    """Make the description; return it with its entity tag."""
    if zipped:
        plain, _ = _description(as_json=as_json, zipped=False)
        return _with_tag(gzip.compress(plain, mtime=0))
    renderer = OpenApiJsonRenderer() if as_json else OpenApiYamlRenderer()
    generator: Any = SchemaGenerator  # it has no types
    body: bytes = renderer.render(generator().get_schema(request=None, public=True))
    return _with_tag(body)


def _with_tag(body: bytes) -> tuple[bytes, str]:
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class DocsView(SpectacularSwaggerSplitView):
    """The page that shows the description, open to anybody; its script is an address of its own."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    url_name = "schema"
    template_name = "pages/api_docs.html"


class NoSuchRouteView(APIView):
    """Every address no other route answers at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """Answer all methods alike.

        Raises:
            RouteNotFound: Always.
        """
        raise RouteNotFound
