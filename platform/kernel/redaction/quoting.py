"""Unquoting of texts: percent encoding, JSON and program escapes, HTML entities, nested up to a bound."""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html.entities import html5
from string import hexdigits
from typing import Final

MAX_LEVELS: Final = 4
"""Most quotings of a text, one around the other."""

_ESCAPED: Final = re.compile(r"%[0-9A-Fa-f]{2}|\\[ux\\/\"'bfnrt]|&[#A-Za-z][A-Za-z0-9]{0,31};")
_ESCAPE: Final = re.compile(
    rb"%[0-9A-Fa-f]{2}"
    rb"|\\u([Dd][89ABab][0-9A-Fa-f]{2})\\u([Dd][C-Fc-f][0-9A-Fa-f]{2})|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})"
    rb"|\\[\\/\"'bfnrt]|&#([0-9]{1,7});|&#[xX]([0-9A-Fa-f]{1,6});|&([A-Za-z][A-Za-z0-9]{1,31});"
)
_BEGUN: Final = re.compile(
    rb"(?:%[0-9A-Fa-f]?|\\u[Dd][89ABab][0-9A-Fa-f]{2}(?:\\(?:u[0-9A-Fa-f]{0,3})?)?|\\(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?)?"
    rb"|&(?:#[xX]?[0-9A-Fa-f]{0,7}|[A-Za-z][A-Za-z0-9]{0,31})?)\Z"
)
_SHORT: Final = {
    **{f"%{first}{last}".encode(): bytes.fromhex(first + last) for first in hexdigits for last in hexdigits},
    **{b"\\" + sign: sign for sign in (b"\\", b"/", b'"', b"'")},
    b"\\b": b"\b",
    b"\\f": b"\f",
    b"\\n": b"\n",
    b"\\r": b"\r",
    b"\\t": b"\t",
}
_LOW_HALF, _U, _X, _DECIMAL, _HEX = 2, 3, 4, 5, 6


@dataclass(frozen=True)
class QuotingLevel:
    """A text with the quotings of one level taken away, in UTF-8; ``outer`` is the text one level further out."""

    data: bytes
    outer: bytes

    def outwards(self, place: int) -> int:
        """Give the place one level further out."""
        ends, outer_ends = self._ends
        last = bisect_right(ends, place) - 1
        return place if last < 0 else outer_ends[last] + place - ends[last]

    @cached_property
    def _ends(self) -> "tuple[array[int], array[int]]":
        """The ends of each escape, here and in the outer text; reckoned only where something was found."""
        ends, outer_ends = array("Q"), array("Q")
        length = behind = 0
        for found in _ESCAPE.finditer(self.outer):
            length += found.start() - behind + len(_meant(found))
            behind = found.end()
            ends.append(length)
            outer_ends.append(behind)
        return ends, outer_ends


def is_quoted(text: str) -> bool:
    """Whether there is anything that ``levels`` may take away."""
    return _ESCAPED.search(text) is not None


def levels(data: bytes) -> Iterator[QuotingLevel]:
    """Take the quotings away, level by level, as long as there are any. Linear in the text."""
    for _ in range(MAX_LEVELS):
        inner = _ESCAPE.sub(_meant, data)
        if inner == data:
            return
        yield QuotingLevel(inner, data)
        data = inner


def begun_escape(data: bytes) -> int:
    """Find where an escape begins that has not come whole; the end of the text where there is none."""
    found = _BEGUN.search(data, max(0, len(data) - 40))
    return len(data) if found is None else found.start()


def _meant(found: "re.Match[bytes]") -> bytes:
    """Give what an escape stands for; one that stands for nothing stays."""
    return _SHORT.get(found[0]) or _meant_by(found)


def _meant_by(found: "re.Match[bytes]") -> bytes:
    kind, text = found.lastindex or 0, found[found.lastindex or 0]
    if kind == _LOW_HALF:
        return bytes.fromhex((found[1] + text).decode()).decode("utf-16-be").encode()
    if kind in (_U, _X, _HEX, _DECIMAL):
        number = int(text, 10 if kind == _DECIMAL else 16)
        return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else found[0]
    name = html5.get(f"{text.decode()};")
    return found[0] if name is None else name.encode()
