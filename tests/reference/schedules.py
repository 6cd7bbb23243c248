"""The choices that engine.md leaves open: which step in flight finishes next, which ready gathering fires next."""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

Choice = TypeVar("Choice")
Label = tuple[str, int]
"""A step and its activation."""


class Schedule(Protocol):
    """Makes the choices of one run."""

    def next_to_finish(self, in_flight: Sequence[Label]) -> int:
        """Choose by place."""

    def next_to_fire(self, ready: Sequence[Choice]) -> Choice:
        """Choose among gatherings in plan order."""


class AtRandom:
    """Chooses by a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def next_to_finish(self, in_flight: Sequence[Label]) -> int:
        """Choose any."""
        return self._random.randrange(len(in_flight))

    def next_to_fire(self, ready: Sequence[Choice]) -> Choice:
        """Choose any."""
        return self._random.choice(ready)


class AsRecorded:
    """Finishes steps in the order in which a journal has them; the rest oldest first."""

    def __init__(self, finished: Sequence[Label]) -> None:
        self._finished = list(finished)

    def next_to_finish(self, in_flight: Sequence[Label]) -> int:
        """Choose what the journal has first, of the same step when the activation is another."""
        for label in self._finished:
            if label in in_flight:
                self._finished.remove(label)
                return list(in_flight).index(label)
        return 0

    def next_to_fire(self, ready: Sequence[Choice]) -> Choice:
        """Choose the first in plan order."""
        return ready[0]
