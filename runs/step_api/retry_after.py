"""Retry delays that a host asks for in its headers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from kernel.clock import utc_now

_EPOCH_SECONDS: Final = 100_000_000
"""A number beyond it is a time: years of waiting are not meant."""
_EPOCH_MILLISECONDS: Final = 100_000_000_000
_LONGEST: Final = 1_000
_MOST_SECONDS: Final = 1e9
_NUMBER: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,9})?")
_LENGTH: Final = re.compile(
    r"(?:pt)?(?:([0-9]{1,4}) ?h(?:(?:ou)?rs?)?,? ?)?(?:([0-9]{1,6}) ?m(?:in(?:ute)?s?)?,? ?)?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,9})?) ?s(?:ec(?:ond)?s?)?,? ?)?(?:([0-9]{1,9}) ?m(?:illi)?s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)
_WITHOUT_ZONE: Final = re.compile(r".*(?:[0-9]{4}|:[0-9]{2})")
"""The end of a date that names no zone, as asctime writes it: one of HTTP is in UTC then."""
_ONE_DATE: Final = re.compile(r"(?:[a-z]+,)?[^,]*", re.IGNORECASE)
_MAX_VALUES: Final = 10
_MILLISECONDS: Final = ("retry-after-ms", "x-ms-retry-after-ms")
_SPENT: Final = re.compile(r"0+(?:\.0+)?")
_REMAINING: Final = re.compile(r"(?:[a-z0-9]+-)*rate-?limit[a-z0-9]*-(?:[a-z0-9]+-)*remaining(?:-[a-z0-9-]+)?")
_RESET: Final = re.compile(r"(?:[a-z0-9]+-)*rate-?limit[a-z0-9]*-(?:[a-z0-9]+-)*reset(?:-[a-z0-9-]+)?")
_MEMBER: Final = re.compile(r"([a-z]+)\s*=\s*\"?([0-9.]{1,24})", re.IGNORECASE)


def retry_after_seconds(header: str | None) -> float | None:
    """Read when to come again, relative to now; what cannot be read counts as not sent.

    Services write seconds, a length such as ``1m30s`` or ``PT3S``, seconds or milliseconds since 1970, a date of HTTP
    in any of its forms (RFC 9110, 5.6.7) or of ISO 8601, and any of these in quotation marks. Of several values, as of
    a header that comes twice, the longest counts.
    """
    text = (header or "").strip()[:_LONGEST]
    seconds = _of_value(text)
    return max(_of_values(text), default=None) if seconds is None and "," in text else seconds


def _of_values(text: str) -> Iterator[float]:
    """Read values with commas between them; a date may have one itself."""
    parts = text.split(",")[:_MAX_VALUES]
    for one, two in zip(parts, [*parts[1:], ""], strict=True):
        for value in (one, f"{one},{two}"):
            if (seconds := _of_value(value.strip())) is not None:
                yield seconds


def _of_value(text: str) -> float | None:
    if text[:1] == text[-1:] == '"':
        text = text[1:-1].strip()
    if _NUMBER.fullmatch(text):
        return _of_number(float(text))
    length = _LENGTH.fullmatch(text)
    if length is not None and any(length.groups()):
        hours, minutes, seconds, milliseconds = (float(part or 0) for part in length.groups())
        return hours * 3_600 + minutes * 60 + seconds + milliseconds / 1_000
    moment = _moment(text)
    return None if moment is None else max(0.0, (moment - utc_now()).total_seconds())


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Read how long a service asks to wait, in ``Retry-After`` and its like, the finest first; names are lower case."""
    for name in _MILLISECONDS:
        milliseconds = headers.get(name, "")
        if milliseconds.isascii() and milliseconds.isdigit():
            return float(milliseconds[:12]) / 1_000
    asked = retry_after_seconds(headers.get("retry-after"))
    return retry_after_seconds(headers.get("x-retry-after")) if asked is None else asked


def seconds_to_wait(headers: Mapping[str, str], *, is_limit: bool = False) -> float | None:
    """Read how long to wait: as asked, else until the limits that are used up are reset, as services spell it.

    Args:
        headers: Lower case names.
        is_limit: Whether it is known that a limit is reached; a reset counts then of which nobody says what is left.
    """
    asked = asked_wait(headers)
    if asked is not None:
        return asked
    found = [*_of_one_field(headers.get("ratelimit", "")[:_LONGEST]), *_of_fields(headers)]
    if is_limit and not found:
        found = [*_of_resets_alone(headers)]
    return max(found, default=None)


def _of_one_field(text: str) -> Iterator[float]:
    """Read the field ``RateLimit``: each limit with its parameters, or one limit's members one after the other."""
    limits: Iterable[str] = text.split(",") if ";" in text else [text]
    for limit in limits:
        members = {name.lower(): number for name, number in _MEMBER.findall(limit)}
        remaining, reset = members.get("r", members.get("remaining")), members.get("t", members.get("reset"))
        if remaining is not None and _SPENT.fullmatch(remaining):
            yield from _known(reset)


def _of_fields(headers: Mapping[str, str]) -> Iterator[float]:
    """Read pairs of fields: of a limit that is used up, what has the same name but for ``reset``."""
    for name in headers:
        if _REMAINING.fullmatch(name[:100]) and _SPENT.fullmatch(headers[name].strip()):
            yield from _known(headers.get(name.replace("remaining", "reset")))


def _of_resets_alone(headers: Mapping[str, str]) -> Iterator[float]:
    for name in headers:
        if _RESET.fullmatch(name[:100]) and name.replace("reset", "remaining") not in headers:
            yield from _known(headers[name])


def _known(reset: str | None) -> Iterator[float]:
    seconds = retry_after_seconds(reset)
    if seconds is not None:
        yield seconds


def _of_number(number: float) -> float:
    if number < _EPOCH_SECONDS:
        return number
    moment = number / 1_000 if number >= _EPOCH_MILLISECONDS else number
    return min(max(0.0, moment - utc_now().timestamp()), _MOST_SECONDS)


def _moment(text: str) -> datetime | None:
    """Read a date of ISO 8601 or of HTTP; one that names no zone is in UTC, one in a zone nobody knows says nothing."""
    for read in (datetime.fromisoformat, parsedate_to_datetime) if _ONE_DATE.fullmatch(text) else ():
        try:
            moment = read(text)
        except (ValueError, OverflowError):
            continue
        if moment.tzinfo is not None:
            return moment
        return moment.replace(tzinfo=UTC) if _WITHOUT_ZONE.fullmatch(text) else None
    return None
