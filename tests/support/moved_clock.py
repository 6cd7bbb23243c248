"""A clock that a test moves: every ``utc_now`` of this process reads it, whoever has imported it."""

from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace

import pytest

from kernel import clock


class MovedClock:
    """The present time, as far from the machine's as the test has moved it. The database's stays."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._ahead = timedelta()
        patch.setattr(clock, "datetime", SimpleNamespace(now=self._now))

    def move_to(self, moment: datetime) -> None:
        """Have it be this time now, and go on from there."""
        self._ahead = moment - datetime.now(moment.tzinfo)

    def _now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + self._ahead
