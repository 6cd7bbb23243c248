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

    Whoever finds that an owner rests and asks when to look again does both with one reading of the clock: a rest that
    ends in between would be in neither answer.

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
        if self._until:
            self._until = {other: until for other, until in self._until.items() if until > now}
        if self._times.is_heavy(owner, self._share) and self._is_short():
            until = self._until.get(owner, now) + computed / self._share
            self._until[owner] = min(until, now + MOST_REST_SECONDS)

    def has_others(self, owner: Hashable) -> bool:
        """Tell whether others than this owner have had work lately."""
        return self._times.has_others(owner)

    def is_resting(self, owner: Hashable, now: float) -> bool:
        """Tell whether an owner rests at a time of the monotonic clock."""
        return self._until.get(owner, -math.inf) > now

    def first_end(self, owners: Iterable[Hashable], now: float) -> float:
        """Give the end of the first rest of some owners behind a time; infinity where none of them rests then."""
        ends = (self._until.get(owner, 0.0) for owner in owners)
        return min((end for end in ends if end > now), default=math.inf)
