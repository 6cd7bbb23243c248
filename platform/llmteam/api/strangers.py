"""Bodies of callers that are not ours to teach: read in whatever type they come, with nothing lost."""

import io
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO, Any, Final
from urllib.parse import parse_qsl

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.parsers import BaseParser

from kernel.charsets import decode, label_of
from kernel.errors import LlmteamError, Malformed
from kernel.values import Json, normalise, parse_json
from llmteam.api.content import FORM, MAX_BODY_BYTES, MAX_FORM_BYTES, read_body

MULTIPART: Final = "multipart/form-data"
MOST_FIELDS: Final = 1_000
_JSON: Final = re.compile(r"(?:[^/]+/json|[^/]+/[^/]+\+json|)")


class StrangersParser(BaseParser):
    """Reads a body of any type; integers beyond 2^53 become texts.

    JSON by any of its names, a form or a multipart form as an object, anything else as JSON where it opens like an
    object or a list and is one, else as text. Only views with ``accepts_any_type`` have it.
    """

    media_type = "*/*"

    def parse(  # type: ignore[override]  # a body may be any JSON, not only an object
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Json:
        """Return the value, plain and bounded.

        Raises:
            TooLarge: Over 1 MiB; a form over 64 KiB.
            UnsupportedContent: The body is compressed.
            MalformedJson: Said to be JSON, and none.
            Malformed: A form that cannot be read, or whose file is no text.
            ValueRefused: NUL or a lone surrogate.
        """
        content_type = media_type or ""
        kind = content_type.partition(";")[0].strip().lower()
        limit = MAX_FORM_BYTES if kind in {FORM, MULTIPART} else MAX_BODY_BYTES
        body = read_body(stream, limit, "A body" if limit == MAX_BODY_BYTES else "A form")
        if kind == FORM:
            return _object(_form_fields(body))
        if kind == MULTIPART:
            return _object(_parts(body, content_type))
        text = _text(body, content_type)
        if _JSON.fullmatch(kind):
            return parse_json(text, big_integers="text")
        return _maybe_json(text)


def _form_fields(body: bytes) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Malformed("The form cannot be read: send `name=value` pairs, percent-encoded UTF-8.") from None


def _parts(body: bytes, content_type: str) -> Iterable[tuple[str, str]]:
    if not body.rstrip().endswith(b"--"):
        raise Malformed("The multipart form is cut off.")
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": len(body)}
    try:
        reader = MultiPartParser(meta, io.BytesIO(body), [MemoryFileUploadHandler()])
        fields, files = reader.parse()
    except (MultiPartParserError, ValueError):
        raise Malformed("The multipart form cannot be read.") from None
    found = [(name, text) for name, texts in fields.lists() for text in texts]
    for name, sent in files.lists():
        for file in sent:
            content = file.read()
            if b"\0" in content:
                raise Malformed(f"The file of the field `{name[:64]}` is no text.")
            found.append((name, _text(content, file.content_type or "")))
    return found


def _object(fields: Iterable[tuple[str, str]]) -> Json:
    """Make a form's fields members; a field sent more than once has the list of its values."""
    members: dict[str, list[Json]] = {}
    for name, text in fields:
        members.setdefault(name, []).append(_maybe_json(text))
    return normalise({name: values[0] if len(values) == 1 else values for name, values in members.items()})


def _maybe_json(text: str) -> Json:
    if text.lstrip()[:1] in {"{", "["}:
        with suppress(LlmteamError):
            return parse_json(text, big_integers="text")
    return normalise(text)


def _text(body: bytes, content_type: str) -> str:
    return decode(body, label_of(content_type), in_any_case=True)
