"""Calls written as in Python, and values as some templates write them: a small grammar; nothing is evaluated."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kernel.errors import LlmteamError
from kernel.types import Json
from kernel.values import load_number

MAX_DEPTH: Final = 32
NAME: Final = r"[A-Za-z_][\w.-]{0,63}"
_CALL: Final = re.compile(rf"({NAME})\s*\(\s*")
_AMID_NAME: Final = re.compile(rf"(?:{NAME})?\s*\Z")
_AMID_VALUE: Final = re.compile(r"\s*(?:[\"'<].*|[-+\w.]{1,64})?\Z", re.DOTALL)
"""End of a text in a value that has begun, or before it."""
_KEYWORD: Final = re.compile(r"([A-Za-z_]\w{0,63})\s*=(?!=)\s*")
_BETWEEN: Final = re.compile(r"\s*,\s*")
_BETWEEN_CALLS: Final = re.compile(r"[\s,;]*")
_BLANKS: Final = re.compile(r"\s*")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"|\'((?:[^\'\\]|\\.)*+)\'|<escape>(.*?)<escape>', re.DOTALL)
_NUMBER: Final = re.compile(r"[-+]?\d{1,400}(?:\.\d{1,400})?(?:[eE][-+]?\d{1,3})?(?![\w.])")
_WORD: Final = re.compile(r"[A-Za-z_][\w-]{0,63}")
_WORDS: Final[Mapping[str, Json]] = {
    "True": True,
    "False": False,
    "None": None,
    "true": True,
    "false": False,
    "null": None,
}
_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_SIGNS: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_CLOSES: Final = {"[": "]", "(": ")", "{": "}"}
_WRAPPER: Final = "print"


class NotPython(Exception):
    """The text is none of this grammar.

    Attributes:
        is_truncated: Whether it ends where more has to come.
    """

    def __init__(self, *, is_truncated: bool) -> None:
        super().__init__()
        self.is_truncated = is_truncated


@dataclass(frozen=True, slots=True)
class PythonCall:
    """One call: its name, its arguments by place and by name, and where it stands."""

    name: str
    by_place: tuple[Json, ...]
    by_name: Mapping[str, Json]
    start: int
    end: int


def read_python_calls(text: str, place: int) -> tuple[list[PythonCall], int]:
    """Read calls that stand one behind the other, or a list of them; returns them and where they end.

    Raises:
        NotPython: As its class says.
    """
    is_list = text[place : place + 1] == "["
    place = _behind(_BLANKS, text, place + is_list)
    calls: list[PythonCall] = []
    while True:
        call, end = _read_call(text, place)
        calls.append(call)
        place = _behind(_BETWEEN_CALLS, text, end)
        if is_list and text[place : place + 1] == "]":
            return calls, place + 1
        if not is_list and _CALL.match(text, place) is None:
            return calls, end


def read_value(text: str, place: int, depth: int = 0) -> tuple[Json, int]:
    """Read one value; keys of objects may stand without quotation marks.

    Raises:
        NotPython: As its class says.
    """
    sign = text[place : place + 1]
    if depth > MAX_DEPTH:
        raise NotPython(is_truncated=False)
    if sign in ("[", "("):
        return _read_list(text, place, depth)
    if sign == "{":
        return _read_object(text, place, depth)
    if (found := _TEXT.match(text, place)) is not None:
        quoted = found[1] if found[1] is not None else found[2]
        return found[3] if quoted is None else _ESCAPED.sub(_unescaped, quoted), found.end()
    if (found := _NUMBER.match(text, place)) is not None:
        return _number(found[0]), found.end()
    if (found := _WORD.match(text, place)) is not None and found[0] in _WORDS:
        return _WORDS[found[0]], found.end()
    raise NotPython(is_truncated=_AMID_VALUE.match(text, place) is not None)


def _read_call(text: str, place: int) -> tuple[PythonCall, int]:
    begun = _CALL.match(text, place)
    if begun is None:
        raise NotPython(is_truncated=_AMID_NAME.match(text, place) is not None)
    if begun[1] == _WRAPPER:
        call, end = _read_call(text, begun.end())
        return call, _closed(text, end, ")")
    by_place: list[Json] = []
    by_name: dict[str, Json] = {}
    at = begun.end()
    while text[at : at + 1] != ")":
        keyword = _KEYWORD.match(text, at)
        value, at = read_value(text, at if keyword is None else keyword.end())
        if keyword is not None:
            by_name[keyword[1]] = value
        else:
            by_place.append(value)
        at = _next(text, at, ")")
    return PythonCall(begun[1], tuple(by_place), by_name, place, at + 1), at + 1


def _number(written: str) -> Json:
    try:
        return load_number(written) if any(letter in written for letter in ".eE") else int(written)
    except LlmteamError:
        raise NotPython(is_truncated=False) from None


def _read_list(text: str, place: int, depth: int) -> tuple[Json, int]:
    closer = _CLOSES[text[place]]
    items: list[Json] = []
    at = _behind(_BLANKS, text, place + 1)
    while text[at : at + 1] != closer:
        value, at = read_value(text, at, depth + 1)
        items.append(value)
        at = _next(text, at, closer)
    return items, at + 1


def _read_object(text: str, place: int, depth: int) -> tuple[Json, int]:
    members: dict[str, Json] = {}
    at = _behind(_BLANKS, text, place + 1)
    while text[at : at + 1] != "}":
        bare = _WORD.match(text, at)
        key, at = (bare[0], bare.end()) if bare is not None else read_value(text, at, depth + 1)
        at = _closed(text, at, ":")
        value, at = read_value(text, _behind(_BLANKS, text, at), depth + 1)
        members[str(key)] = value
        at = _next(text, at, "}")
    return members, at + 1


def _next(text: str, place: int, closer: str) -> int:
    """Go to the next item, or to the closer."""
    if (comma := _BETWEEN.match(text, place)) is not None:
        return comma.end()
    return _closed(text, place, closer) - 1


def _closed(text: str, place: int, sign: str) -> int:
    at = _behind(_BLANKS, text, place)
    if text[at : at + 1] != sign:
        raise NotPython(is_truncated=at == len(text))
    return at + 1


def _behind(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return place if found is None else found.end()


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else _SIGNS.get(found[3], found[3])
