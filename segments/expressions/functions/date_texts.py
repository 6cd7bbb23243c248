"""Dates, times and zones as texts, read and written."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.values import finite, named, need

LONGEST: Final = 64  # characters of a time
MILLISECONDS_FROM: Final = 10**11  # such numbers are milliseconds, as JavaScript counts; as seconds, the year 5138
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])([01][0-9]|2[0-3]):?([0-5][0-9])", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{9,13}")
_OF_E_MAILS: Final = re.compile(r"[A-Z][a-z]{2}, |[0-9]{1,2} [A-Z][a-z]{2} ")


def read_moment(value: Json) -> datetime:
    """Read a time; without a zone where the text has none.

    Args:
        value: A text by ISO 8601 or as e-mails have it, or a number of seconds or milliseconds since 1970.

    Raises:
        ExpressionFailed: It is something else.
    """
    try:
        if isinstance(value, str):
            text = value.strip() if len(value) <= LONGEST else ""
            return parsedate_to_datetime(text) if _OF_E_MAILS.match(text) else datetime.fromisoformat(text)
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = finite(value)
            return datetime.fromtimestamp(number / 1000 if abs(number) >= MILLISECONDS_FROM else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    else:
        raise ExpressionFailed(f"{named(value).capitalize()} is not a date.")
    hint = "write it as `2026-11-29T15:04:05Z`, or give its format: `date(x, format='%d.%m.%Y')`"
    if isinstance(value, str) and _SECONDS.fullmatch(value[:LONGEST].strip()):
        hint = "seconds since 1970 are a number: `date(int(x))`"
    raise ExpressionFailed("The value is not a date.", hint=hint)


def written(moment: datetime) -> str:
    """Write a time by RFC 3339."""
    return moment.isoformat().replace("+00:00", "Z")


def written_time(at: float) -> str:
    """Write seconds since 1970 by RFC 3339."""
    return written(datetime.fromtimestamp(at, UTC))


def zone_of(zone: Json) -> tzinfo:
    """Find a time zone by its name or its offset.

    Raises:
        ExpressionFailed: There is none.
    """
    name = str(need("text", zone, "The zone"))
    found = _zone(name) if len(name) <= LONGEST else None
    if found is None:
        raise ExpressionFailed("There is no such time zone.", hint="write one such as `Europe/Berlin` or `+02:00`")
    return found


@lru_cache(maxsize=512)
def _zone(name: str) -> tzinfo | None:
    if name in {"UTC", "Z"}:
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-span if offset[1] == "-" else span)
    try:
        return ZoneInfo(name) if _ZONE.fullmatch(name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
