"""Readers of texts, switches, numbers and words."""

import importlib.util
import os
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """Read text; empty counts as not set."""
    return os.environ.get(name, "") or default


def flag(name: str, *, default: bool) -> bool:
    """Read yes/no.

    Raises:
        ImproperlyConfigured: Anything but 1, true, yes, on, 0, false, no, off.
    """
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; write 1 or 0.")


def number(name: str, default: float, *, least: float, most: float) -> float:
    """Read a number between two bounds.

    Raises:
        ImproperlyConfigured: Not a number, or outside the bounds.
    """
    written = text(name, str(default))
    try:
        value = float(written if written.isascii() else "none")
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {written!r}; write a number.") from None
    if not least <= value <= most:
        raise ImproperlyConfigured(f"{name} is {written}; it must be from {least:.15g} to {most:.15g}.")
    return value


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """Read a whole number between two bounds; errors as ``number``."""
    value = number(name, default, least=least, most=most)
    if value != int(value):
        raise ImproperlyConfigured(f"{name} is {value:g}; write a whole number.")
    return int(value)


def choice(name: str, default: str, *, of: Sequence[str]) -> str:
    """Read one of a few words.

    Raises:
        ImproperlyConfigured: Another one.
    """
    value = text(name, default)
    if value not in of:
        raise ImproperlyConfigured(f"{name} is {value!r}; write one of: {', '.join(of)}.")
    return value


def words(name: str) -> list[str]:
    """Read a comma-separated list."""
    return [word.strip() for word in text(name, "").split(",") if word.strip()]


def packages(name: str) -> list[str]:
    """Read a comma-separated list of dotted names of Python.

    Raises:
        ImproperlyConfigured: The package of an entry is not installed.
    """
    found = words(name)
    for entry in found:
        package = entry.partition(".")[0]
        if not package.isidentifier() or importlib.util.find_spec(package) is None:
            raise ImproperlyConfigured(f"{name} names {entry!r}, and no package {package!r} is installed.")
    return found
