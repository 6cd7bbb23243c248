"""Functions of dates and times, which are texts by RFC 3339: `2026-11-29T15:04:05Z`."""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, cast

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.functions.date_formats import formatted, parsed
from segments.expressions.functions.date_texts import read_moment, written, zone_of
from segments.expressions.limits import Fuel
from segments.expressions.operators import divide
from segments.expressions.values import MISSING, finite, need, need_integer

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
WALL_CLOCK: Final = ("day", "week")
"""Units that keep the time of day where a zone changes its clock in between."""

PARTS: Final[dict[str, Callable[[datetime], Json]]] = {
    "year": lambda moment: moment.year,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "month": lambda moment: moment.month,
    "week": lambda moment: moment.isocalendar().week,
    "day": lambda moment: moment.day,
    "weekday": lambda moment: moment.isoweekday(),
    "yearday": lambda moment: moment.timetuple().tm_yday,
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "second": lambda moment: moment.second,
    "unix": lambda moment: int(moment.timestamp()),
    "date": lambda moment: moment.date().isoformat(),
}


def date(
    fuel: Fuel,
    value: Json,
    default: Json = MISSING,
    /,
    *,
    format: Json = None,  # noqa: A002 - the name of the argument
    zone: Json = None,
) -> Json:
    """Read a date or time, as ISO 8601 or e-mails write it, in a format, or as seconds since 1970."""
    try:
        return written(_read(fuel, value, zone, format))
    except ExpressionFailed:
        if default is MISSING:
            raise
        return default


def date_format(fuel: Fuel, value: Json, format: Json = "%Y-%m-%d", /, *, zone: Json = None) -> Json:  # noqa: A002
    """Write a date or time in a format, such as `%d.%m.%Y %H:%M`."""
    wanted = cast("str", need("text", format, "The format of `date_format`"))
    return formatted(fuel, _read(fuel, value, zone), wanted)


def date_add(fuel: Fuel, value: Json, amount: Json, unit: Json = "days", /, *, zone: Json = None) -> Json:
    """Add a number of seconds, minutes, hours, days, weeks, months, quarters or years."""
    moment, name = _read(fuel, value, zone), _unit(unit, (*SECONDS, *MONTHS))
    try:
        if name in MONTHS:
            return written(_months_later(moment, need_integer(amount, "`date_add`") * MONTHS[name]))
        span = timedelta(seconds=finite(need("number", amount, "`date_add`")) * SECONDS[name])
        if name in WALL_CLOCK:
            return written(_at_wall_clock(moment.replace(tzinfo=None) + span, moment.tzinfo))
        return written((moment.astimezone(UTC) + span).astimezone(moment.tzinfo))
    except (OverflowError, ValueError):
        raise ExpressionFailed("The date is out of range: years go from 1 to 9999.") from None


def date_diff(fuel: Fuel, start: Json, end: Json, unit: Json = "days", /) -> Json:
    """Say how far it is from one time to another; months, quarters and years are counted in full."""
    first, last, name = _read(fuel, start), _read(fuel, end), _unit(unit, (*SECONDS, *MONTHS))
    if name in SECONDS:
        far = divide(fuel, (last - first).total_seconds(), SECONDS[name])
        return int(far) if isinstance(far, float) and far.is_integer() else far
    months = _full_months(first, last) if last >= first else -_full_months(last, first)
    return int(months / MONTHS[name])


def date_part(fuel: Fuel, value: Json, part: Json, /, *, zone: Json = None) -> Json:
    """Give a part of a time as a number: `year`, `week`, `weekday` (1 is Monday), `unix`, ...; `date` as a text."""
    return PARTS[_unit(part, tuple(PARTS))](_read(fuel, value, zone))


def date_start(fuel: Fuel, value: Json, unit: Json = "day", /, *, zone: Json = None) -> Json:
    """Give the beginning of the minute, hour, day, week, month, quarter or year that a time is in."""
    moment = _read(fuel, value, zone)
    name = _unit(unit, ("minute", "hour", "day", "week", "month", "quarter", "year"))
    start = moment.replace(second=0, microsecond=0, tzinfo=None)
    if name != "minute":
        start = start.replace(minute=0)
    if name not in {"minute", "hour"}:
        start = start.replace(hour=0)
    if name == "week" and start.toordinal() >= start.isoweekday():
        start -= timedelta(days=start.weekday())
    if name in MONTHS:
        start = start.replace(day=1, month=start.month - (start.month - 1) % MONTHS[name])
    return written(_at_wall_clock(start, moment.tzinfo))


def date_zone(fuel: Fuel, value: Json, zone: Json, /) -> Json:
    """Write a time as it is in a zone, such as `Europe/Berlin` or `+02:00`."""
    return written(_read(fuel, value, zone))


def in_zone(moment: datetime, zone: Json) -> datetime:
    """Give the same time as the clocks of a zone show it.

    Raises:
        ExpressionFailed: There is no such zone, or the year would be out of range.
    """
    try:
        return moment.astimezone(zone_of(zone))
    except (OverflowError, ValueError):
        raise ExpressionFailed("The date is out of range: years go from 1 to 9999.") from None


def is_date(fuel: Fuel, value: Json, /) -> Json:
    """Tell whether a text is a date or time that `date` reads."""
    try:
        return isinstance(value, str) and bool(_read(fuel, value))
    except ExpressionFailed:
        return False


def _read(fuel: Fuel, value: Json, zone: Json = None, format_: Json = None) -> datetime:
    """Read a time; one that names no zone is in the zone that is asked for, else UTC."""
    fuel.spend(16)
    if format_ is None:
        moment = read_moment(value)
    else:
        text = cast("str", need("text", value, "`date` with a format"))
        moment = parsed(fuel, text, cast("str", need("text", format_, "The format of `date`")))
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC) if zone is None else _at_wall_clock(moment, zone_of(zone))
    return moment if zone is None else in_zone(moment, zone)


def _at_wall_clock(moment: datetime, zone: tzinfo | None) -> datetime:
    """Give the time at which the clocks of a zone show a time; one they skip is moved forward as they are."""
    placed = moment.replace(tzinfo=zone)
    return placed.astimezone(UTC).astimezone(zone)


def _unit(value: Json, known: tuple[str, ...]) -> str:
    name = cast("str", need("text", value, "The unit")).removesuffix("s")
    if name not in known:
        raise ExpressionFailed("The unit is not known.", hint="known are " + ", ".join(f"`{one}`" for one in known))
    return name


def _months_later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    day = min(moment.day, monthrange(year, month + 1)[1])
    return _at_wall_clock(moment.replace(year=year, month=month + 1, day=day, tzinfo=None), moment.tzinfo)


def _full_months(first: datetime, last: datetime) -> int:
    last = last.astimezone(first.tzinfo)
    months = (last.year - first.year) * 12 + last.month - first.month
    return months - (months > 0 and _months_later(first, months) > last)


DATES: Final[dict[str, Callable[..., Json]]] = {
    "date": date,
    "date_format": date_format,
    "date_add": date_add,
    "date_diff": date_diff,
    "date_part": date_part,
    "date_start": date_start,
    "date_zone": date_zone,
    "is_date": is_date,
}
