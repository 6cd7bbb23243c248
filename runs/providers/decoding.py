"""What model services send, as plain JSON values: whole answers, and the events of streams. Bounded and lenient."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Hashable
from typing import Any, Final

import orjson

from kernel.compute.shared import compute_pool
from kernel.errors import LlmteamError
from kernel.values import Json, normalise
from runs.providers.errors import failed

LARGEST_IN_PLACE: Final = 64 * 1024
MOST_EVENTS: Final = 64 * 1024
MOST_EVENT_BYTES: Final = 256 * 1024
MOST_EVENT_LINES: Final = 1_000
EVENTS_AT_ONCE: Final = 32
FUNCTION: Final = "model_answer"
"""What the compute pool calls ``decode_bytes``."""

_NOT_KEPT: Final = re.compile("[\\x00\\ud800-\\udfff]")
_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LONGEST_END: Final = 4


async def decode_answer(tenant: Hashable, content: bytes) -> Json:
    """Read a whole answer, a large one in the compute pool.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE.
        ComputeLimit: Reading it takes too much; other errors of the compute pool as well.
    """
    if len(content) > LARGEST_IN_PLACE:
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


def mended(value: Any) -> Any:
    """Replace what no text may hold that is kept: NUL, and halves of characters. Models write them now and then."""
    try:
        if b"\\u0000" not in orjson.dumps(value):
            return value
    except (TypeError, RecursionError):
        pass
    return _mended(value)


class BoundedEvents:
    """The decoder of server-sent events that both SDKs have, but linear in what comes, bounded, and fair to the loop.

    Theirs takes the square of the size of an event that does not end, and has the loop wait for all that has come.
    To be mixed into a decoder of theirs, which splits each event into its lines.
    """

    async def _aiter_chunks(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Give the events as they were sent.

        Raises:
            StepFailed: LLM_REPLY_UNREADABLE: an event is too large, or there are too many.
        """
        waiting = bytearray()
        count = 0
        async for piece in pieces:
            seen = max(0, len(waiting) - _LONGEST_END + 1)
            waiting += piece
            while (end := _END.search(waiting, seen)) is not None:
                count += 1
                if count % EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
                event = bytes(waiting[: end.end()])
                _check(event, count)
                yield event
                del waiting[: end.end()]
                seen = 0
            _check(waiting, count)
        if waiting:
            yield bytes(waiting)


def _check(event: bytes | bytearray, count: int) -> None:
    if count > MOST_EVENTS or len(event) > MOST_EVENT_BYTES or event.count(b"\n") > MOST_EVENT_LINES:
        raise failed("LLM_REPLY_UNREADABLE")


def _decode(content: bytes) -> Json:
    return normalise(mended(json.loads(content)), big_integers="text")


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_KEPT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    return value
