"""Frees the runs of dead hosts; every host does so, so that recovery needs nothing but Postgres and one of them."""

import logging
import time

from runs.engine.store import workers
from runs.engine.store.connection import AsyncDatabase

log = logging.getLogger(__name__)

LONGEST_GAP_SECONDS = 5.0
LONGEST_GAP_SWEEPS = 3


class Sweeper:
    """Sweeps, but grants everybody one full lease first when it could not sweep for a while.

    A database that was away kept every host from renewing: what looks dead then may be alive.
    """

    def __init__(self, *, lease_seconds: float, sweep_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._longest_gap = max(LONGEST_GAP_SECONDS, LONGEST_GAP_SWEEPS * sweep_seconds)
        self._last_good = time.monotonic()
        self._granted_until = 0.0
        self._has_failed = False

    def failed(self) -> None:
        """Say that the database did not answer: from half a lease on, others may not have reached it either."""
        self._has_failed = True

    async def sweep(self, connection: AsyncDatabase) -> int:
        """Free what dead hosts own; return how many runs that were."""
        now = time.monotonic()
        gap = now - self._last_good
        if gap > self._longest_gap or (self._has_failed and gap > self._lease_seconds / 2):
            self._granted_until = now + self._lease_seconds
            log.warning("no sweep for %.0f s; nothing is taken over for one lease", gap)
        if now < self._granted_until:
            await connection.execute("select 1")
            freed = 0
        else:
            freed = await workers.free_runs_of_the_dead(connection, lease_seconds=self._lease_seconds)
        self._last_good = time.monotonic()
        self._has_failed = False
        if freed:
            log.warning("freed %d runs of dead hosts", freed)
        return freed
