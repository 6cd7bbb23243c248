"""The pace of long computations in threads: while processors are short they rest in between."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from kernel.turns.processor_shortage import ProcessorShortage

_PACE: ContextVar["WorkPace | None"] = ContextVar("pace", default=None)
LEAST_REST_SECONDS: Final = 0.002


class WorkPace:
    """The pace of computations that follow one another, such as those of one thread.

    Args:
        share: Processor seconds a second they may have in the long run while processors are short.
        burst_seconds: What they may have at once before they rest.
        is_short: Tells whether processors are short; None: as this process feels it.
    """

    def __init__(self, *, share: float, burst_seconds: float, is_short: Callable[[], bool] | None = None) -> None:
        self._share = share
        self._is_short = is_short or ProcessorShortage().is_there
        self._burst = burst_seconds
        self._level = 0.0
        self._at = 0.0
        self._computed = 0.0

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have what is computed here keep the pace, wherever it calls ``pause``."""
        self._computed = time.thread_time()
        token = _PACE.set(self)
        try:
            yield
        finally:
            _PACE.reset(token)
            self._note()

    def rest(self) -> None:
        """Sleep for as long as the pace asks for; not before it is worth a change of threads."""
        self._note()
        seconds = (self._level - self._burst) / self._share
        if seconds < LEAST_REST_SECONDS:
            return
        if self._is_short():
            time.sleep(seconds)
        else:
            self._level = self._burst

    def _note(self) -> None:
        now, computed = time.monotonic(), time.thread_time()
        drained = (now - self._at) * self._share
        self._level = max(0.0, self._level - drained) + computed - self._computed
        self._at, self._computed = now, computed


def pause() -> None:
    """Rest, where the computation around has a pace to keep. Long ones call it between their pieces."""
    if (pace := _PACE.get()) is not None:
        pace.rest()
