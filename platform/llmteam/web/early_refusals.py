"""Refusals of requests by their headers alone: the application's, known to the connections that read them."""

from collections.abc import Callable, Iterable
from typing import Final

from kernel.errors import LimitReached

Headers = list[tuple[bytes, bytes]]
Look = Callable[[Iterable[tuple[bytes, bytes]], str], tuple[LimitReached, Headers] | None]

_looks: Final[list[Look]] = []


def refuse_early_by(look: Look) -> None:
    """Have requests looked at before their bodies are read.

    Args:
        look: Returns the refusal of one, by its headers and path, and the headers of the answer; must be quick.
    """
    _looks[:] = [look]


def early_refusal(headers: Iterable[tuple[bytes, bytes]], path: str) -> tuple[LimitReached, Headers] | None:
    """Return the refusal of a request whose body has not been read; None where there is none."""
    return next((found for look in _looks if (found := look(headers, path)) is not None), None)
