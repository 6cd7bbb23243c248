"""Formats of dates, as in Python and C: `%d.%m.%Y %H:%M`. Names of months and days are English everywhere."""

import re
from calendar import day_abbr, day_name, month_abbr, month_name
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final

from segments.expressions.errors import ExpressionFailed
from segments.expressions.functions.date_texts import LONGEST, zone_of
from segments.expressions.limits import Fuel

MAX_FORMAT_LENGTH: Final = 100
_FIELD: Final = re.compile(r"%(.?)", re.DOTALL)
_DAYS, _SHORT_DAYS = tuple(day_name), tuple(day_abbr)
_MONTHS, _SHORT_MONTHS = tuple(month_name), tuple(month_abbr)

_WRITTEN: Final[dict[str, Callable[[datetime], str]]] = {
    "Y": lambda moment: f"{moment.year:04}",
    "y": lambda moment: f"{moment.year % 100:02}",
    "m": lambda moment: f"{moment.month:02}",
    "d": lambda moment: f"{moment.day:02}",
    "H": lambda moment: f"{moment.hour:02}",
    "I": lambda moment: f"{(moment.hour + 11) % 12 + 1:02}",
    "p": lambda moment: "AM" if moment.hour < 12 else "PM",
    "M": lambda moment: f"{moment.minute:02}",
    "S": lambda moment: f"{moment.second:02}",
    "f": lambda moment: f"{moment.microsecond:06}",
    "j": lambda moment: f"{moment.timetuple().tm_yday:03}",
    "G": lambda moment: f"{moment.isocalendar().year:04}",
    "V": lambda moment: f"{moment.isocalendar().week:02}",
    "u": lambda moment: str(moment.isoweekday()),
    "A": lambda moment: _DAYS[moment.weekday()],
    "a": lambda moment: _SHORT_DAYS[moment.weekday()],
    "B": lambda moment: _MONTHS[moment.month],
    "b": lambda moment: _SHORT_MONTHS[moment.month],
    "z": lambda moment: moment.strftime("%z"),
    "Z": lambda moment: moment.tzname() or "",
    "%": lambda _moment: "%",
}
_READ: Final = {
    **dict.fromkeys("mdHIMSy", r"[0-9]{1,2}"),
    "Y": r"[0-9]{4}",
    "f": r"[0-9]{1,6}",
    "p": r"[AaPp][Mm]",
    "z": r"Z|[+-][0-9]{2}:?[0-9]{2}",
    "B": "|".join(_MONTHS[1:]),
    "b": "|".join(_SHORT_MONTHS[1:]),
    "A": "|".join(_DAYS),
    "a": "|".join(_SHORT_DAYS),
}


def formatted(fuel: Fuel, moment: datetime, format_: str) -> str:
    """Write a time in a format.

    Raises:
        ExpressionFailed: The format is too long, has no field, or one that is not known.
    """
    fields = _fields(format_, _WRITTEN)
    fuel.spend(2 + 2 * len(fields))
    return _FIELD.sub(lambda field: _WRITTEN[field[1]](moment), format_)


def parsed(fuel: Fuel, text: str, format_: str) -> datetime:
    """Read a time in a format; without a zone where the format has none.

    Raises:
        ExpressionFailed: The format cannot be used, or the text is not written in it.
    """
    fuel.spend(20)
    found = _pattern(format_).fullmatch(text.strip()) if len(text) <= LONGEST else None
    try:
        if found is not None:
            return _moment_of(found.groupdict())
    except ValueError:
        pass
    raise ExpressionFailed("The text is not a date in this format.")


def _moment_of(read: dict[str, str]) -> datetime:
    year = int(read.get("Y", "1900"))
    if "y" in read:
        year = int(read["y"]) + (2000 if int(read["y"]) < 69 else 1900)  # as POSIX has it
    hour = int(read.get("H", "0"))
    if "I" in read:
        hour = int(read["I"]) % 12 + 12 * (read.get("p", "").lower() == "pm")
    return datetime(
        year,
        _month(read),
        int(read.get("d", "1")),
        hour,
        int(read.get("M", "0")),
        int(read.get("S", "0")),
        int(read.get("f", "0").ljust(6, "0")),
        tzinfo=zone_of(read["z"]) if "z" in read else None,
    )


def _month(read: dict[str, str]) -> int:
    if "B" in read:
        return _MONTHS.index(read["B"].capitalize())
    return _SHORT_MONTHS.index(read["b"].capitalize()) if "b" in read else int(read.get("m", "1"))


@lru_cache(maxsize=256)
def _pattern(format_: str) -> re.Pattern[str]:
    fields = _fields(format_, _READ)
    if len(set(fields)) < len(fields):
        raise ExpressionFailed("A field stands twice in the format.")
    pieces = _FIELD.split(format_)
    plain = [r"\s+".join(map(re.escape, piece.split(" "))) for piece in pieces[::2]]
    groups = [f"(?P<{field}>{_READ[field]})" for field in fields]
    return re.compile("".join(a + b for a, b in zip(plain, [*groups, ""], strict=True)), re.IGNORECASE | re.ASCII)


def _fields(
    format_: str, known: dict[str, object] | dict[str, str] | dict[str, Callable[[datetime], str]]
) -> list[str]:
    fields: list[str] = _FIELD.findall(format_[:MAX_FORMAT_LENGTH])
    if len(format_) > MAX_FORMAT_LENGTH or not fields or not set(fields) <= known.keys():
        raise ExpressionFailed(
            "The format of the date cannot be used.",
            hint="write such as `%Y-%m-%d`, `%d.%m.%Y %H:%M`, with " + " ".join(f"%{field}" for field in known),
        )
    return fields
