"""JSON values within a text: models put words before it, fences around it, remarks behind it."""

import re
from collections import deque
from typing import Final

MAX_SEARCHED: Final = 256 * 1024
"""Characters; a longer text is JSON as a whole, or is none."""
MAX_FOUND: Final = 16
MAX_STARTS: Final = 8

_MARK: Final = re.compile(r'\\.|["{}\[\]]', re.DOTALL)
_CLOSES: Final = {"}": "{", "]": "["}


def json_spans(text: str) -> list[str]:
    """Give what may be objects and lists in a text, the last ones first, the inner ones not; takes linear time."""
    found: deque[str] = deque(maxlen=MAX_FOUND)
    start: int | None = 0
    for _ in range(MAX_STARTS):
        if start is None or len(text) > MAX_SEARCHED:
            break
        start = _scan(text, start, found)
    return list(reversed(found))


def _scan(text: str, start: int, found: deque[str]) -> int | None:
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
                found.append(text[begins : mark.end()])
    return begins + 1 if opened else None
