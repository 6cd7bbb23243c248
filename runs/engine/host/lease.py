"""The lease of a host, renewed by a thread of its own, which checks that the event loop still turns."""

import collections
import logging
import os
import select
import socket
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
from runs.engine.store.connection import Database, connect, connect_session, has_sessions
from runs.engine.store.workers import Heartbeat

log = logging.getLogger(__name__)

FROZEN_EXIT = 70
TICKED_WITHIN_LEASE = 2 / 3
FROZEN_LEASES = 2
RECONNECT_SECONDS = 0.05
"""After the loss of a connection; sooner than anybody looks a second time whether the lock is free."""
WITHOUT_SESSIONS = (
    "DATABASE_URL is a pooler's and DATABASE_DIRECT_URL is not set:"
    " others know that this worker died by its lease alone, after %g s"
)


@dataclass(frozen=True, slots=True)
class Renewal:
    """One renewal, with when it was asked and answered by the steady clock."""

    heartbeat: Heartbeat
    asked_at: float
    answered_at: float


@dataclass(frozen=True, slots=True)
class LeaseWatch:
    """Observations of the event loop for a lease, and its callbacks; called in the lease's thread."""

    last_tick: Callable[[], float]
    registered: Callable[[UUID, Renewal], None]
    beaten: Callable[[Renewal], None]
    doubted: Callable[[], None]
    lost: Callable[[], None]


class Lease(threading.Thread):
    """Registers the host and renews its lease every ``beat_seconds``, for ``lease_seconds``.

    Renews only while the event loop ticks. When the loop stands still for two leases, the process is ended: its runs
    go on elsewhere, and nothing it wakes up with could be committed any more. When the host's row is gone, its runs
    are given up and it registers anew, under another id.

    While the process is there, this thread's connection holds a lock of its session, taken before the row is inserted:
    whoever gets it knows that the process is gone. It proves no ownership. When the connection is lost the host is
    in doubt until it has the lock again and has found its row; when somebody else keeps the lock, the row counts as
    lost. Without a way to the database on which a session lasts, there is the lease alone.
    """

    def __init__(
        self, name: str, *, watch: LeaseWatch, lease_seconds: float, beat_seconds: float, step_types: Sequence[str] = ()
    ) -> None:
        super().__init__(name="lease", daemon=True)
        self.host_name = name
        self._watch = watch
        self._lease_seconds = lease_seconds
        self._beat_seconds = beat_seconds
        self._step_types = step_types
        self._stopped = threading.Event()
        self._alarm, self._alarmed = socket.socketpair()
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
        self._alarm.send(b"!")
        self.join(timeout=10)
        try:
            if released and self._worker_id is not None and self._connection is not None:
                workers.unregister(self._connection, worker_id=self._worker_id)
        except psycopg.Error as error:
            log.warning("the host's row could not be deleted, its lease will end by itself: %s", error)
        self._disconnect()
        self._alarm.close()
        self._alarmed.close()

    def _renew_forever(self) -> None:
        if not has_sessions():
            log.warning(WITHOUT_SESSIONS, self._lease_seconds)
        pause = 0.0
        while not self._stopped.is_set():
            waited = min(pause, self._wait(pause))
            if self._stopped.is_set():
                return
            began = time.monotonic()
            try:
                self._beat()
                pause = self._beat_seconds
            except (psycopg.Error, OSError) as error:
                log.warning("the lease cannot be renewed now: %s", error)
                pause = min(self._beat_seconds, 1.0) if self._connection is None else RECONNECT_SECONDS
                self._disconnect()
            self._watch_loop(waited + time.monotonic() - began)

    def _wait(self, seconds: float) -> float:
        """Wait for the next beat, a stop, or the end of the connection; return the seconds that took."""
        began = time.monotonic()
        try:
            while (left := began + seconds - time.monotonic()) > 0:
                watched: list[socket.socket | Database] = [self._alarmed]
                if self._connection is not None:
                    watched.append(self._connection)
                ready, _, _ = select.select(watched, [], [], left)
                if self._alarmed in ready:
                    break
                if ready and self._connection is not None:
                    collections.deque(self._connection.notifies(timeout=0), maxlen=0)
        except (psycopg.Error, OSError) as error:
            log.warning("the connection of the lease has ended: %s", error)
            self._disconnect()
            self._stopped.wait(RECONNECT_SECONDS)
        return time.monotonic() - began

    def _beat(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
        asked_at = time.monotonic()
        if self._worker_id is None:
            self._register(self._connection)
        elif asked_at - self._watch.last_tick() <= self._lease_seconds * TICKED_WITHIN_LEASE:
            heartbeat = workers.renew(self._connection, worker_id=self._worker_id, lease_seconds=self._lease_seconds)
            if heartbeat is None:
                self._lose("the lease ended and others own the runs now; registering anew")
                self._register(self._connection)
            else:
                self._watch.beaten(Renewal(heartbeat, asked_at, time.monotonic()))

    def _connect(self) -> Database:
        if not has_sessions():
            return connect("lease")
        connection = connect_session("lease")
        if self._worker_id is not None and not workers.take_lock(connection, worker_id=self._worker_id):
            self._lose("somebody else holds this host's lock and may own its runs; registering anew")
        return connection

    def _register(self, connection: Database) -> None:
        worker_id, asked_at = new_id(), time.monotonic()
        if has_sessions():
            workers.drop_locks(connection)
        database_time = workers.register(
            connection,
            worker_id=worker_id,
            name=self.host_name,
            lease_seconds=self._lease_seconds,
            step_types=self._step_types,
            holds_lock=has_sessions() and workers.take_lock(connection, worker_id=worker_id),
        )
        self._worker_id = worker_id
        self._watch.registered(worker_id, Renewal(Heartbeat(database_time), asked_at, time.monotonic()))

    def _lose(self, reason: str) -> None:
        log.error(reason)
        self._worker_id = None
        self._watch.lost()

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
            self._watch.doubted()
            connection.close()


def _stacks() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames().items()  # noqa: SLF001 - the documented way to other threads' stacks
    return "\n".join(f"{names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}" for ident, frame in frames)
