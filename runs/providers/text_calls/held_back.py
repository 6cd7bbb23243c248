"""Text held back from a stream: it may become a call of a tool, and is passed on once it cannot."""

import re
from collections.abc import Collection
from typing import Final

from runs.providers.text_calls.marks import MARKS, MAX_MARK_LENGTH, OPENER, TAGS, WHOLE_BEGINS

_MAX_DOUBT_LENGTH: Final = 400
_MAX_LINE_LENGTH: Final = 70
_NAME: Final = re.compile(r"[\w.:-]*\s*")
_BEFORE_VALUES: Final = "{[<`("
_OPEN: Final = re.compile(r'\s*(?:`{1,3}[a-z]*\s*)?(?:\[\s*)?(?:\{\s*(?:"[a-z_]{0,12}"?\s*)?)?')
"""A text of which it cannot be told yet whether it is the JSON of a call."""
_IN_WORDS: Final = re.compile(r"\s*(\[?)\s*([\w.-]{0,80})\s*(\(?)")
"""Nor whether it is a call in Python's words."""
_BEGIN_CALLS: Final = ("functools", "print")
"""Words before calls: Phi's, Gemma's."""
_LINE_OPENS: Final = re.compile(r"\n\[[\w.-]{0,64}\Z")
_BARE: Final = re.compile(rf"(?:```[a-z]*\s*)?{WHOLE_BEGINS.pattern}")


class HeldBack:
    """Passes on what is heard, from the beginning to the first call.

    Attributes:
        held: What was not passed on.
    """

    def __init__(self, tools: Collection[str], *, may_be_bare: bool) -> None:
        """Begin.

        Args:
            tools: The names of the tools there are to call; where there are none, all is passed on.
            may_be_bare: Whether the JSON of a call without a mark is one.
        """
        self._names = (*tools, *_BEGIN_CALLS) if tools else ()
        self._may_be_bare = may_be_bare
        self._is_at_start = True
        self._is_call = False
        self._pieces: list[str] = []

    @property
    def held(self) -> str:
        """The text that was not passed on."""
        return "".join(self._pieces)

    def add(self, piece: str) -> str:
        """Take the next piece; returns what can be heard now."""
        if not self._names:
            return piece
        if self._is_call:
            self._pieces.append(piece)
            return ""
        text = self.held + piece
        end = self._heard_until(text)
        self._pieces = [text[end:]]
        return text[:end]

    def _heard_until(self, text: str) -> int:
        if self._is_at_start:
            begun = text.lstrip()[:_MAX_DOUBT_LENGTH]
            in_words = self._is_in_words(begun)
            self._is_call = in_words is True or (self._may_be_bare and _BARE.match(begun) is not None)
            is_open = in_words is None or (self._may_be_bare and _OPEN.fullmatch(text) is not None)
            if self._is_call or (len(text) < _MAX_DOUBT_LENGTH and is_open):
                return 0
            self._is_at_start = False
        place = 0
        while (opener := OPENER.search(text, place)) is not None:
            begins = _begins_call(text, opener.end())
            if begins or (begins is None and len(text) - opener.start() < _MAX_DOUBT_LENGTH):
                self._is_call = bool(begins)
                return opener.start()
            place = max(opener.end(), opener.start() + 1)
        if (line := _LINE_OPENS.search(text, max(place, len(text) - _MAX_LINE_LENGTH))) is not None:
            return line.start()
        ends = range(max(place, len(text) - MAX_MARK_LENGTH), len(text))
        return next((end for end in ends if _may_begin_mark(text[end:])), len(text))

    def _is_in_words(self, text: str) -> bool | None:
        """Tell whether a text begins with a call in Python's words; None while it cannot be told."""
        found = _IN_WORDS.match(text)
        word = "" if found is None else found[2].rpartition(".")[2]
        if found is None or (found[3] and word in self._names):
            return found is not None
        is_open = found.end() == len(text) and any(name.startswith(word) for name in self._names)
        return None if is_open and not found[3] else False


def _may_begin_mark(text: str) -> bool:
    return text[0] in "<[`" and any(mark.startswith(text) for mark in MARKS)


def _begins_call(text: str, place: int) -> bool | None:
    """Tell whether what follows an opener is a call and no mention of its mark; None while it cannot be told."""
    rest = text[place : place + _MAX_DOUBT_LENGTH].lstrip()
    if rest.startswith("<"):
        return True if rest.startswith(TAGS) else None if _may_begin_mark(rest) else False
    if rest[:1] in ("{", "["):
        return True
    behind = _NAME.sub("", rest, count=1)
    return (behind[0] in _BEFORE_VALUES and behind != rest) if behind else None
