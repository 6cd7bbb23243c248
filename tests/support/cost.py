"""What a piece of work costs: processor time and peak memory."""

import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """The cost of one piece of work; the time is the best of three, to leave out what other processes did."""

    seconds: float
    peak_bytes: int


def cost_of(work: Callable[[], object]) -> Cost:
    """Do some work four times: three with a clock, one with the memory traced."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    tracemalloc.start()
    try:
        work()
        return Cost(min(seconds), tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def under_a_tracer(seconds: float) -> float:
    """Widen a bound on time when a debugger or a coverage tool slows every line down."""
    return seconds if sys.gettrace() is None else seconds * 10
