"""Bodies that may be missing: of refusals, whose status is the answer, and of redirects, which nobody reads."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import httpx

from kernel.egress.redirects import REDIRECT_STATUSES

_LEAST_OF_REFUSALS: Final = 400
_SHARE: Final = 0.9
"""Share of the time that is left, so that the request's own time never ends first and takes the status away."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Bounds within which such a body is read: seconds behind its head, and bytes."""

    seconds: float
    max_bytes: float

    def until(self, now: float, deadline: float | None) -> float:
        """Give when waiting ends, on the clock of ``now`` and ``deadline``."""
        return now + (self.seconds if deadline is None else min(self.seconds, _SHARE * max(0.0, deadline - now)))


WITH_REFUSALS: Final = Patience(seconds=10.0, max_bytes=float("inf"))
"""Bounds of bodies that are read to be shown; the bound of every body holds for them too."""
WITH_REDIRECTS: Final = Patience(seconds=1.0, max_bytes=64 * 1024)
"""Bounds of bodies that are read only so that their connection can be used again."""


def patience_with(status: int, headers: httpx.Headers, answers: Collection[int]) -> Patience | None:
    """Tell how much of a body is waited for, where the head says enough; None: it is to be whole.

    Args:
        status: Of the answer.
        headers: Of the answer.
        answers: Statuses that are what was asked for.
    """
    if status in answers:
        return None
    if status >= _LEAST_OF_REFUSALS:
        return WITH_REFUSALS
    return WITH_REDIRECTS if status in REDIRECT_STATUSES and "location" in headers else None
