"""Parser of server-sent events into JSON values: bounded, linear, tolerant of bodies that are no stream."""

import codecs
import re
from collections.abc import AsyncIterator, Hashable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from kernel.errors import LlmteamError
from kernel.values import load_json
from runs.providers.decoding import decode_answer
from runs.providers.errors import failed
from runs.providers.stream_turns import stream_turn
from runs.providers.tokens import BYTES_PER_TOKEN
from runs.step_api.base import StepFailed

MAX_EVENTS: Final = 64 * 1024
MAX_EVENT_BYTES: Final = 256 * 1024
MAX_EVENT_LINES: Final = 1_000
EVENTS_AT_ONCE: Final = 32
MAX_TOLD: Final = 400
DONE: Final = "[DONE]"

_END: Final = re.compile(rb"[\n\r](?:(?<=\n)\n|(?<=\r)\r|(?<=\r)\n\r\n)")
"""An empty line, by whatever ends lines; found twice as fast as by three alternatives."""
_MAX_END_LENGTH: Final = 4
_PLAIN: Final = re.compile(rb"(?:event: ?([\w.]{1,80})\r?\n)?data: ?(\{[^\r\n]*\})[\r\n]*")
"""An event as nearly all are sent: one object, perhaps under a name."""
_COMMENT: Final = re.compile(rb":[^\r\n]*[\r\n]*")
_LONG_DIGITS: Final = re.compile(rb"[0-9]{16}")
_LINE: Final = re.compile(r"\r\n|\n|\r")
_FIELDS: Final = ("", "data", "event", "id", "retry")
"""Words a line may begin with; a comment begins with a colon."""
_ERROR_FIELD: Final = re.compile(r"\A(?:error|err)\s{0,9}:", re.IGNORECASE)
_KEEP_ALIVE: Final = re.compile(
    r":.{0,200}|[\"'\[]?(?:ping|pong|heart-?beat|keep-?alive|processing)[\"'\]]?\.{0,3}", re.IGNORECASE
)
"""Data that only says that the connection is there: comments of a gateway that were wrapped once more, and pings."""
_FAULT: Final = re.compile("error|exception|fail", re.IGNORECASE)
"""Names of events that tell of an error."""


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
        self._received = 0
        self.is_whole = False
        self.is_done = False

    async def batches(self) -> AsyncIterator[list[Any]]:
        """Give the events, those together that came together.

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
        pieces = _from(beginning.removeprefix(codecs.BOM_UTF8), self._pieces)
        if kind in (b"{", b"["):
            yield await self._document(pieces)
            return
        async for batch in self._stream(pieces):
            yield batch

    async def _watched(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self.beginning += piece[: MAX_TOLD - len(self.beginning)]
            self._received += len(piece)
            yield piece

    def guessed_tokens(self) -> int:
        """Guess the tokens of what came, in whichever format; a page in HTML is no model's."""
        return 0 if self.beginning.lstrip().startswith(b"<") else -(-self._received // BYTES_PER_TOKEN)

    async def _stream(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[list[Any]]:
        has_begun = False
        since_turn = 0
        async for contents in split_events(pieces):
            since_turn += len(contents)
            if since_turn >= EVENTS_AT_ONCE:
                await stream_turn(self._tenant)
                since_turn = len(contents)
            events, failure = self._read(contents, has_begun=has_begun)
            if events:
                has_begun = True
                yield events
            if failure is not None:
                raise failure
            if self.is_done:
                return

    def _read(self, contents: Sequence[bytes], *, has_begun: bool) -> tuple[list[Any], StepFailed | None]:
        """Read events up to the word for the end, or to one that cannot be read: then with the failure."""
        events: list[Any] = []
        for content in contents:
            has_begun = has_begun or bool(events)
            try:
                events += read_event(content, has_begun=has_begun)
            except StepFailed as error:
                is_cut = has_begun and not content.endswith((b"\n", b"\r"))
                return events, failed("LLM_CONNECTION_FAILED") if is_cut else error
            if DONE in events:
                self.is_done = True
                return events[: events.index(DONE)], None
        return events, None

    async def _document(self, pieces: AsyncIterator[bytes]) -> list[Any]:
        content = b"".join([piece async for piece in pieces])
        try:
            document = await decode_answer(self._tenant, content)
        except StepFailed:
            if len(content) > MAX_EVENT_BYTES or not 0 < content.count(b"\n") < MAX_EVENT_LINES:
                raise
            lines = content.decode("utf-8", "surrogateescape").split("\n")
            documents: list[Any] = [_json(line) for line in lines if line.strip()]
        else:
            documents = document if isinstance(document, list) and document else [document]
        self.is_whole = len(documents) == 1
        self.is_done = True
        return documents


async def split_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Give the events of a stream as they were sent, those together that came together, some at a time.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE: an event is too large, or there are too many.
    """
    waiting = bytearray()
    count = 0
    async for piece in pieces:
        seen = max(0, len(waiting) - _MAX_END_LENGTH + 1)
        waiting += piece
        begins = 0
        events: list[bytes] = []
        for end in _END.finditer(waiting, seen) if b"\n" in piece or b"\r" in piece else ():
            event = bytes(waiting[begins : end.end()])
            begins, count = end.end(), count + 1
            _check(event, count)
            events.append(event)
            if len(events) == EVENTS_AT_ONCE:
                yield events
                events = []
        if events:
            yield events
        del waiting[:begins]
        _check(waiting, count)
    if waiting:
        yield [bytes(waiting)]


async def _from(beginning: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield beginning
    async for piece in pieces:
        yield piece


def _check(event: bytes | bytearray, count: int) -> None:
    is_large = len(event) > MAX_EVENT_LINES and (len(event) > MAX_EVENT_BYTES or event.count(b"\n") > MAX_EVENT_LINES)
    if is_large or count > MAX_EVENTS:
        raise failed("LLM_REPLY_UNREADABLE")


def read_event(content: bytes, *, has_begun: bool) -> list[Any]:
    """Read one event, the usual kind at a tenth of what others cost.

    Raises:
        StepFailed: LLM_REPLY_UNREADABLE.
    """
    if _COMMENT.fullmatch(content) is not None:
        return []
    plain = _PLAIN.fullmatch(content)
    if plain is not None and _LONG_DIGITS.search(content) is None:
        name, value = plain.groups()
        with suppress(orjson.JSONDecodeError):
            return [_named(orjson.loads(value), "" if name is None else name.decode())]
    return list(_read_event(content.decode("utf-8", "surrogateescape"), has_begun=has_begun))


def _read_event(text: str, *, has_begun: bool) -> Iterator[Any]:
    """Read one event; of several lines of data that make no value together each is one.

    Lines that no stream of events has come first: they tell what went wrong, before anything says that all is done.
    """
    parts = [line.partition(":") for line in _LINE.split(text)]
    fields = [(name.strip(), value) for name, _, value in parts]
    if strays := ["".join(part).strip() for part in parts if not _is_field(part[0].strip())]:
        yield from _strays(strays, has_begun=has_begun)
    name = next((value.strip() for field, value in fields if field == "event"), "")
    data = [value.removeprefix(" ") for field, value in fields if field == "data"]
    lines = [value for value in data if value.strip() and not _KEEP_ALIVE.fullmatch(value.strip())]
    is_fault = _FAULT.search(name) is not None
    if not lines:
        yield from ({"error": {"type": name}},) if is_fault else ()
    elif _is_done(lines[0]):
        yield DONE
    elif is_fault and not lines[0].lstrip().startswith("{"):
        yield {"error": "\n".join(lines)}
    else:
        try:
            yield _named(_json("\n".join(lines)), name)
        except StepFailed:
            if len(lines) == 1:
                raise
            yield from (DONE if _is_done(line) else _named(_json(line), name) for line in lines)


def _is_done(line: str) -> bool:
    """Tell the word for the end, as servers write it."""
    return line.strip()[: len(DONE)].upper() == DONE


def _is_field(name: str) -> bool:
    """Tell a field of an event, or the beginning of one where the connection broke off."""
    return any(field.startswith(name) for field in _FIELDS)


def _strays(lines: Sequence[str], *, has_begun: bool) -> Iterator[Any]:
    """Give what servers write between the events when they fail: a value, or an error in words.

    Words before any event are another format.
    """
    words = "\n".join(lines)
    rest = _ERROR_FIELD.sub("", words)
    is_named = rest != words
    value: Any = None
    with suppress(StepFailed):
        value = _json(rest)
    if _is_done(words):
        yield DONE
    elif isinstance(value, dict) and not is_named:
        yield value
    elif has_begun or is_named:
        yield {"error": value or rest or words}
    else:
        raise failed("LLM_REPLY_UNREADABLE")


def _named(value: Any, name: str) -> Any:
    """Give an event the type it was sent under, where it does not say; what is sent as an error is one."""
    if not isinstance(value, dict) or not name:
        return value
    if _FAULT.search(name) and not value.get("error"):
        return {"error": {"type": name, **value}}
    return value if "type" in value else {"type": name, **value}


def _json(text: str) -> Any:
    try:
        return load_json(text)
    except (LlmteamError, ValueError, RecursionError):
        raise failed("LLM_REPLY_UNREADABLE") from None
