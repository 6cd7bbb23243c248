"""Calls of tools that a server leaves in the text: as the model wrote them, in the marks its template taught it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import normalise
from runs.providers.spoken.marks import (
    ARGUMENT,
    BEFORE_ARGUMENTS,
    BEHIND,
    CUT_WHOLE,
    NAMED,
    OPENER_OR_CODE,
    PARAMETER,
    SIMPLE_MARKS,
    TAGGED,
    WHOLE_BEGINS,
    without_own_fence,
)
from runs.step_api.language_models import CompletionRequest, Tool

_NAMES: Final = ("name", "tool_name", "function", "tool")
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input", "tool_input")
_BESIDE: Final = frozenset(("type", "id", "tool_call_id", "call_id", "index"))
_MAX_CALLS: Final = 128
_LAST_WORD: Final = re.compile(r"(?:functions?\.)?([\w.:-]*)\s*\Z")
_MIN_OF_A_MARK: Final = 6
_BETWEEN: Final = re.compile(r"[\s,;]*")
_DECODER: Final = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class SpokenCall:
    """A call as the text has it."""

    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a text is besides its calls.

    ``is_lost``: it has a call that cannot be read, or at its end one of a tool nobody offered; then no ``calls``.
    """

    text: str
    calls: tuple[SpokenCall, ...] = ()
    is_lost: bool = False

    def written(self) -> list[Json]:
        """Give the calls as a message of OpenAI's format has them."""
        return [{"function": {"name": call.name, "arguments": call.arguments}} for call in self.calls]


class _Lost(Exception):
    """A call begins and cannot be read."""


def spoken_in(text: str, request: CompletionRequest, *, has_calls: bool, also: Sequence[Tool] = ()) -> Spoken:
    """Find what an answer says and calls in its text; where calls came beside it, it is text.

    Args:
        text: What the model said, without its reasoning.
        request: What was asked.
        has_calls: Whether calls came beside the text.
        also: Tools beside those of the request.
    """
    tools = (*request.tools, *also)
    if has_calls or not tools:
        return Spoken(text)
    return read_spoken(text, tools, may_be_bare=request.response_schema is None)


def read_spoken(text: str, tools: Sequence[Tool], *, may_be_bare: bool) -> Spoken:
    """Find the calls of offered tools in a text; what only mentions their marks stays text.

    Marks within code are mentioned, unless the code is all there is. Takes linear time.

    Args:
        text: What the model said, without its reasoning.
        tools: What it was offered.
        may_be_bare: Whether a text that is the JSON of a call, without any mark, is one.
    """
    reader = _CallReader(without_own_fence(text), {tool.name: tool.parameters for tool in tools})
    try:
        found = reader.bare_calls() if may_be_bare else []
        if found:
            return Spoken("", tuple(found))
        reader.read()
    except (_Lost, RecursionError):
        return Spoken(text, is_lost=True)
    return Spoken(reader.rest(), tuple(reader.calls)) if reader.calls else Spoken(text)


@dataclass(slots=True)
class _CallReader:
    """Reads one text from its beginning to its end."""

    text: str
    tools: Mapping[str, Mapping[str, Json]]
    calls: list[SpokenCall] = field(default_factory=list)
    _taken: list[tuple[int, int]] = field(default_factory=list)

    def read(self) -> None:
        """Find all calls; raises _Lost."""
        place = 0
        while (found := OPENER_OR_CODE.search(self.text, place)) is not None and len(self.calls) < _MAX_CALLS:
            start, at = found.span()
            place = max(at, start + 1)
            calls, end = ([], at) if found["opener"] is None else self._calls_at(at)
            if not calls:
                continue
            place = max(end, place)
            if all(call.name in self.tools for call in calls):
                self.calls += calls
                self._taken.append((start, place))
            elif place == len(self.text):
                raise _Lost
        if any(self.text.endswith(mark[:size]) for mark in SIMPLE_MARKS for size in range(_MIN_OF_A_MARK, len(mark))):
            raise _Lost

    def rest(self) -> str:
        """Give the text without the calls."""
        pieces, done = [], 0
        for start, end in self._taken:
            pieces.append(self.text[done:start].strip())
            done = end
        pieces.append(self.text[done:].strip())
        return "\n".join(filter(None, pieces))

    def bare_calls(self) -> list[SpokenCall]:
        """Read a text that is the JSON of calls and nothing else; none where it is anything else."""
        text = self.text.strip()
        if WHOLE_BEGINS.match(text) is None:
            return []
        try:
            value, end = self._value(self.text.index(text))
        except _Lost:
            if (begun := CUT_WHOLE.match(text)) is not None and begun[1] in self.tools:
                raise
            return []
        items = value if isinstance(value, list) else [value]
        is_all = not self.text[end:].strip() and bool(items) and all(map(self._is_bare_call, items))
        return [self._of_object(item) for item in items] if is_all else []

    def _is_bare_call(self, item: Json) -> bool:
        if not isinstance(item, dict):
            return False
        told = item["function"] if isinstance(item.get("function"), dict) else item
        if not isinstance(told, dict) or not any(isinstance(told.get(name), dict | str) for name in _ARGUMENTS):
            return False
        is_offered = any(isinstance(name := told.get(key), str) and name in self.tools for key in _NAMES)
        return is_offered and _BESIDE.union(_NAMES, _ARGUMENTS).issuperset({*item, *told})

    def _calls_at(self, place: int) -> tuple[list[SpokenCall], int]:
        """Read the calls behind an opener, and the marks behind them; none where it was only mentioned."""
        place = self._behind_blanks(place)
        if self.text[place : place + 1] in ("{", "["):
            calls, end = self._objects(place)
        elif (tagged := TAGGED.match(self.text, place)) is not None:
            calls, end = self._tagged(tagged)
        elif (named := NAMED.match(self.text, place)) is not None:
            calls, end = self._named(named)
        elif self._breaks_off(place):
            raise _Lost
        else:
            return [], place
        behind = BEHIND.match(self.text, end)
        return calls, behind.end() if behind else end

    def _breaks_off(self, place: int) -> bool:
        """Whether the text ends there, or amid the name of a tool."""
        word = _LAST_WORD.match(self.text, place)
        return word is not None and any(name.startswith(word[1]) for name in self.tools)

    def _objects(self, place: int) -> tuple[list[SpokenCall], int]:
        """Read objects that are calls, one after the other, and lists of them."""
        calls: list[SpokenCall] = []
        while True:
            value, end = self._value(place)
            calls += [self._of_object(item) for item in (value if isinstance(value, list) else [value])]
            place = self._behind_blanks(end)
            if self.text[place : place + 1] not in ("{", "["):
                return calls, end

    def _tagged(self, tagged: re.Match[str]) -> tuple[list[SpokenCall], int]:
        """Read a call whose tag has its name: its arguments as JSON, or each in a tag."""
        name, place = tagged[1], self._behind_blanks(tagged.end())
        if self.text[place : place + 1] == "{":
            arguments, end = self._value(place)
            return [SpokenCall(name, arguments)], end
        return self._of_pairs(name, place, PARAMETER)

    def _named(self, named: re.Match[str]) -> tuple[list[SpokenCall], int]:
        """Read a name and its arguments behind it."""
        name, place = named[1], named.end()
        if (before := BEFORE_ARGUMENTS.match(self.text, place)) is not None:
            arguments, end = self._value(before.end())
            return [SpokenCall(name, arguments)], end
        return self._of_pairs(name, place, ARGUMENT)

    def _of_pairs(self, name: str, place: int, pattern: re.Pattern[str]) -> tuple[list[SpokenCall], int]:
        """Read arguments that stand in tags each; the call's own tag has to end behind them."""
        arguments: dict[str, Json] = {}
        while (pair := pattern.match(self.text, place)) is not None:
            arguments[pair[1]] = self._argument(name, pair[1], pair[2])
            place = pair.end()
        if BEHIND.match(self.text, place) is None:
            if not arguments and name not in self.tools:
                return [], place
            raise _Lost
        return [SpokenCall(name, arguments)], place

    def _argument(self, name: str, key: str, written: str) -> Json:
        """Read an argument as its schema has it; a text is one, without the line ends around it."""
        properties = self.tools.get(name, {}).get("properties")
        schema = properties.get(key) if isinstance(properties, dict) else None
        kind = schema.get("type") if isinstance(schema, dict) else None
        text = written.removeprefix("\n").removesuffix("\n")
        if kind is None or kind == "string" or (isinstance(kind, list) and "string" in kind):
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
            raise _Lost from None

    def _of_object(self, told: Any) -> SpokenCall:
        if isinstance(told, dict) and isinstance(told.get("function"), dict):
            told = told["function"]
        if not isinstance(told, dict):
            raise _Lost
        name = next((told[key] for key in _NAMES if isinstance(told.get(key), str)), None)
        if name is None:
            raise _Lost
        return SpokenCall(name.removeprefix("functions."), next((told[key] for key in _ARGUMENTS if key in told), {}))

    def _behind_blanks(self, place: int) -> int:
        found = _BETWEEN.match(self.text, place)
        return found.end() if found else place
