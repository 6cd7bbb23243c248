"""What a piece of work costs: processor time and peak memory.

Processor time is told as the machine of docs/benchmarks.md would have taken it: a shared machine is at times three
times slower than itself, so a yardstick of plain Python is timed right before and after the work. On a faster machine
the time is the time.
"""

import gc
import math
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

YARDSTICK_SECONDS = 0.0022
"""What the yardstick takes on the machine of docs/benchmarks.md, where a step of the pure core takes 13 µs.

Reckoned, not measured there: it takes 3.6 to 7.3 ms where such a step takes 33 to 43 µs (`make bench ONLY=CORE`).
"""
MOST_TRIES = 5


@dataclass(frozen=True)
class Cost:
    """The cost of one piece of work; the time is that of the best try, to leave out what other processes did."""

    seconds: float
    peak_bytes: int


def cost_of(work: Callable[[], object], *, bound: float) -> Cost:
    """Do some work with a clock, again while it takes as long as the bound, and once with the memory traced.

    No garbage is collected meanwhile: what was there before counts for no peak, and takes long to look through.
    """
    best = math.inf
    for _ in range(MOST_TRIES):
        best = min(best, _seconds_on_the_usual_machine(work))
        if best < bound:
            break
    gc.disable()
    tracemalloc.start()
    try:
        work()
        return Cost(best, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
        gc.enable()


def under_a_tracer(seconds: float) -> float:
    """Widen a bound on time when a debugger or a coverage tool slows every line down."""
    return seconds if sys.gettrace() is None else seconds * 10


def slowness() -> float:
    """How many times slower than the usual machine this one is now; at least 1."""
    return max(1.0, _processor_seconds(_yardstick) / YARDSTICK_SECONDS)


def _seconds_on_the_usual_machine(work: Callable[[], object]) -> float:
    """Time some work, and take the machine to have been as fast as it was at the better end of it."""
    before, taken, after = slowness(), _processor_seconds(work), slowness()
    return taken / min(before, after)


def _processor_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _yardstick() -> int:
    """Make and walk plain values, as an expression does."""
    rows = [{"a": number, "b": str(number)} for number in range(8_000)]
    return sum(len(value) if isinstance(value, str) else 1 for row in rows for _, value in row.items())
