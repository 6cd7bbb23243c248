"""The content of an answer as a value: parsed by its type, the connection's secrets cut out.

Of a large answer that is done in the compute pool.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from kernel.charsets import WIDE, codec_of, decode, label_of, mark_of
from kernel.compute.shared import compute_pool
from kernel.errors import LlmteamError
from kernel.values import Json, normalise, parse_json
from runs.connections.redaction import redact

LARGEST_IN_PLACE: Final = 64 * 1024
FUNCTION: Final = "http_content"
"""What the compute pool calls ``read_bytes``."""

_BINARY: Final = re.compile(r"(image(?!/svg)|audio|video|font)/.*|application/(pdf|zip|gzip|x-tar|wasm|vnd\..*)")


class Unreadable(Exception):
    """The content is no value: why, as a step's failure says it."""

    def __init__(self, code: str, message: str, details: Mapping[str, Json]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def media_type(content_type: str) -> str:
    """Give a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def read_content(content: bytes, content_type: str, secrets: Sequence[str]) -> Json:
    """Parse JSON, decode other text; an empty content is null.

    Raises:
        Unreadable: RESPONSE_BINARY, or a value no run can hold.
    """
    if not content:
        return None
    kind = media_type(content_type)
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return redact(parse_json(content, big_integers="text"), secrets)
        return redact(normalise(_text(content, kind, label_of(content_type))), secrets)
    except LlmteamError as error:
        items: list[Json] = [{"code": item.code, "detail": item.detail} for item in error.errors]
        raise Unreadable(error.code, error.detail, {"errors": items}) from error


async def read_large(tenant: UUID, content: bytes, content_type: str, secrets: Sequence[str]) -> Json:
    """Do the same while the event loop goes on.

    Raises:
        Unreadable: As ``read_content``.
        ComputeLimit: Reading it takes too much; other errors of the compute pool as well.
    """
    head = orjson.dumps([content_type, list(secrets)])
    found: Any = orjson.loads(await compute_pool().run(tenant, FUNCTION, head + b"\n" + content))
    if "code" in found:
        raise Unreadable(found["code"], found["message"], found["details"])
    value: Json = found["value"]
    return value


def read_bytes(payload: bytes) -> bytes:
    """Read content in a compute process."""
    head, _, content = payload.partition(b"\n")
    content_type, secrets = orjson.loads(head)
    try:
        return orjson.dumps({"value": read_content(content, content_type, secrets)})
    except Unreadable as error:
        return orjson.dumps({"code": error.code, "message": error.message, "details": error.details})


def _text(content: bytes, kind: str, label: str | None) -> str:
    codec = codec_of(label or "") or mark_of(content) or ""
    if _BINARY.fullmatch(kind) or (b"\0" in content and not codec.startswith(WIDE)):
        raise _binary(kind)
    try:
        return decode(content, label)
    except UnicodeDecodeError:
        raise _binary(kind) from None


def _binary(kind: str) -> Unreadable:
    what = kind[:100] or "of no named type"
    message = f"The answer is binary ({what}); a step takes JSON and text only."
    return Unreadable("RESPONSE_BINARY", message, {"content_type": kind[:100]})
