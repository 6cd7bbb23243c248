"""Processor time of late by owner: whose work stands in the way of others'."""

import math
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

LATELY_SECONDS: Final = 2.0
"""Time an owner counts as having work after it last had some; averages forget about as fast."""
LIGHTER: Final = 2 / 3
"""Part of its own processor time below which another owner is one to stand back for."""


class _Recent(NamedTuple):
    rate: float
    at: float

    def rate_at(self, now: float) -> float:
        return self.rate * math.exp((self.at - now) / LATELY_SECONDS)


class ProcessorTimes:
    """Owners with work of late, and what each has computed, in processor seconds a second. Not thread-safe."""

    def __init__(self) -> None:
        self._uses: OrderedDict[Hashable, _Recent] = OrderedDict()

    def note(self, owner: Hashable, seconds: float = 0.0) -> None:
        """Note that an owner has work, or has computed for so long."""
        now = time.monotonic()
        before = self._uses.pop(owner, _Recent(0.0, now))
        self._uses[owner] = _Recent(before.rate_at(now) + seconds / LATELY_SECONDS, now)
        while next(iter(self._uses.values())).at < now - LATELY_SECONDS:
            self._uses.popitem(last=False)

    def has_others(self, owner: Hashable) -> bool:
        """Tell whether others than this owner have had work lately."""
        ends = time.monotonic() - LATELY_SECONDS
        for other, use in reversed(self._uses.items()):
            if other != owner:
                return use.at >= ends
        return False

    def is_heavy(self, owner: Hashable, share: float) -> bool:
        """Tell whether an owner computes more than a share, and clearly more than another that has work."""
        now = time.monotonic()
        own = self._uses[owner].rate_at(now) if owner in self._uses else 0.0
        return own > share and any(
            use.at >= now - LATELY_SECONDS and use.rate_at(now) < LIGHTER * own
            for other, use in self._uses.items()
            if other != owner
        )
