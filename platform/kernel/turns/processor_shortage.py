"""Shortage of processors, as this process feels it."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.5
STALE_SECONDS: Final = 5.0
"""A measure that began longer ago says nothing of now; a shortage once seen counts for as long."""
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
        self._short_until = 0.0

    def is_there(self) -> bool:
        """Whether processors are short now, or were some seconds ago; looks at most twice a second."""
        now = time.monotonic()
        if now - self._began >= LOOK_SECONDS:
            waited = seconds_waited()
            if waited is None or self._waited is None:
                return True
            took = now - self._began
            if took < STALE_SECONDS and waited - self._waited > SHORT * took:
                self._short_until = now + STALE_SECONDS
            self._began, self._waited = now, waited
        return now < self._short_until


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
