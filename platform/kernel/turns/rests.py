"""Rests of owners that compute much while others have work and processors are short."""

import math
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Final

from kernel.turns.processor_times import ProcessorTimes

MOST_REST_SECONDS: Final = 2.0
"""Longest rest of an owner, however long it has computed."""


class Rests:
    """Until when each owner rests. Not thread-safe.

    Args:
        share: Processor seconds a second that an owner may compute while another has work that computes clearly less.
        is_short: Tells whether processors are short; while they are not, nobody's rest begins.
    """

    def __init__(self, share: float, is_short: Callable[[], bool]) -> None:
        self._share = share
        self._is_short = is_short
        self._times = ProcessorTimes()
        self._until: dict[Hashable, float] = {}

    def note(self, owner: Hashable, computed: float = 0.0) -> None:
        """Note that an owner has work, or has computed for so many seconds of a processor."""
        self._times.note(owner, computed)
        if not computed:
            return
        now = time.monotonic()
        self._until = {other: until for other, until in self._until.items() if until > now}
        if self._times.is_heavy(owner, self._share) and self._is_short():
            until = self._until.get(owner, now) + computed / self._share
            self._until[owner] = min(until, now + MOST_REST_SECONDS)

    def has_others(self, owner: Hashable) -> bool:
        """Tell whether others than this owner have had work lately."""
        return self._times.has_others(owner)

    def is_resting(self, owner: Hashable) -> bool:
        """Tell whether an owner rests now."""
        return self._until.get(owner, 0.0) > time.monotonic()

    def first_end(self, owners: Iterable[Hashable]) -> float:
        """Give the end of the first rest of some owners, by the monotonic clock; infinity where none of them rests."""
        now = time.monotonic()
        ends = (self._until.get(owner, 0.0) for owner in owners)
        return min((end for end in ends if end > now), default=math.inf)
