"""Parsers and renderers of the API: strict JSON, one form, one JSON writer."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import IO, Any
from urllib.parse import parse_qsl

import orjson
from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from foundation.request_fields import Texts
from kernel.errors import LlmteamError, Malformed, TooLarge
from kernel.types import Json
from kernel.values import normalise, parse_json, pointer_of

MAX_BODY_BYTES = 1024 * 1024
MAX_FORM_BYTES = 64 * 1024
"""Of a form, which takes many times longer to read than JSON of its size."""
FORM = "application/x-www-form-urlencoded"


class UnsupportedContent(LlmteamError):
    """The body's type or encoding is not one this call reads."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    title = "The body's content type is not one this call reads"


class JsonParser(BaseParser):
    """Reads a body as JSON, once and strictly (``kernel.values.parse_json``)."""

    media_type = "application/json"

    def parse(  # type: ignore[override]  # a body may be any JSON, not only an object
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Json:
        """Return the value, plain and bounded.

        Raises:
            TooLarge: Over 1 MiB.
            UnsupportedContent: The body is compressed.
            MalformedJson: Not JSON, a duplicate key, NaN, too deep.
            ValueRefused: NUL, a lone surrogate, an integer beyond 2^53.
        """
        return parse_json(read_body(stream, MAX_BODY_BYTES, "A body"))


class FormParser(BaseParser):
    """Reads an HTML form: each field is a member of the object.

    For callers that cannot send JSON. A text that opens with ``{`` or ``[`` is read as JSON, any other stays text.
    """

    media_type = FORM

    def parse(  # type: ignore[override]  # a body may be any JSON, not only an object
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Json:
        """Return the form as an object; errors as ``JsonParser``, and a field sent twice is Malformed.

        A form over 64 KiB is TooLarge.
        """
        body = read_body(stream, MAX_FORM_BYTES, "A form")
        try:
            fields = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=1000
            )
        except ValueError:
            raise Malformed("The form cannot be read: send `name=value` pairs, percent-encoded UTF-8.") from None
        if len(dict(fields)) != len(fields):
            raise Malformed("A field of the form is sent twice.")
        members: Any = normalise({name: _form_value(name, text) for name, text in fields})
        return Texts(members)


class JsonRenderer(BaseRenderer):
    """Writes what views return. Times are RFC 3339 in UTC."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Write the value; None is an empty body."""
        return b"" if data is None else orjson.dumps(data, option=orjson.OPT_UTC_Z)


class AlwaysJson(BaseContentNegotiation):
    """Answers JSON whatever ``Accept`` says: callers that send a browser's list still mean this API."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Pick by the type alone, without its parameters.

        A form only where the view says ``accepts_form``, any type only where it says ``accepts_any_type``.
        """
        if getattr(request.parser_context["view"], "accepts_any_type", False):
            return next((p for p in parsers if p.media_type == "*/*"), None)
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        takes_form = getattr(request.parser_context["view"], "accepts_form", False)
        return next((p for p in parsers if p.media_type == media_type and (takes_form or p.media_type != FORM)), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Pick the first."""
        first = next(iter(renderers))
        return first, first.media_type or ""


def read_body(stream: IO[bytes], limit: int, what: str) -> bytes:
    """Read a body of at most ``limit`` bytes, without reading more than that.

    Raises:
        TooLarge: It is longer, by its own account or in fact.
        UnsupportedContent: It is compressed.
    """
    if isinstance(stream, HttpRequest):
        if stream.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnsupportedContent("Send the body as it is, without a Content-Encoding.")
        declared = stream.headers.get("Content-Length", "")
        if declared.isdigit() and len(declared) < 20 and int(declared) > limit:
            raise TooLarge(f"{what} may have at most {limit} bytes.", extra={"limit": limit})
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"{what} may have at most {limit} bytes.", extra={"limit": limit})
    return body


def _form_value(name: str, text: str) -> Json:
    if text[:1] not in {"{", "["}:
        return text
    try:
        return parse_json(text)
    except LlmteamError as error:
        field = pointer_of((name[:64],))
        found = [replace(item, pointer=field + (item.pointer or "")) for item in error.errors]
        raise type(error)(error.detail, errors=found) from error
