"""Spellings of a secret at its receiver, such as base64; ``quoting`` undoes the quoting around them."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

LEGACY: Final = ("latin-1", "cp1252")
"""Charsets that UTF-8 is commonly taken for, and that others write."""


def in_base64(content: bytes) -> Iterator[str]:
    """Write bytes in base64 of either alphabet, with and without its padding."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        encoded = encode(content).decode()
        yield encoded
        yield encoded.rstrip("=")


def spellings(text: str) -> frozenset[str]:
    """Write a text as it is, with blanks as forms have them, misread as Latin-1, and in base64 of either alphabet.

    Args:
        text: The secret; half a surrogate pair is written as ``?`` where bytes are needed.
    """
    plain = text.encode("utf-8", "replace")
    found = {text, text.replace("+", " "), text.replace(" ", "+"), *in_base64(plain)}
    if not text.isascii():
        for codec in LEGACY:
            with suppress(UnicodeDecodeError):
                found.add(plain.decode(codec))
            with suppress(UnicodeEncodeError):
                found |= {*in_base64(text.encode(codec))}
    return frozenset(found)
