"""Live pieces of model answers, kept for a moment for those who follow a run; any of it may be lost."""

from collections import deque
from typing import Final

from kernel.bounded_cache import BoundedCache
from runs.bus.deltas import Delta
from runs.events.cursor import AttemptKey, EventFrame

KEPT_DELTAS: Final = 200
KEPT_CHARACTERS: Final = 256 * 1024
KEPT_ENDS: Final = 1_000


class LivePieces:
    """The newest pieces of text of one run, for all its followers; each holds but how many it has heard.

    A follower hears a piece between its attempt's start and its end, or never: what comes before the start is kept
    until the follower is there, what is still under way when it has read of the end is not missed.

    Attributes:
        heard: How many pieces have come.
    """

    def __init__(self) -> None:
        self.heard = 0
        self._kept: deque[Delta] = deque()
        self._characters = 0
        self._ends: BoundedCache[AttemptKey, int] = BoundedCache(KEPT_ENDS)

    def hear(self, delta: Delta) -> None:
        """Keep a piece; the oldest go when there are too many."""
        self.heard += 1
        self._kept.append(delta)
        self._characters += len(delta.text)
        while len(self._kept) > KEPT_DELTAS or self._characters > KEPT_CHARACTERS:
            self._characters -= len(self._kept.popleft().text)

    def take(self, frame: EventFrame) -> None:
        """Note that an attempt is over."""
        key = frame.ended_attempt
        if key is not None:
            self._ends.put(key, frame.place.seq)

    def after(self, heard: int, seq: int) -> tuple[list[Delta], int]:
        """Give what a follower may hear now.

        Args:
            heard: How many pieces it had behind it.
            seq: The last event it has been told.

        Returns:
            The pieces, and how many are behind it now.
        """
        found: list[Delta] = []
        missed = min(self.heard - heard, len(self._kept))
        position = self.heard - missed
        for delta in list(self._kept)[len(self._kept) - missed :]:
            if delta.begun_seq > seq:
                break
            position += 1
            ended = self._ends.get((delta.step_id, delta.activation, delta.attempt))
            if ended is None or seq < ended:
                found.append(delta)
        return found, position
