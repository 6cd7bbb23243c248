"""What a call sends as its body: JSON, text, a form, or parts with files."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from kernel.charsets import codec_of, label_of
from kernel.values import Json, dump_json
from runs.step_api.base import StepCall, StepFailed
from runs.steps.http.config import HttpActionConfig
from runs.steps.http.reading import media_type

_METHODS_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
_FILE: Final = frozenset(("filename", "content", "content_type", "encoding"))
_CONTENT_TYPE: Final = re.compile(r"[\x20-\x7e]{1,200}")
_DATA_URL: Final = re.compile(r"\s*data:[^,]{0,500};base64,", re.IGNORECASE)
_BETWEEN_LINES: Final = str.maketrans("", "", " \t\r\n")
_Part = tuple[str, tuple[str | None, bytes, str | None]]


def with_query(url: str, query: Mapping[str, Json]) -> str:
    """Add parameters; a list repeats its parameter, null leaves it out."""
    pairs = [
        (name, item if isinstance(item, str) else dump_json(item))
        for name, value in query.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]
    if not pairs:
        return url
    bare, hash_mark, fragment = url.partition("#")
    return f"{bare}{'&' if '?' in bare else '?'}{urlencode(pairs)}{hash_mark}{fragment}"


def body_of(config: HttpActionConfig, call: StepCall, headers: dict[str, str]) -> tuple[Json, bytes | None]:
    """Give the body and encode it; name its type in `headers`, unless the segment did.

    A configured text goes out as it is; an object goes out as a form or in parts where the segment says so; else JSON.

    Raises:
        StepFailed: BODY_REFUSED: it cannot be sent in parts, or not in its charset.
    """
    if "body" in config.model_fields_set:
        body: Json = config.body
        if isinstance(body, str):
            headers.setdefault("content-type", "text/plain; charset=utf-8")
            return body, _in_charset(body, headers["content-type"])
        if body is None:
            return None, None
    elif config.method in _METHODS_WITH_BODY:
        body = call.input
    else:
        return None, None
    content_type = headers.setdefault("content-type", "application/json")
    kind = media_type(content_type)
    if kind == "multipart/form-data":
        return body, _multipart(body, headers)
    if isinstance(body, dict) and kind == "application/x-www-form-urlencoded":
        return body, with_query("", body)[1:].encode()
    return body, dump_json(body).encode()


def _in_charset(text: str, content_type: str) -> bytes:
    """Write text in the charset its type names, where that is known, else in UTF-8."""
    label = label_of(content_type)
    codec = codec_of(label) if label else None
    if codec is None or codec.startswith("utf-8"):
        return text.encode()
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        raise StepFailed("BODY_REFUSED", f"The body has letters that its charset {label} does not have.") from None


def _multipart(body: Json, headers: dict[str, str]) -> bytes:
    """Write an object in parts (RFC 7578); the same object always gives the same bytes."""
    if not isinstance(body, dict):
        raise StepFailed("BODY_REFUSED", "A body sent as multipart/form-data is an object: a member for each field.")
    parts = list(_parts(body))
    boundary = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    headers["content-type"] = f"multipart/form-data; boundary={boundary}"
    files: Any = parts
    request = httpx.Request("POST", "http://parts/", files=files, headers={"content-type": headers["content-type"]})
    return request.read()


def _parts(body: Mapping[str, Json]) -> Iterator[_Part]:
    for name, value in body.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "filename" in item and item.keys() <= _FILE:
                yield name, _file(name, item)
            elif item is not None:
                yield name, (None, (item if isinstance(item, str) else dump_json(item)).encode(), None)


def _of_base64(text: str) -> bytes:
    """Read base64 as mails and browsers write it: over many lines, of either alphabet, unpadded, as a data URL."""
    text = _DATA_URL.sub("", text, count=1) if text.lstrip()[:5].lower() == "data:" else text
    text = text.translate(_BETWEEN_LINES).rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _file(name: str, told: Mapping[str, Json]) -> tuple[str, bytes, str]:
    """Read a file: ``filename``, ``content`` as text or, with ``encoding: base64``, as bytes, ``content_type``."""
    content = told.get("content", "")
    content = content if isinstance(content, str) else dump_json(content)
    encoding = told.get("encoding", "text")
    if encoding not in {"text", "base64"}:
        raise StepFailed("BODY_REFUSED", f"The encoding of the file {name} is `text` or `base64`.")
    try:
        data = _of_base64(content) if encoding == "base64" else content.encode()
    except ValueError:
        raise StepFailed("BODY_REFUSED", f"The content of the file {name} is not base64.") from None
    content_type = str(told.get("content_type") or "application/octet-stream")
    if _CONTENT_TYPE.fullmatch(content_type) is None:
        raise StepFailed("BODY_REFUSED", f"The content_type of the file {name} holds a character that cannot be sent.")
    return str(told["filename"]), data, content_type
