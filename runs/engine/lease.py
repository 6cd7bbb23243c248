"""The lease of a host, renewed by a thread of its own, so that it tells the truth about the event loop."""

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from kernel.ids import new_id
from runs.engine.store import workers
from runs.engine.store.connection import Database, connect_blocking
from runs.engine.store.workers import Heartbeat

log = logging.getLogger(__name__)

FROZEN_EXIT = 70
TICKED_WITHIN_LEASE = 2 / 3
FROZEN_LEASES = 2


@dataclass(frozen=True, slots=True)
class Beat:
    """One renewal, with when it was asked and answered by the steady clock."""

    heartbeat: Heartbeat
    asked_at: float
    answered_at: float


@dataclass(frozen=True, slots=True)
class Watch:
    """What a lease needs to know of the event loop, and whom it tells; called in the lease's thread."""

    last_tick: Callable[[], float]
    registered: Callable[[UUID, Beat], None]
    beaten: Callable[[Beat], None]
    lost: Callable[[], None]


class Lease(threading.Thread):
    """Registers the host and renews its lease every ``beat_seconds``, for ``lease_seconds``.

    Renews only while the event loop ticks. When the loop stands still for two leases, the process is ended: its runs
    go on elsewhere, and nothing it wakes up with could be committed any more. When the host's row is gone, its runs
    are given up and it registers anew, under another id.
    """

    def __init__(
        self, name: str, *, watch: Watch, lease_seconds: float, beat_seconds: float, step_types: Sequence[str] = ()
    ) -> None:
        super().__init__(name="lease", daemon=True)
        self.host_name = name
        self._watch = watch
        self._lease_seconds = lease_seconds
        self._beat_seconds = beat_seconds
        self._step_types = step_types
        self._stopped = threading.Event()
        self._worker_id: UUID | None = None
        self._connection: Database | None = None
        self._seen_tick = 0.0
        self._frozen_seconds = 0.0

    def run(self) -> None:
        """Renew until told to stop; without this thread the process owns nothing for long, so it ends with it."""
        try:
            self._renew_forever()
        except Exception:
            log.exception("the lease can be renewed no more; ending this process")
            os._exit(FROZEN_EXIT)

    def stop(self, *, released: bool) -> None:
        """Stop renewing; ``released``: the host owns nothing any more, so its row can go at once."""
        self._stopped.set()
        self.join(timeout=10)
        try:
            if released and self._worker_id is not None and self._connection is not None:
                workers.unregister(self._connection, worker_id=self._worker_id)
        except psycopg.Error as error:
            log.warning("the host's row could not be deleted, its lease will end by itself: %s", error)
        self._disconnect()

    def _renew_forever(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            began = time.monotonic()
            try:
                self._beat()
                pause = self._beat_seconds
            except (psycopg.Error, OSError) as error:
                log.warning("the lease cannot be renewed now: %s", error)
                self._disconnect()
                pause = min(self._beat_seconds, 1.0)
            self._watch_loop(pause + time.monotonic() - began)

    def _beat(self) -> None:
        if self._connection is None:
            self._connection = connect_blocking("lease")
        asked_at = time.monotonic()
        if self._worker_id is None:
            worker_id = new_id()
            database_time = workers.register(
                self._connection,
                worker_id=worker_id,
                name=self.host_name,
                lease_seconds=self._lease_seconds,
                step_types=self._step_types,
            )
            self._worker_id = worker_id
            self._watch.registered(worker_id, Beat(Heartbeat(database_time), asked_at, time.monotonic()))
        elif asked_at - self._watch.last_tick() <= self._lease_seconds * TICKED_WITHIN_LEASE:
            heartbeat = workers.renew(self._connection, worker_id=self._worker_id, lease_seconds=self._lease_seconds)
            if heartbeat is None:
                log.error("the lease ended and others own the runs now; registering anew")
                self._worker_id = None
                self._watch.lost()
                self._beat()
            else:
                self._watch.beaten(Beat(heartbeat, asked_at, time.monotonic()))

    def _watch_loop(self, passed: float) -> None:
        """End the process when the loop has not ticked for two leases of this thread's own waking time."""
        tick = self._watch.last_tick()
        self._frozen_seconds = 0.0 if tick != self._seen_tick else self._frozen_seconds + passed
        self._seen_tick = tick
        if self._frozen_seconds >= FROZEN_LEASES * self._lease_seconds:
            log.critical("the event loop has stood still for %.0f s; ending this process", self._frozen_seconds)
            log.critical("where every thread stands:\n%s", _stacks())
            os._exit(FROZEN_EXIT)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames().items()  # noqa: SLF001 - the documented way to other threads' stacks
    return "\n".join(f"{names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}" for ident, frame in frames)
