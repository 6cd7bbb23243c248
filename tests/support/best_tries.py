"""Bounds on the clock that a busy machine does not break: it misses one in some tries, a defect misses it in all."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

TRIES = 20


def quick_once(work: Callable[[], Any], *, seconds: float) -> float:
    """Do some work until it took less than so many seconds once, and return what that took."""
    return least_of(lambda: _timed(work), below=seconds)


async def quick_once_on_loop(work: Callable[[], Awaitable[Any]], *, seconds: float) -> float:
    """As `quick_once`, on the test's event loop."""
    taken: list[float] = []
    for _ in range(TRIES):
        began = time.monotonic()
        await work()
        taken.append(time.monotonic() - began)
        if taken[-1] < seconds:
            return taken[-1]
    raise AssertionError(f"it took {min(taken):.3f} s at least, not {seconds} s")


def least_of(measure: Callable[[], float], *, below: float) -> float:
    """Measure until a figure is below a bound, and return it."""
    measured: list[float] = []
    for _ in range(TRIES):
        measured.append(measure())
        if measured[-1] < below:
            return measured[-1]
    raise AssertionError(f"{min(measured):.3f} at least, not below {below}")


def _timed(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
