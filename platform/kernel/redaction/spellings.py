"""Spellings of a secret at its receiver, such as base64; ``quoting`` undoes the quoting around them."""

import base64
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Final

SHORTEST: Final = 6
"""A shorter text would be found everywhere."""
LEGACY: Final = ("latin-1", "cp1252")
"""Charsets that UTF-8 is commonly taken for, and that others write."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_LONGEST_NUMBER: Final = 400


def in_base64(content: bytes) -> Iterator[str]:
    """Write bytes in base64 of either alphabet, with and without its padding."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(content).decode()
        yield encoded
        yield encoded.rstrip("=")


def spellings(text: str) -> frozenset[str]:
    """Write a text as it is, with blanks as forms have them, misread as Latin-1, and in base64 of either alphabet.

    Args:
        text: The secret; half a surrogate pair is written as ``?`` where bytes are needed. One that reads as a number
            is also written as those write it who take it for one.
    """
    plain = text.encode("utf-8", "replace")
    found = {text, text.replace("+", " "), text.replace(" ", "+"), *in_base64(plain), *_as_number(text)}
    if not text.isascii():
        for codec in LEGACY:
            with suppress(UnicodeDecodeError):
                found.add(plain.decode(codec))
            with suppress(UnicodeEncodeError):
                found |= {*in_base64(text.encode(codec))}
    return frozenset(found)


def number_of(text: str) -> float | None:
    """Give the number without its sign that a text is taken for: PHP, spreadsheets and others take ``0048`` for 48.

    Returns:
        The nearest double; None where the text is not a number, or one so short that it would be found everywhere.
    """
    if len(text) > _LONGEST_NUMBER or _NUMBER.fullmatch(text) is None:
        return None
    number = abs(float(text))
    return number if math.isfinite(number) and len(_digits(Decimal(text))) >= SHORTEST else None


def _as_number(text: str) -> Iterator[str]:
    """Write a text as a number: without idle zeros, as the nearest double, with an exponent as languages have it."""
    if (number := number_of(text)) is None:
        return
    nearest = Decimal(repr(number))
    yield from (_digits(Decimal(text)), _digits(nearest), _digits(Decimal(number)))
    mantissa, exponent = f"{nearest.normalize():E}".split("E")
    power = int(exponent)
    for written in (f"E{power}", f"E{power:+}", f"E{power:+03}"):
        yield from (mantissa + written, mantissa + written.lower())


def _digits(number: Decimal) -> str:
    digits = format(abs(number), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
