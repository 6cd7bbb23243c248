"""Parsing of answers by their content type, with the connection's secrets cut out.

Of a large answer that is done in the compute pool.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

import orjson

from kernel.charsets import WIDE, codec_of, decode, is_damaged_utf8, label_of, mark_of
from kernel.compute.shared import compute_pool
from kernel.errors import LlmteamError, sentences
from kernel.json_text import JsonText
from kernel.redaction import redact, redact_beginning
from kernel.types import Json
from kernel.values import normalise, parse_json

MAX_BYTES_IN_PLACE: Final = 64 * 1024
FUNCTION: Final = "http_content"
"""Name of ``read_bytes`` in the compute pool."""

ResponseAs = Literal["auto", "json", "text", "none"]
"""Ways to read an answer: by its type, as JSON, as text, or not at all."""

_BINARY: Final = re.compile(r"(image(?!/svg)|audio|video|font)/.*|application/(pdf|zip|gzip|x-tar|wasm)")
_JSON: Final = re.compile(r"((application|text)/(x-)?)?json|.*\+json")
_TEXT: Final = re.compile(
    r"text/.*|.*[/+]xml|application/(javascript|ecmascript|x-www-form-urlencoded|.*yaml|sql|graphql)|"
)
_BEHIND_TYPE: Final = re.compile(r"[\s;,]")
_BLANK: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_EXCERPT_BYTES: Final = 8_192
_VALUE: Final = b"="
"""Before a value that a compute process has read."""
_CUT_LETTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]{0,3}\Z")
_WIDE_JSON: Final[dict[tuple[bool, ...], str]] = {
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}


class UnreadableAnswer(Exception):
    """The content is no value: why, as a step's failure says it."""

    def __init__(self, code: str, message: str, details: Mapping[str, Json]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def media_type(content_type: str) -> str:
    """Give a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _kind(content_type: str) -> str:
    """Give the first type that an answer names: proxies say it twice, servers forget the semicolon behind it."""
    return _BEHIND_TYPE.split(content_type.strip(), 1)[0].lower()


def read_content(content: bytes, content_type: str, secrets: Sequence[str], response_as: ResponseAs = "auto") -> Json:
    """Read the content of an answer; without one it is null, and so is JSON that is blank.

    Raises:
        Unreadable: RESPONSE_BINARY, MALFORMED_JSON, or a value no run can hold.
    """
    kind = _kind(content_type)
    is_json = response_as == "json" or (response_as == "auto" and _JSON.fullmatch(kind) is not None)
    if not content or response_as == "none" or (is_json and _BLANK.fullmatch(content)):
        return None
    try:
        if is_json:
            return redact(parse_json(_json_text(content, label_of(content_type)), big_integers="text"), secrets)
        return redact(normalise(_text(content, kind, content_type, in_any_case=response_as == "text")), secrets)
    except LlmteamError as error:
        items: list[Json] = [{"code": item.code, "detail": item.detail} for item in error.errors]
        raise UnreadableAnswer(error.code, sentences(error.detail, _REMEDY), {"errors": items}) from error


_REMEDY: Final = "With `response_as` the step takes the answer as `text`, or not at all (`none`)."


def excerpt(content: bytes, content_type: str, secrets: Sequence[str], most: int) -> str | None:
    """Give the beginning of an answer as text, secrets cut out; None where it is not text."""
    most_bytes = _EXCERPT_BYTES + 4 * max(map(len, secrets), default=0)
    beginning = content if len(content) <= most_bytes else _CUT_LETTER.sub(b"", content[:most_bytes])
    try:
        text = _text(beginning, _kind(content_type), content_type, in_any_case=True)
    except UnreadableAnswer:
        return None
    clean = _CONTROL.sub("\ufffd", text)
    hidden = redact(clean, secrets) if beginning is content else redact_beginning(clean, secrets)
    return str(hidden)[:most]


async def read_large(
    tenant: UUID, content: bytes, content_type: str, secrets: Sequence[str], response_as: ResponseAs
) -> JsonText:
    """Do what ``read_content`` does while the event loop goes on, which is left with the value's text.

    Raises:
        Unreadable: As ``read_content``.
        ComputeLimit: Reading it takes too much; other errors of the compute pool as well.
    """
    head = orjson.dumps([content_type, list(secrets), response_as])
    answer = await compute_pool().run(tenant, FUNCTION, head + b"\n" + content)
    if answer.startswith(_VALUE):
        return JsonText(answer[len(_VALUE) :])
    found: Any = orjson.loads(answer)
    raise UnreadableAnswer(found["code"], found["message"], found["details"])


def read_bytes(payload: bytes) -> bytes:
    """Read content in a compute process; gives a mark and the value, or why there is none."""
    head, _, content = payload.partition(b"\n")
    content_type, secrets, response_as = orjson.loads(head)
    try:
        return _VALUE + orjson.dumps(read_content(content, content_type, secrets, response_as))
    except UnreadableAnswer as error:
        return orjson.dumps({"code": error.code, "message": error.message, "details": error.details})


def _json_text(content: bytes, label: str | None) -> bytes | str:
    """Give JSON in its charset, found as that of other text; what is UTF-8 but for a few bytes is left as it is."""
    if mark_of(content) is None and is_damaged_utf8(content):
        return content
    return decode(content, _WIDE_JSON.get(_zeros(content)) or label, in_any_case=True, may_declare=False)


def _zeros(content: bytes) -> tuple[bool, ...]:
    """Tell where zeros are among the first four bytes: JSON begins with ASCII."""
    return tuple(byte == 0 for byte in content[:4])


def _text(content: bytes, kind: str, content_type: str, *, in_any_case: bool) -> str:
    label = label_of(content_type)
    codec = mark_of(content) or codec_of(label or "") or ""
    is_binary = _BINARY.fullmatch(kind) and not in_any_case
    if is_binary or (b"\0" in content and not codec.startswith(WIDE)):
        raise _binary(kind)
    try:
        return decode(content, label, in_any_case=in_any_case or _TEXT.fullmatch(kind) is not None)
    except UnicodeDecodeError:
        raise _binary(kind) from None


def _binary(kind: str) -> UnreadableAnswer:
    what = kind[:100] or "of no named type"
    message = (
        f"The answer is binary ({what}); a step takes JSON and text only. With `response_as: none` it is not read."
    )
    return UnreadableAnswer("RESPONSE_BINARY", message, {"content_type": kind[:100]})
