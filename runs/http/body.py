"""Bodies of calls: JSON, text, a form, or parts with files."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from kernel.charsets import WIDE, codec_of, declared_by, label_of
from kernel.numbers import without_fraction
from kernel.types import Json
from kernel.values import dump_json
from runs.http.config import HttpActionConfig
from runs.http.reading import media_type
from runs.step_api.base import StepCall, StepFailed

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
MAX_TYPE_LENGTH: Final = 100
"""Characters of a type that are looked at and told."""
PLAIN: Final = "text/plain"
BYTES: Final = "application/octet-stream"
_METHODS_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
_FILE: Final = frozenset(("filename", "content", "content_type", "encoding"))
_CONTENT_TYPE: Final = re.compile(r"[\x20-\x7e]{1,200}")
_DATA_URL: Final = re.compile(r"\s*data:[^,]{0,500};base64,", re.IGNORECASE)
_BOUNDARY: Final = re.compile(r";\s*boundary\s*=\s*[^\s;]", re.IGNORECASE)
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_AN_OBJECT: Final = f"an object is written in parts as {MULTIPART}, a member for each field"
_BETWEEN_LINES: Final = str.maketrans("", "", " \t\r\n")
_Part = tuple[str, tuple[str | None, bytes, str | None]]


def with_query(url: str, query: Mapping[str, Json]) -> str:
    """Add parameters; a list repeats its parameter, null leaves it out."""
    pairs = _pairs({name: _in_query(value) for name, value in query.items()})
    if not pairs:
        return url
    bare, hash_mark, fragment = url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{urlencode(pairs)}{hash_mark}{fragment}"


def body_of(config: HttpActionConfig, call: StepCall, headers: dict[str, str]) -> tuple[Json, bytes | None]:
    """Give the body and encode it; name its type in `headers`, unless the segment did.

    A text goes out as it is, an input that is one where the segment names another type than JSON; an object goes out as
    a form or in parts where the segment says so; else JSON.

    Raises:
        StepFailed: BODY_REFUSED: it is none of what its type takes, or cannot be written in its charset.
    """
    is_configured = "body" in config.model_fields_set
    if not is_configured and config.method not in _METHODS_WITH_BODY:
        return None, None
    body: Json = config.body if is_configured else call.input
    if body is None and is_configured:
        return None, None
    is_text = isinstance(body, str) and (is_configured or not is_json(headers.get("content-type", JSON)))
    return body, written(body, headers, is_text=is_text)


def written(body: Json, headers: dict[str, str], *, is_text: bool) -> bytes:
    """Write a body as its type in `headers` says, which is named there if it is not yet; raises as ``body_of``."""
    content_type = headers.setdefault("content-type", default_type(body) if is_text else JSON)
    if (why := violation(body, content_type, is_text=is_text)) is not None:
        raise StepFailed("BODY_REFUSED", why)
    kind = media_type(content_type)
    if isinstance(body, str) and is_text:
        return _in_charset(body, content_type)
    if isinstance(body, dict) and kind == MULTIPART:
        return _multipart(body, headers)
    if isinstance(body, dict) and kind == FORM:
        return _form(body, content_type)
    return json_bytes(body, content_type)


def default_type(body: Json) -> str:
    """Give the type of a text of which nobody names one; XML that declares a charset is sent in that."""
    return f"{PLAIN}; charset={(isinstance(body, str) and declared_by(body)) or 'utf-8'}"


def charset_of(text: str, content_type: str) -> str | None:
    """Give the charset of a text: that of its type, else the one it declares itself (RFC 7303, 3)."""
    if (label := label_of(content_type)) is not None or media_type(content_type).startswith("multipart/"):
        return label
    return declared_in_text(text, content_type)


def declared_in_text(text: str, content_type: str) -> str | None:
    """Give the charset that a text declares itself, as its type has it."""
    return declared_by(text, is_html=media_type(content_type).endswith("/html"))


def violation(body: Json, content_type: str, *, is_text: bool) -> str | None:
    """Say why a body is none of what its type takes, if it is not."""
    kind = media_type(content_type)[:MAX_TYPE_LENGTH]
    if is_text:
        is_without = kind.startswith("multipart/") and _BOUNDARY.search(content_type) is None
        return f"A text cannot be sent as {kind} whose boundary no header names; {_AN_OBJECT}." if is_without else None
    if kind.startswith("multipart/") and (kind != MULTIPART or not isinstance(body, dict)):
        return f"A body sent as {kind} is a text, with its boundary in the header; {_AN_OBJECT}."
    if kind == FORM and not isinstance(body, dict):
        return f"A body sent as {FORM} is an object, a member for each field, or a text."
    return None


def json_bytes(body: Json, content_type: str) -> bytes:
    """Write JSON in the charset its type names; a letter that this does not have is escaped, as JSON has it."""
    text = dump_json(body)
    codec = codec_for(label_of(content_type))
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text).encode(codec)


def is_json(content_type: str) -> bool:
    """Whether a type is one of JSON."""
    kind = media_type(content_type)
    return kind.endswith(("/json", "+json"))


def _in_query(value: Json) -> Json:
    return [*map(without_fraction, value)] if isinstance(value, list) else without_fraction(value)


def _pairs(query: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [
        (name, item if isinstance(item, str) else dump_json(item))
        for name, value in query.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]


def _form(body: Mapping[str, Json], content_type: str) -> bytes:
    label = label_of(content_type)
    codec = codec_for(label)
    if codec.startswith(WIDE):
        raise StepFailed("BODY_REFUSED", f"A form is not written in {label}: its signs are ASCII.")
    try:
        return urlencode(_pairs(body), encoding=codec, errors="strict").encode()
    except UnicodeEncodeError:
        raise _letters_missing(label) from None


def _in_charset(text: str, content_type: str) -> bytes:
    """Write text in the charset its type names, or it declares itself, else in UTF-8."""
    label = charset_of(text, content_type)
    try:
        return text.encode(codec_for(label))
    except UnicodeEncodeError:
        raise _letters_missing(label) from None


def codec_for(label: str | None) -> str:
    """Give the codec of a charset, where that is known, else UTF-8."""
    codec = codec_of(label or "") or "utf-8"
    return "utf-8" if codec.startswith("utf-8") else codec


def _letters_missing(label: str | None) -> StepFailed:
    return StepFailed("BODY_REFUSED", f"The body has letters that its charset {label} does not have.")


def _multipart(body: Mapping[str, Json], headers: dict[str, str]) -> bytes:
    """Write an object in parts (RFC 7578); the same object always gives the same bytes."""
    label = label_of(headers["content-type"])
    parts = list(_parts(body, headers["content-type"]))
    boundary = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    headers["content-type"] = f"{MULTIPART}; boundary={boundary}" + (f"; charset={label}" if label else "")
    files: Any = parts
    request = httpx.Request("POST", "http://parts/", files=files, headers={"content-type": headers["content-type"]})
    return request.read()


def _parts(body: Mapping[str, Json], content_type: str) -> Iterator[_Part]:
    for name, value in body.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "filename" in item and item.keys() <= _FILE:
                if item.get("content", "") is not None:
                    yield name, _file(name, item)
            elif item is not None:
                text = item if isinstance(item, str) else dump_json(item)
                yield name, (None, _in_charset(text, content_type), None)


def _of_base64(text: str) -> bytes:
    """Read base64 as mails and browsers write it: over many lines, of either alphabet, unpadded, as a data URL."""
    text = _DATA_URL.sub("", text, count=1) if text.lstrip()[:5].lower() == "data:" else text
    text = text.translate(_BETWEEN_LINES).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _file(name: str, member: Mapping[str, Json]) -> tuple[str, bytes, str]:
    """Read a file: ``filename``, ``content`` as text or, with ``encoding: base64``, as bytes, ``content_type``."""
    content = member.get("content", "")
    content = content if isinstance(content, str) else dump_json(content)
    encoding = member.get("encoding", "text")
    if encoding not in {"text", "base64"}:
        raise StepFailed("BODY_REFUSED", f"The encoding of the file {name} is `text` or `base64`.")
    content_type = str(member.get("content_type") or BYTES)
    if _CONTENT_TYPE.fullmatch(content_type) is None:
        raise StepFailed("BODY_REFUSED", f"The content_type of the file {name} holds a character that cannot be sent.")
    if encoding == "text":
        return str(member["filename"]), _in_charset(content, content_type), content_type
    try:
        return str(member["filename"]), _of_base64(content), content_type
    except ValueError:
        raise StepFailed("BODY_REFUSED", f"The content of the file {name} is not base64.") from None
