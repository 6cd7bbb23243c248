"""The choices that the rules leave open: how soon steps start, which finishes next, which ready gathering fires next.

A step that has not started when an ``all`` is certain to fail never does; one in flight is finished and recorded. So
how soon steps start decides what is activated.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol, TypeVar

Choice = TypeVar("Choice")
Label = tuple[str, int]
"""A step and its activation."""
LATE_SHARE = 0.5
AT_ONCE_SHARE = 0.5
RANKED_SHARE = 0.5


class Schedule(Protocol):
    """Makes the choices of one run. ``fails_at_once``: a gathering fails before what may start already does."""

    fails_at_once: bool

    def number_to_start(self, in_flight: Sequence[Label], fresh: Sequence[Label]) -> int:
        """Choose how many of those that may start do so now, oldest first; at least one when nothing is in flight."""

    def next_to_finish(self, in_flight: Sequence[Label]) -> int:
        """Choose by place."""

    def next_to_fire(self, ready: Sequence[Choice]) -> Choice:
        """Choose among gatherings in plan order."""


class AtRandom:
    """Chooses by a seed: in some runs anything, in others some steps are always faster than others."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._starts_late = self._random.random() < LATE_SHARE
        self.fails_at_once = self._random.random() < AT_ONCE_SHARE
        self._ranks: dict[str, float] | None = {} if self._random.random() < RANKED_SHARE else None

    def number_to_start(self, in_flight: Sequence[Label], fresh: Sequence[Label]) -> int:
        """Start all at once in some runs, any number in others."""
        fewest = min(len(fresh), 0 if in_flight else 1)
        return self._random.randint(fewest, len(fresh)) if self._starts_late else len(fresh)

    def next_to_finish(self, in_flight: Sequence[Label]) -> int:
        """Choose any, or the fastest."""
        if self._ranks is None:
            return self._random.randrange(len(in_flight))
        ranks = [self._ranks.setdefault(step, self._random.random()) for step, _ in in_flight]
        return ranks.index(min(ranks))

    def next_to_fire(self, ready: Sequence[Choice]) -> Choice:
        """Choose any."""
        return self._random.choice(ready)


class AsRecorded:
    """Finishes steps in the order in which a journal has them; the rest oldest first.

    Gatherings fail in their turn or at once. Late, as in an engine that does its pure steps one after the other, a step
    starts when its outcome is due.
    """

    def __init__(self, finished: Sequence[Label], *, late: bool = False, fails_at_once: bool = False) -> None:
        self._finished = list(finished)
        self._late = late
        self.fails_at_once = fails_at_once

    def number_to_start(self, in_flight: Sequence[Label], fresh: Sequence[Label]) -> int:
        """Start all at once, or those up to the one whose outcome is due."""
        if not self._late:
            return len(fresh)
        for label in self._finished:
            if label in in_flight:
                return 0
            if label in fresh:
                return list(fresh).index(label) + 1
        return 0 if in_flight else min(1, len(fresh))

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
