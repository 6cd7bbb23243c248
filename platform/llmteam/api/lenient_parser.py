"""Lenient parser for bodies of foreign callers: read in whatever type they come, with nothing lost."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO, Any, Final
from urllib.parse import parse_qsl

from rest_framework.parsers import BaseParser

from foundation.request_fields import Texts
from kernel.charsets import codec_of, decode, label_of
from kernel.errors import LlmteamError, Malformed
from kernel.types import Json
from kernel.values import normalise, parse_json
from llmteam.api.content import FORM, MAX_BODY_BYTES, MAX_FORM_BYTES, read_body
from llmteam.api.multipart import FormPart, parts_of

MULTIPART: Final = "multipart/form-data"
MAX_FIELDS: Final = 1_000
NAMING_CHARSET: Final = ("_charset_", "charset")
"""Fields of forms that name the charset of the others, in HTML and of payment services."""
_JSON: Final = re.compile(r"(?:[^/]+/json|[^/]+/[^/]+\+json|)")


class LenientParser(BaseParser):
    """Reads a body of any type; integers beyond 2^53 become texts.

    JSON by any of its names, a form or a multipart form as an object of texts (``Texts``), anything else, and a form
    that is none, as JSON where it opens like an object or a list and is one, else as text. A blank body is ``{}``. Only
    views with ``accepts_any_type`` have it.
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
            Malformed: A form that cannot be read, or whose file is not text.
            ValueRefused: NUL or a lone surrogate.
        """
        content_type = media_type or ""
        kind = content_type.partition(";")[0].strip().lower()
        limit = MAX_FORM_BYTES if kind in {FORM, MULTIPART} else MAX_BODY_BYTES
        body = read_body(stream, limit, "A body" if limit == MAX_BODY_BYTES else "A form")
        if not body.strip():
            return {}
        if kind == FORM:
            found = _json_of(body)
            return _object(_form_fields(body, content_type)) if found is None else found
        if kind == MULTIPART:
            return _object(_fields_of(parts_of(body, content_type, most=MAX_FIELDS), content_type))
        text = _text(body, content_type)
        if _JSON.fullmatch(kind):
            return parse_json(text, big_integers="text")
        return _maybe_json(text)


def _form_fields(body: bytes, content_type: str) -> Iterable[tuple[str, str]]:
    """Read a form; its texts are bytes in the charset that the type or a field names, else in the likeliest."""
    text = body.decode("latin-1")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Malformed(f"The form has more than {MAX_FIELDS} fields.") from None
    named = dict(reversed(pairs))
    label = next((one for name in NAMING_CHARSET if codec_of(one := named.get(name, ""))), None)
    return [(_of_bytes(name, label, content_type), _of_bytes(text, label, content_type)) for name, text in pairs]


def _of_bytes(text: str, label: str | None, content_type: str) -> str:
    return decode(text.encode("latin-1"), label_of(content_type) or label, in_any_case=True, may_declare=False)


def _fields_of(parts: Iterable[FormPart], content_type: str) -> Iterable[tuple[str, str]]:
    known = [*parts]
    named = [part.content.decode("latin-1").strip() for part in known if part.name == NAMING_CHARSET[0]]
    label = label_of(content_type) or next(iter(named), None)
    return [(part.name, part.text(label)) for part in known]


def _object(fields: Iterable[tuple[str, str]]) -> Json:
    """Make a form's fields members; a field sent more than once has the list of its values."""
    members: dict[str, list[Json]] = {}
    for name, text in fields:
        members.setdefault(name, []).append(normalise(text))
    whole: Any = normalise({name: values[0] if len(values) == 1 else values for name, values in members.items()})
    return Texts(whole)


def _json_of(body: bytes) -> Json:
    """Give the JSON that a program sent under its default type, a form's; None where it is none."""
    if body.lstrip()[:1] in {b"{", b"["}:
        with suppress(LlmteamError):
            return parse_json(body, big_integers="text")
    return None


def _maybe_json(text: str) -> Json:
    if text.lstrip()[:1] in {"{", "["}:
        with suppress(LlmteamError):
            return parse_json(text, big_integers="text")
    return normalise(text)


def _text(body: bytes, content_type: str) -> str:
    return decode(body, label_of(content_type), in_any_case=True)
