"""Events of a stream as JSON values, out of a body that need not be one: bounded, linear, fair to the loop."""

import asyncio
import codecs
import re
from collections.abc import AsyncIterator, Hashable, Iterator
from typing import Any, Final

from kernel.errors import LlmteamError
from kernel.values import load_json
from runs.providers.decoding import decode_answer
from runs.providers.errors import failed
from runs.step_api.base import StepFailed

MOST_EVENTS: Final = 64 * 1024
MOST_EVENT_BYTES: Final = 256 * 1024
MOST_EVENT_LINES: Final = 1_000
EVENTS_AT_ONCE: Final = 32
MOST_TOLD: Final = 400
DONE: Final = "[DONE]"

_END: Final = re.compile(rb"[\n\r](?:(?<=\n)\n|(?<=\r)\r|(?<=\r)\n\r\n)")
"""An empty line, by whatever ends lines; found twice as fast as by three alternatives."""
_LONGEST_END: Final = 4
_LINE: Final = re.compile(r"\r\n|\n|\r")


class EventStream:
    """The answer to one call, in pieces.

    Servers answer with JSON where a stream was asked for, and with a stream where JSON was; what comes is looked at,
    not what it is called. Characters that were cut in two stay so; ``decoding.joined`` mends them.

    Attributes:
        is_whole: Whether the body is one JSON document, which is then the only event.
        beginning: The first of what came, for a failure to tell.
        is_done: Whether the body says that nothing is missing: a document that ends, or ``[DONE]``.
    """

    def __init__(self, tenant: Hashable, pieces: AsyncIterator[bytes]) -> None:
        """Prepare; ``tenant`` names whose body it is."""
        self._tenant = tenant
        self._pieces = self._watched(pieces)
        self.beginning = b""
        self.is_whole = False
        self.is_done = False

    async def events(self) -> AsyncIterator[Any]:
        """Give the events.

        Raises:
            StepFailed: LLM_REPLY_UNREADABLE.
        """
        beginning = b""
        async for piece in self._pieces:
            beginning += piece
            if beginning.lstrip():
                break
        kind = beginning.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if kind == b"<":
            raise failed("LLM_REPLY_UNREADABLE")
        reading = self._document if kind in (b"{", b"[") else self._stream
        async for event in reading(_from(beginning.removeprefix(codecs.BOM_UTF8), self._pieces)):
            yield event

    async def _watched(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self.beginning += piece[: MOST_TOLD - len(self.beginning)]
            yield piece

    async def _stream(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for content in split_events(pieces):
            for event in _read_event(content.decode("utf-8", "surrogateescape")):
                if event == DONE:
                    self.is_done = True
                    return
                yield event

    async def _document(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        content = b"".join([piece async for piece in pieces])
        try:
            document = await decode_answer(self._tenant, content)
        except StepFailed:
            if len(content) > MOST_EVENT_BYTES or not 0 < content.count(b"\n") < MOST_EVENT_LINES:
                raise
            lines = content.decode("utf-8", "surrogateescape").split("\n")
            documents: list[Any] = [_json(line) for line in lines if line.strip()]
        else:
            documents = document if isinstance(document, list) and document else [document]
        self.is_whole = len(documents) == 1
        self.is_done = True
        for one in documents:
            yield one


async def split_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Give the events of a stream as they were sent.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: an event is too large, or there are too many.
    """
    waiting = bytearray()
    count = 0
    async for piece in pieces:
        seen = max(0, len(waiting) - _LONGEST_END + 1)
        waiting += piece
        has_line_end = b"\n" in piece or b"\r" in piece
        while has_line_end and (end := _END.search(waiting, seen)) is not None:
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


async def _from(beginning: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield beginning
    async for piece in pieces:
        yield piece


def _check(event: bytes | bytearray, count: int) -> None:
    if count > MOST_EVENTS or len(event) > MOST_EVENT_BYTES or event.count(b"\n") > MOST_EVENT_LINES:
        raise failed("LLM_REPLY_UNREADABLE")


def _read_event(text: str) -> Iterator[Any]:
    """Read one event; of several lines of data that make no value together each is one."""
    fields = [line.partition(":") for line in _LINE.split(text)]
    name = next((value.strip() for field, _, value in fields if field == "event"), "")
    lines = [value.removeprefix(" ") for field, _, value in fields if field == "data" and value.strip()]
    if not lines:
        return
    if lines[0].startswith(DONE):
        yield DONE
    elif name == "error" and not lines[0].lstrip().startswith("{"):
        yield {"error": "\n".join(lines)}
    else:
        try:
            yield _named(_json("\n".join(lines)), name)
        except StepFailed:
            if len(lines) == 1:
                raise
            yield from (DONE if line.startswith(DONE) else _named(_json(line), name) for line in lines)


def _named(value: Any, name: str) -> Any:
    """Give an event the type it was sent under, where it does not say."""
    return {"type": name, **value} if isinstance(value, dict) and name and "type" not in value else value


def _json(text: str) -> Any:
    try:
        return load_json(text)
    except (LlmteamError, ValueError, RecursionError):
        raise failed("LLM_REPLY_UNREADABLE") from None
