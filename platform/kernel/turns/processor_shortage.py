"""Shortage of processors, as this process feels it."""

import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.5
STALE_SECONDS: Final = 5.0
"""A measure that began longer ago says nothing of now."""
COUNTS_SECONDS: Final = 5.0
MAX_COUNTS_SECONDS: Final = 60.0
"""Time for which a shortage once seen counts, and the longest it comes to: it is not felt because of those who rest for
it, so one that is back soon after it counted as over counts for twice as long."""
SHORT: Final = 0.05
"""Seconds a second that the threads of this process, together, were ready to run and did not. It is a hundredth where
there are processors to spare, and half a second and more beside a tenant that fills all of them."""
TASKS: Final = Path("/proc/self/task")


class ProcessorShortage:
    """Tells whether this process is kept waiting for processors. For one thread at a time.

    Where the system keeps no account of it (elsewhere than on Linux), a shortage is always taken for granted.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._waited = seconds_waited()
        self._counts = COUNTS_SECONDS
        self._short_until = -math.inf

    def is_there(self) -> bool:
        """Whether processors are short now, or were some seconds ago; looks at most twice a second."""
        now = time.monotonic()
        if now - self._began >= LOOK_SECONDS:
            waited = seconds_waited()
            if waited is None or self._waited is None:
                return True
            took = now - self._began
            if took < STALE_SECONDS and waited - self._waited > SHORT * took:
                self._count(now)
            self._began, self._waited = now, waited
        return now < self._short_until

    def _count(self, now: float) -> None:
        if now >= self._short_until:
            is_back = now < self._short_until + self._counts
            self._counts = min(2 * self._counts, MAX_COUNTS_SECONDS) if is_back else COUNTS_SECONDS
        self._short_until = now + self._counts


def seconds_waited() -> float | None:
    """Add up how long the threads of this process were ready to run and did not; None where nobody counts it.

    Source: the second number, nanoseconds, of each thread's ``schedstat`` (Documentation/scheduler/sched-stats.rst).
    """
    total = found = 0
    if TASKS.is_dir():
        for task in TASKS.iterdir():
            with suppress(OSError, IndexError):  # it has ended meanwhile, or the kernel keeps no account
                total += int((task / "schedstat").read_text().split()[1])
                found += 1
    return total / 1e9 if found else None
