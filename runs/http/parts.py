"""Parts of a content (206): whether one is what was asked for, and all of it (RFC 9110, 14 and 15.3.7)."""

import re
from typing import Final

UNASKED: Final = "It sent partial content that was not requested, and does not say that it is complete."
ANOTHER: Final = (
    "The header Range asks for {asked}, and it sent another part, or not all of it: Content-Range {covered}."
)
SHORT: Final = "It says that it sent {covered}, and {length:,} bytes came."
MAX_TOLD: Final = 100
_COVERED: Final = re.compile(r"\s*bytes\s+([0-9]{1,18})-([0-9]{1,18})/(?:([0-9]{1,18})|\*)", re.IGNORECASE)
_OTHER_UNIT: Final = re.compile(r"\s*(?!bytes\b)\S", re.IGNORECASE)
_ASKED: Final = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)


def why_not_wanted(asked: str | None, covered: str, length: int | None) -> str | None:
    """Say why a part is not what was wanted, if it is not; where units other than bytes are spoken nobody can tell.

    Args:
        asked: The header ``Range`` of the request, if it has one; without it all is wanted.
        covered: The header ``Content-Range`` of the answer.
        length: Bytes that came, where they are as they were sent.
    """
    if _OTHER_UNIT.match(covered) or (asked is not None and not covered.strip()):
        return None
    found = _COVERED.match(covered)
    first, last, total = (None, None, None) if found is None else map(_number, found.groups())
    if first is None or last is None or not _is_wanted(asked, first, last, total):
        told = UNASKED if asked is None else ANOTHER
        return told.format(asked=(asked or "")[:MAX_TOLD], covered=covered.strip()[:MAX_TOLD])
    if length is not None and length != last - first + 1:
        return SHORT.format(covered=covered.strip()[:MAX_TOLD], length=length)
    return None


def _is_wanted(asked: str | None, first: int, last: int, total: int | None) -> bool:
    """Compare what came with what was asked for; of several parts at once nothing is told here."""
    end = None if total is None else total - 1
    if asked is None:
        return (first, last) == (0, end)
    found = _ASKED.fullmatch(asked)
    if found is None:
        return True
    begin, until = map(_number, found.groups())
    if begin is None:
        is_as_long = until is not None and last - first + 1 == (until if total is None else min(until, total))
        return is_as_long and last == (last if end is None else end)
    wanted = end if until is None else until if end is None else min(until, end)
    return (first, last) == (begin, wanted)


def _number(text: str | None) -> int | None:
    return int(text) if text else None
