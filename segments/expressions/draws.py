"""Reproducible draws of time and chance for expressions: whoever computes them again gets the same values."""

from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID, uuid5

NAMESPACE: Final = UUID("6f0c5f0e-63a1-5d0e-9c6b-0d9c7a4c2b11")


@dataclass(slots=True)
class Draws:
    """The time and the identifiers of one piece of work.

    Attributes:
        at: What `now()` gives, in seconds since 1970.
        seed: Texts and numbers, unlike those of any other piece of work, and the same however often it is done.
        drawn: How many identifiers were given.
    """

    at: float
    seed: tuple[object, ...]
    drawn: int = 0

    def next_uuid(self) -> str:
        """Give the next identifier: a UUID of version 5, unlike every other, and no secret."""
        self.drawn += 1
        return str(uuid5(NAMESPACE, "|".join(map(str, (*self.seed, self.drawn)))))

    def to_json(self) -> list[Any]:
        """Write what another process needs to draw the same, from the beginning."""
        return [self.at, *map(str, self.seed)]

    @classmethod
    def from_json(cls, written: list[Any]) -> Self:
        """Read what ``to_json`` has written."""
        return cls(written[0], tuple(written[1:]))
