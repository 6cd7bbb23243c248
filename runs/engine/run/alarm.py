"""Timer of one run: wakes it at a time unless something else does first."""

import asyncio
from collections.abc import Callable
from typing import Final

MIN_SECONDS: Final = 0.001


class Alarm:
    """One timer of the event loop, kept from one rest of a run to the next while it does for both.

    It may ring too early, never too late: whoever is woken looks at what there is to do anyway.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float) -> None:
        """Have it ring at a time of the loop's clock, a moment from now where that is over."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        at = max(at, now + MIN_SECONDS)
        if self._timer is None or not now < self._timer.when() <= at:
            self.cancel()
            self._timer = loop.call_at(at, self._ring)

    def cancel(self) -> None:
        """Have it ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
