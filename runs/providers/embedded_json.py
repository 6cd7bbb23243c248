"""JSON values embedded in a text: models write words before them, fences around them, remarks after them."""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

MAX_SEARCHED: Final = 256 * 1024
"""Characters; a longer text is JSON as a whole, or is none."""
MAX_FOUND: Final = 64
MAX_STARTS: Final = 8

_MARK: Final = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
_CLOSES: Final = {"}": "{", "]": "["}
_BEGINS_JSON: Final = re.compile(r'\{\s*"|\[\s*["{\[]')
_BEFORE_ALONE: Final = re.compile(r"[\s`*_]*+(?:json)?\s*+", re.IGNORECASE)
_BEHIND_ALONE: Final = re.compile(r"[\s`*_]*+")
_QUOTED_LINE: Final = re.compile(r"[ \t]*+>")
_QUOTE_MARK: Final = re.compile('["\u201c\u201d\u201e\u201f\u00ab\u00bb]')
_THOUGHT: Final = re.compile(
    r"<(/?)(think|thinking|thought|thoughts|reasoning|scratchpad|analysis|reflection)>", re.IGNORECASE
)
_FILLER: Final = "\0"

Place: TypeAlias = tuple[int, int]
"""Beginning and end of something in a text."""


@dataclass(frozen=True, slots=True)
class Span:
    """Possible object or list in a text.

    ``is_last_word``: it stands on lines of its own, and nothing is said behind it. ``is_aside``: it stands amid words.
    """

    text: str
    is_aside: bool
    is_last_word: bool


@dataclass(frozen=True, slots=True)
class Found:
    """The spans of a text, in their order; ``is_all``: none is left out, as one that is not closed would be."""

    spans: Sequence[Span]
    is_all: bool


def json_spans(text: str) -> Found:
    """Give what may be objects and lists in a text, the inner ones not; takes linear time.

    What is quoted says what somebody else said, and what is thought is no answer: values in quotation marks, in lines
    that begin with ``>`` and in marks of reasoning do not count.
    """
    if len(text) > MAX_SEARCHED:
        return Found((), is_all=True)
    places: list[Place] = []
    is_all = True
    start = _scan(text, 0, places)
    for _ in range(MAX_STARTS - 1):
        if start is None:
            break
        if _BEGINS_JSON.match(text, start - 1):
            is_all = False
            break
        start = _scan(text, start, places)
    if len(places) > MAX_FOUND:
        places, is_all = places[-MAX_FOUND:], False
    return Found(tuple(_counting(text, places)), is_all)


def _scan(text: str, start: int, places: list[Place]) -> int | None:
    """Find values from a place on; returns where to begin anew behind a bracket that is none, if there is one."""
    opened: list[str] = []
    begins = start
    in_string = False
    for mark in _MARK.finditer(text, start):
        sign = mark[0]
        if sign == '"':
            in_string = bool(opened) and not in_string
        elif in_string or sign[0] == "\\":
            continue
        elif sign in "{[":
            begins = begins if opened else mark.start()
            opened.append(sign)
        elif opened:
            if opened.pop() != _CLOSES[sign]:
                return begins + 1
            if not opened:
                places.append((begins, mark.end()))
    return begins + 1 if opened else None


def _counting(text: str, places: Sequence[Place]) -> Iterator[Span]:
    """Judge each place by what is said around it on its lines."""
    bare = _without(text, places)
    thoughts, quotes = _thoughts(bare), [mark.start() for mark in _QUOTE_MARK.finditer(bare)]
    came_to = 0
    for (begins, ends), following in zip(places, [*places[1:], (len(bare), 0)], strict=False):
        line, line_ends = bare.rfind("\n", 0, begins) + 1, (bare.find("\n", ends) + 1 or len(bare) + 1) - 1
        before, behind = bare[max(line, came_to) : begins], bare[ends : min(line_ends, following[0])]
        is_alone = came_to <= line <= begins and line_ends <= following[0]
        is_alone = is_alone and bool(_BEFORE_ALONE.fullmatch(before) and _BEHIND_ALONE.fullmatch(behind))
        came_to = ends
        is_open = (bisect(quotes, begins) - bisect(quotes, line - 1)) % 2 == 1
        is_quoted = (is_open and bisect(quotes, line_ends) > bisect(quotes, ends - 1)) or _QUOTED_LINE.match(bare, line)
        if not is_quoted and not _is_within(begins, thoughts):
            yield Span(text[begins:ends], not is_alone, is_alone and bool(_BEHIND_ALONE.fullmatch(bare, ends)))


def _is_within(at: int, thoughts: Sequence[Place]) -> bool:
    index = bisect(thoughts, (at, 0)) - 1
    return index >= 0 and at < thoughts[index][1]


def _without(text: str, places: Sequence[Place]) -> str:
    """Give the words around values; each value is one word of its length, whatever it says."""
    pieces: list[str] = []
    at = 0
    for begins, ends in places:
        pieces += text[at:begins], _FILLER * (ends - begins)
        at = ends
    return "".join((*pieces, text[at:]))


def _thoughts(bare: str) -> list[Place]:
    """Give where marks of reasoning begin and end; one that does not end goes to the end."""
    found: list[Place] = []
    opened: tuple[int, str] | None = None
    for mark in _THOUGHT.finditer(bare):
        is_end, name = bool(mark[1]), mark[2].lower()
        if opened is None and not is_end:
            opened = mark.start(), name
        elif opened is not None and is_end and name == opened[1]:
            found.append((opened[0], mark.start()))
            opened = None
    return found if opened is None else [*found, (opened[0], len(bare))]
