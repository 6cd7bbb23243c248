"""Decoding of model services' answers into plain JSON values and whole texts."""

import re
from collections.abc import Hashable, Iterable
from contextlib import suppress
from typing import Any, Final

import orjson

from kernel.compute.shared import compute_pool
from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import load_json, normalise
from runs.providers.errors import failed

MAX_BYTES_IN_PLACE: Final = 64 * 1024
FUNCTION: Final = "model_answer"
"""Name of ``decode_bytes`` in the compute pool."""

_NOT_KEPT: Final = re.compile("[\\x00\\ud800-\\udfff]")
_CUT: Final = re.compile("(?:[\\ud800-\\udbff]|[\\udcc2-\\udcf4][\\udc80-\\udcbf]{0,2})\\Z")
"""The first half of a character, or the first bytes of one."""


async def decode_answer(tenant: Hashable, content: bytes) -> Json:
    """Read a whole answer, a large one in the compute pool.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE.
        ComputeLimit: Reading it takes too much; other errors of the compute pool as well.
    """
    if len(content) > MAX_BYTES_IN_PLACE:
        content = await compute_pool().run(tenant, FUNCTION, content)
        if not content:
            raise failed("LLM_REPLY_UNREADABLE")
        value: Json = orjson.loads(content)
        return value
    try:
        return _decode(content)
    except (LlmteamError, ValueError, RecursionError):
        raise failed("LLM_REPLY_UNREADABLE") from None


def decode_bytes(content: bytes) -> bytes:
    """Read a whole answer in a compute process; empty where it cannot be read."""
    try:
        return orjson.dumps(_decode(content))
    except (LlmteamError, ValueError, RecursionError):
        return b""


def storable_text(value: Any) -> Any:
    """Replace what no text may hold that is kept: NUL, and halves of characters. Models write them now and then."""
    try:
        if b"\\u0000" not in orjson.dumps(value):
            return value
    except (TypeError, RecursionError):
        pass
    return _mended(value)


def joined(pieces: Iterable[str]) -> str:
    """Put a text together from pieces that may have cut a character in two: in halves, or in bytes read one by one."""
    text = "".join(pieces)
    if _NOT_KEPT.search(text) is None:
        return text
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    with suppress(UnicodeEncodeError):
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _NOT_KEPT.sub("\N{REPLACEMENT CHARACTER}", text)


def unfinished(text: str) -> int:
    """Tell how many characters at the end may be the beginning of one."""
    found = _CUT.search(text)
    return 0 if found is None else len(found[0])


def _decode(content: bytes) -> Json:
    return normalise(storable_text(load_json(content)), big_integers="text")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_KEPT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    return value
