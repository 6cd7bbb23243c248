"""Sweeper: frees the runs of dead hosts. Every host has one, so recovery needs Postgres and one live host only."""

import logging
import time
from uuid import UUID

from runs.engine.store import workers
from runs.engine.store.connection import Database
from runs.metrics import HOSTS_LOST

log = logging.getLogger(__name__)

MAX_GAP_SECONDS = 5.0
MAX_GAP_SWEEPS = 3
SECOND_LOOK_SECONDS = 0.3
"""Time a host whose lock is free has to take it again: what lost its connection only is back by then."""


class Sweeper:
    """Sweeps, but grants everybody one full lease first when it could not sweep for a while.

    A database that was away kept every host from renewing: what looks dead then may be alive, for one lease after the
    last time that it did not answer. A host whose lease
    stands is dead when its lock is found free twice, and the database answered all the while.
    """

    def __init__(self, *, lease_seconds: float, sweep_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._longest_gap = max(MAX_GAP_SECONDS, MAX_GAP_SWEEPS * sweep_seconds)
        self._last_good = time.monotonic()
        self._granted_until = 0.0
        self._has_failed = False
        self._suspected: frozenset[UUID] = frozenset()
        self._suspected_at = 0.0

    @property
    def looks_again(self) -> bool:
        """Whether the next sweep is to come soon, because of a lock that was found free."""
        return bool(self._suspected)

    def failed(self) -> None:
        """Say that the database did not answer: others may not have reached it either, and have lost their locks."""
        self._has_failed = True
        self._suspected = frozenset()
        now = time.monotonic()
        if now < self._granted_until:
            self._granted_until = now + self._lease_seconds

    def sweep(self, connection: Database, *, sweeper_id: UUID | None = None) -> int:
        """Free what dead hosts own; return how many runs that were."""
        now = time.monotonic()
        gap = now - self._last_good
        if gap > self._longest_gap or (self._has_failed and gap > self._lease_seconds / 2):
            self._granted_until = now + self._lease_seconds
            log.warning("no sweep for %.0f s; nothing is taken over for one lease", gap)
        if now < self._granted_until:
            connection.execute("select 1")
            self._suspected, freed = frozenset(), 0
        else:
            freed = self._free(connection, sweeper_id, now)
        self._last_good = time.monotonic()
        self._has_failed = False
        return freed

    def _free(self, connection: Database, sweeper_id: UUID | None, now: float) -> int:
        is_second_look = now - self._suspected_at >= SECOND_LOOK_SECONDS
        swept = workers.free_runs_of_dead_hosts(
            connection,
            lease_seconds=self._lease_seconds,
            sweeper_id=sweeper_id,
            suspected=self._suspected if is_second_look else frozenset(),
        )
        if is_second_look or not swept.unlocked:
            self._suspected, self._suspected_at = swept.unlocked, now
        HOSTS_LOST.labels("lease").inc(swept.expired)
        HOSTS_LOST.labels("lock").inc(swept.gone)
        if swept.expired or swept.gone:
            log.warning(
                "%d hosts let their lease end, %d are gone; freed %d runs of theirs",
                swept.expired,
                swept.gone,
                swept.runs,
            )
        return swept.runs
