"""The header ``Set-Cookie`` as browsers read it (RFC 6265, 5.1.1 and 5.2), written so that ``http.cookiejar`` does."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

_MAX_AGE: Final = re.compile(r"-?[0-9]+")
_LONGEST_AGE: Final = 10
"""Digits: more is for ever, and no number of seconds that a date has."""
_DELIMITERS: Final = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME: Final = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY: Final = re.compile(r"([0-9]{1,2})(?![0-9])")
_YEAR: Final = re.compile(r"([0-9]{2,4})(?![0-9])")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR: Final = 1601


def normalise_set_cookie(header: str) -> str:
    """Write a cookie with the attributes that count: the last of each, and none that browsers pass over."""
    pair, *attributes = header.split(";")
    kept: dict[str, str] = {}
    for attribute in attributes:
        name, equals, value = (part.strip() for part in attribute.partition("="))
        read = _read(name.lower(), value)
        if read is not None:
            kept[name.lower()] = f"{equals}{read}"
    written = [f"{name}{value}" for name, value in kept.items() if (name, value) != ("path", "=")]
    return "; ".join((pair, *written))


def _read(name: str, value: str) -> str | None:
    """Read an attribute; None where it is passed over, empty where it has no value, or the default is meant."""
    if name == "path":
        return value if value.startswith("/") else ""
    if name == "max-age":
        return _age(value) if _MAX_AGE.fullmatch(value) else None
    if name == "expires":
        return _date(value)
    return value


def _age(value: str) -> str:
    if value.startswith("-"):
        return "0"
    digits = value.lstrip("0") or "0"
    return digits if len(digits) <= _LONGEST_AGE else "9" * _LONGEST_AGE


def _date(text: str) -> str | None:
    """Read a date in any order of its parts, with a year of two digits as well (RFC 6265, 5.1.1)."""
    time: tuple[int, int, int] | None = None
    day = month = year = None
    for token in _DELIMITERS.split(text):
        if time is None and (found := _TIME.match(token)):
            time = int(found[1]), int(found[2]), int(found[3])
        elif day is None and (found := _DAY.match(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.match(token)):
            year = int(found[1])
    if time is None or day is None or month is None or year is None:
        return None
    year += 1900 if 70 <= year <= 99 else 2000 if year < 70 else 0
    try:
        found_at = datetime(year, month, day, time[0], time[1], time[2], tzinfo=UTC)
    except ValueError:
        return None
    return format_datetime(found_at, usegmt=True) if year >= _FIRST_YEAR else None
