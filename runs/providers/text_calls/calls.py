"""Parser of tool calls in a text, in the marks of many chat templates."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import load_number, normalise
from runs.providers.sent_texts import SentTexts
from runs.providers.text_calls.intended_calls import CallBlock, CallLost, TextCall, blocks_that_call, rest_of
from runs.providers.text_calls.marks import (
    ARGUMENT,
    BEFORE_ARGUMENTS,
    BEHIND,
    CUT_WHOLE,
    DSML,
    IS_JSON,
    NAMED,
    OBJECT_CALL,
    OPENER_OR_CODE,
    PARAMETER,
    PYTHONIC,
    SIMPLE_MARKS,
    TAGGED,
    WHOLE_BEGINS,
    without_own_fence,
)
from runs.providers.text_calls.pythonic import NotPython, PythonCall, read_python_calls, read_value
from runs.step_api.language_models import CompletionRequest, Tool

_NAMES: Final = ("name", "tool_name", "function", "tool")
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input", "tool_input")
_BESIDE: Final = frozenset(("type", "id", "tool_call_id", "call_id", "index"))
_MAX_CALLS: Final = 128
_PRINT: Final = "print"
_LAST_WORD: Final = re.compile(r"(?:functions?\.)?([\w.:-]*)\s*\Z")
_MIN_OF_A_MARK: Final = 6
_BETWEEN: Final = re.compile(r"[\s,;]*")
_DECODER: Final = json.JSONDecoder(strict=False, parse_float=load_number)


@dataclass(frozen=True, slots=True)
class TextCalls:
    """Tool calls in a text, and the text around them.

    ``is_lost``: it has a call that cannot be read, or at its end one of a tool nobody offered; then no ``calls``.
    """

    text: str
    calls: tuple[TextCall, ...] = ()
    is_lost: bool = False

    def written(self) -> list[Json]:
        """Give the calls as a message of OpenAI's format has them."""
        return [{"function": {"name": call.name, "arguments": call.arguments}} for call in self.calls]


def text_calls_in(text: str, request: CompletionRequest, *, has_calls: bool, also: Sequence[Tool] = ()) -> TextCalls:
    """Find what an answer says and calls in its text; where calls came beside it, it is text.

    Args:
        text: What the model said, without its reasoning.
        request: What was asked.
        has_calls: Whether calls came beside the text.
        also: Tools beside those of the request.
    """
    tools = (*request.tools, *also)
    if has_calls or not tools:
        return TextCalls(text)
    sent = SentTexts(turn.text for turn in request.messages)
    return read_text_calls(text, tools, sent, may_be_bare=request.response_schema is None)


def read_text_calls(text: str, tools: Sequence[Tool], sent: SentTexts, *, may_be_bare: bool) -> TextCalls:
    """Find the calls of offered tools in a text; what only mentions their marks, or repeats what was sent, stays text.

    Marks within code are mentioned, unless the code is all there is. Takes linear time.

    Args:
        text: What the model said, without its reasoning.
        tools: What it was offered.
        sent: What it was told.
        may_be_bare: Whether a text that is the JSON of a call, without any mark, is one.
    """
    reader = _CallReader(_opened(DSML.sub("", text)), {tool.name: tool.parameters for tool in tools})
    try:
        bare = reader.bare_calls(may_be_json=may_be_bare)
        if bare:
            return TextCalls(text) if sent.hold(call.source for call in bare) else TextCalls("", tuple(bare))
        blocks = reader.read(sent)
    except (CallLost, RecursionError):
        return TextCalls(text, is_lost=True)
    calls = tuple(call for block in blocks for call in block.calls)
    return TextCalls(rest_of(reader.text, blocks), calls) if calls else TextCalls(text)


def _opened(text: str) -> str:
    """Take off a fence around all there is, but for one around words of Python, which are a program then."""
    inner = without_own_fence(text)
    return text if PYTHONIC.match(inner.lstrip()) is not None else inner


@dataclass(slots=True)
class _CallReader:
    """Reads one text from its beginning to its end."""

    text: str
    tools: Mapping[str, Mapping[str, Json]]

    def read(self, sent: SentTexts) -> list[CallBlock]:
        """Find all calls that are meant; raises CallLost."""
        place = count = 0
        blocks: list[CallBlock] = []
        while (found := OPENER_OR_CODE.search(self.text, place)) is not None and count < _MAX_CALLS:
            start, at = found.span()
            place = max(at, start + 1)
            calls, end = ([], at) if found["opener"] is None else self._calls_at(at)
            if not calls:
                continue
            place = max(end, place)
            count += len(calls)
            is_in_words = found["opener"].strip() == "" and self.text[at] == "["
            if all(call.name in self.tools for call in calls):
                blocks.append(CallBlock(start, place, tuple(calls)))
            elif place == len(self.text) and not is_in_words and not sent.hold(call.source for call in calls):
                raise CallLost
        if any(self.text.endswith(mark[:size]) for mark in SIMPLE_MARKS for size in range(_MIN_OF_A_MARK, len(mark))):
            raise CallLost
        return blocks_that_call(self.text, blocks, sent)

    def bare_calls(self, *, may_be_json: bool) -> list[TextCall]:
        """Read a text that is calls and nothing else, in Python's words or as JSON; none where it is anything else."""
        text = self.text.strip()
        if PYTHONIC.match(text) is not None:
            calls, end = self._pythonic(self.text.index(text))
            return [] if self.text[end:].strip() or not all(call.name in self.tools for call in calls) else calls
        if not may_be_json:
            return []
        if WHOLE_BEGINS.match(text) is None:
            return []
        try:
            value, end = self._value(self.text.index(text))
        except CallLost:
            if (begun := CUT_WHOLE.match(text)) is not None and begun[1] in self.tools:
                raise
            return []
        items = value if isinstance(value, list) else [value]
        is_all = not self.text[end:].strip() and bool(items) and all(map(self._is_bare_call, items))
        return [self._of_object(item) for item in items] if is_all else []

    def _is_bare_call(self, item: Json) -> bool:
        if not isinstance(item, dict):
            return False
        call = item["function"] if isinstance(item.get("function"), dict) else item
        if not isinstance(call, dict) or not any(isinstance(call.get(name), dict | str) for name in _ARGUMENTS):
            return False
        is_offered = any(isinstance(name := call.get(key), str) and name in self.tools for key in _NAMES)
        return is_offered and _BESIDE.union(_NAMES, _ARGUMENTS).issuperset({*item, *call})

    def _calls_at(self, place: int) -> tuple[list[TextCall], int]:
        """Read the calls behind an opener, and the marks behind them; none where it was only mentioned."""
        place = self._behind_blanks(place)
        if PYTHONIC.match(self.text, place) is not None:
            calls, end = self._pythonic(place)
        elif self.text[place : place + 1] in ("{", "["):
            calls, end = self._objects(place)
        elif (called := OBJECT_CALL.match(self.text, place)) is not None:
            calls, end = self._object_call(called)
        elif (tagged := TAGGED.match(self.text, place)) is not None:
            calls, end = self._tagged(tagged)
        elif (named := NAMED.match(self.text, place)) is not None:
            calls, end = self._named(named)
        elif self._breaks_off(place):
            raise CallLost
        else:
            return [], place
        behind = BEHIND.match(self.text, end) if calls else None
        return calls, behind.end() if behind else end

    def _pythonic(self, place: int) -> tuple[list[TextCall], int]:
        """Read calls in Python's words; none where the words are others."""
        begun = PYTHONIC.match(self.text, place)
        try:
            found, end = read_python_calls(self.text, place)
            return [self._python_call(call) for call in found], end
        except NotPython as error:
            if error.is_truncated and begun is not None and self._tool_of(begun[1]) in (*self.tools, _PRINT):
                raise CallLost from None
            return [], place

    def _python_call(self, call: PythonCall) -> TextCall:
        """Give a call of Python by the names of its tool's parameters."""
        name = self._tool_of(call.name)
        properties = self.tools.get(name, {}).get("properties")
        names = list(properties) if isinstance(properties, dict) else []
        if len(call.by_place) > len(names):
            return self._called(call.name, {}, call.start, call.end)
        arguments = {**dict(zip(names, call.by_place, strict=False)), **call.by_name}
        return self._called(name, arguments, call.start, call.end)

    def _object_call(self, called: re.Match[str]) -> tuple[list[TextCall], int]:
        """Read a name and an object whose keys and texts have marks of their own."""
        try:
            arguments, end = read_value(self.text, called.end())
        except NotPython:
            raise CallLost from None
        return [self._called(called[1], arguments, called.start(1), end)], end

    def _tool_of(self, written: str) -> str:
        """Give the name of a tool, which may be written as one of a module."""
        return written if written in self.tools else written.rpartition(".")[2]

    def _called(self, name: str, arguments: Json, start: int, end: int) -> TextCall:
        try:
            return TextCall(name, normalise(arguments, big_integers="text"), self.text[start:end])
        except LlmteamError:
            raise CallLost from None

    def _breaks_off(self, place: int) -> bool:
        """Whether the text ends there, or amid the name of a tool."""
        word = _LAST_WORD.match(self.text, place)
        return word is not None and any(name.startswith(word[1]) for name in self.tools)

    def _objects(self, place: int) -> tuple[list[TextCall], int]:
        """Read objects that are calls, one after the other, and lists of them."""
        calls: list[TextCall] = []
        while True:
            value, end = self._value(place)
            calls += [self._of_object(item) for item in (value if isinstance(value, list) else [value])]
            place = self._behind_blanks(end)
            if self.text[place : place + 1] not in ("{", "["):
                return calls, end

    def _tagged(self, tagged: re.Match[str]) -> tuple[list[TextCall], int]:
        """Read a call whose tag has its name: its arguments as JSON, or each in a tag."""
        name, place = tagged[1], self._behind_blanks(tagged.end())
        if self.text[place : place + 1] == "{":
            arguments, end = self._value(place)
            return [self._called(name, arguments, tagged.start(), end)], end
        return self._of_pairs(name, tagged.start(), place, PARAMETER)

    def _named(self, named: re.Match[str]) -> tuple[list[TextCall], int]:
        """Read a name and its arguments behind it."""
        name, place = named[1], named.end()
        if (before := BEFORE_ARGUMENTS.match(self.text, place)) is not None:
            arguments, end = self._value(before.end())
            return [self._called(name, arguments, named.start(), end)], end
        return self._of_pairs(name, named.start(), place, ARGUMENT)

    def _of_pairs(self, name: str, start: int, place: int, pattern: re.Pattern[str]) -> tuple[list[TextCall], int]:
        """Read arguments that stand in tags each; the call's own tag has to end behind them."""
        arguments: dict[str, Json] = {}
        while (pair := pattern.match(self.text, place)) is not None:
            is_json = IS_JSON.match(pair[0]) is not None
            arguments[pair[1]] = self._argument(name, pair[1], pair[2], is_json=is_json)
            place = pair.end()
        if BEHIND.match(self.text, place) is None:
            if not arguments and name not in self.tools:
                return [], place
            raise CallLost
        return [self._called(name, cast("Json", arguments), start, place)], place

    def _argument(self, name: str, key: str, written: str, *, is_json: bool) -> Json:
        """Read an argument as its schema has it; a text is one, without the line ends around it."""
        properties = self.tools.get(name, {}).get("properties")
        schema = properties.get(key) if isinstance(properties, dict) else None
        kind = schema.get("type") if isinstance(schema, dict) else None
        text = written.removeprefix("\n").removesuffix("\n")
        if (kind is None and not is_json) or kind == "string" or (isinstance(kind, list) and "string" in kind):
            return text
        try:
            return normalise(_DECODER.decode(text.strip()), big_integers="text")
        except (ValueError, LlmteamError):
            return text

    def _value(self, place: int) -> tuple[Json, int]:
        try:
            value, end = _DECODER.raw_decode(self.text, place)
            return normalise(value, big_integers="text"), end
        except (ValueError, LlmteamError):
            raise CallLost from None

    def _of_object(self, call: Any) -> TextCall:
        if isinstance(call, dict) and isinstance(call.get("function"), dict):
            call = call["function"]
        if not isinstance(call, dict):
            raise CallLost
        name = next((call[key] for key in _NAMES if isinstance(call.get(key), str)), None)
        if name is None:
            raise CallLost
        arguments: Json = next((call[key] for key in _ARGUMENTS if key in call), {})
        return TextCall(name.removeprefix("functions."), arguments, json.dumps(call, ensure_ascii=False))

    def _behind_blanks(self, place: int) -> int:
        found = _BETWEEN.match(self.text, place)
        return found.end() if found else place
