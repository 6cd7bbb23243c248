"""Numbers beyond 2^53, where a double does not keep every digit: which of them change, and what their digits are."""

import math
import re
from decimal import Decimal
from typing import Final

from kernel.types import Json

MAX_SAFE_INTEGER: Final = 2**53
MAX_DIGITS: Final = 4300
"""As many digits a number may have that is kept as text."""

_INTEGER: Final = re.compile(r"-?[1-9][0-9]*", re.ASCII)
_DECIMAL: Final = re.compile(r"-?[1-9][0-9]*(?:\.[0-9]*[1-9])?", re.ASCII)
_MAX_SAFE_DIGITS: Final = len(str(MAX_SAFE_INTEGER))
_ALWAYS_KEPT: Final = 15
"""So many digits every double keeps."""


def changed_digits(written: str) -> str | None:
    """Give the digits of a number that would become another one, without an exponent; else None.

    That is so beyond 2^53, where whole numbers are skipped: ``9007199254740993.0`` would be written as
    ``9007199254740992.0`` again. A fraction below it is the nearest double, as everywhere.

    Args:
        written: As JSON or Python write a number, with a fraction or an exponent.
    """
    number = float(written)
    if len(written) <= _ALWAYS_KEPT or -MAX_SAFE_INTEGER < number < MAX_SAFE_INTEGER or not math.isfinite(number):
        return None
    exact = Decimal(written)
    if exact == Decimal(repr(number)):
        return None
    digits = format(exact, "f").removeprefix("+")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def without_fraction(value: Json) -> Json:
    """Give a whole number that is written with a fraction, as 5.0 or 1e3, as the integer it is; else the value itself.

    JSON knows one kind of numbers only; where a text is made of one, as in URLs, 5.0 would be another thing than 5.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_SAFE_INTEGER:
        return int(value)
    return value


def is_large_integer(value: object) -> bool:
    """Whether a value is the text that stands for an integer beyond 2^53: its digits, as JSON writes them."""
    return _is_large(value, _INTEGER)


def is_large_number(value: object) -> bool:
    """Whether a value is the text that stands for a number beyond 2^53, whole or not: its digits."""
    return _is_large(value, _DECIMAL)


def _is_large(value: object, form: re.Pattern[str]) -> bool:
    if not isinstance(value, str) or not _MAX_SAFE_DIGITS <= len(value) <= MAX_DIGITS:
        return False
    return form.fullmatch(value) is not None and abs(Decimal(value)) > MAX_SAFE_INTEGER
