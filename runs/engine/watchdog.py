"""A watchdog of the event loop: measures each turn, and names what held it for too long."""

import asyncio
import logging
import selectors
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from runs.metrics import LONG_TURN_SECONDS

log = logging.getLogger(__name__)

BOUND_SECONDS: Final = 0.02
PIECE_SECONDS: Final = 0.001
"""Least duration that is remembered."""
LOG_SECONDS: Final = 1.0
"""One line at most in this time; the metric counts all."""


@dataclass(frozen=True, slots=True)
class LoopPiece:
    """Work of one run in one turn of the loop."""

    tenant_id: UUID
    run_id: UUID
    step_id: str | None
    seconds: float


class Watchdog:
    """Measures the time between two waits of a loop, all of which is work that nobody else can interrupt.

    ``began`` is when the last wait ended, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self._busy = time.thread_time()
        self._longest: LoopPiece | None = None
        self._log_from = 0.0

    def note(self, tenant_id: UUID, run_id: UUID, step_id: str | None, seconds: float) -> None:
        """Say what a run has just done; of one turn the longest is remembered."""
        if seconds > (PIECE_SECONDS if self._longest is None else self._longest.seconds):
            self._longest = LoopPiece(tenant_id, run_id, step_id, seconds)

    def turn_began(self) -> None:
        """Say that the loop has work again."""
        self._longest = None
        self._busy = time.thread_time()
        self.began = time.monotonic()

    def turn_ended(self) -> None:
        """Say that the loop waits again."""
        now = time.monotonic()
        seconds = now - self.began
        if seconds <= BOUND_SECONDS:
            return
        busy = time.thread_time() - self._busy
        if busy > BOUND_SECONDS:
            LONG_TURN_SECONDS.labels("work").observe(busy)
        else:
            LONG_TURN_SECONDS.labels("waiting").observe(seconds)
        if now >= self._log_from:
            self._log_from = now + LOG_SECONDS
            self._report(seconds, busy)

    def _report(self, seconds: float, busy: float) -> None:
        piece = self._longest
        where = (
            "no run's step" if piece is None else f"tenant {piece.tenant_id}, run {piece.run_id}, step {piece.step_id}"
        )
        longest = 0.0 if piece is None else piece.seconds
        log.warning(
            "one turn of the event loop took %.0f ms (%.0f ms of processor time); longest in it: %s, %.0f ms",
            seconds * 1000, busy * 1000, where, longest * 1000,
        )  # fmt: skip


class WatchedSelector(selectors.DefaultSelector):
    """Selector that reports each wait of its loop to a watchdog."""

    def __init__(self, watchdog: Watchdog) -> None:
        super().__init__()
        self._watchdog = watchdog

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events."""
        self._watchdog.turn_ended()
        try:
            return super().select(timeout)
        finally:
            self._watchdog.turn_began()


def watched_loop(watchdog: Watchdog) -> asyncio.AbstractEventLoop:
    """Make a loop that a watchdog watches; in the thread that runs it, whose processor time is measured."""
    watchdog.turn_began()
    return asyncio.SelectorEventLoop(WatchedSelector(watchdog))
