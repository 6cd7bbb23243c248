"""The database's clock, estimated without a query each time."""

import time


class DatabaseClock:
    """Present time of the database as seconds since 1970, kept with this machine's steady clock in between.

    Set at each heartbeat; within 5 ms of the old reading it is left alone, so that the times of one run's events
    never step back by jitter of the network.
    """

    TOLERANCE_SECONDS = 0.005

    def __init__(self) -> None:
        self._offset: float | None = None

    def set(self, database_time: float, *, asked_at: float, answered_at: float) -> None:
        """Take a reading; ``asked_at`` and ``answered_at`` are of the steady clock."""
        offset = database_time - (asked_at + answered_at) / 2
        if self._offset is None or abs(offset - self._offset) > max(self.TOLERANCE_SECONDS, answered_at - asked_at):
            self._offset = offset

    def now(self) -> float:
        """Return the present time, in whole microseconds: what the journal keeps of it is the same number.

        Raises:
            RuntimeError: It was never set.
        """
        if self._offset is None:
            raise _unread()
        return round(time.monotonic() + self._offset, 6)

    def steady(self, at: float) -> float:
        """Return what this machine's steady clock shows at a time of the database; raises as ``now``."""
        if self._offset is None:
            raise _unread()
        return at - self._offset


def _unread() -> RuntimeError:
    return RuntimeError("the database's clock has not been read yet")
