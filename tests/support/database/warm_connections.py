"""Connections to the database that the hosts of one test leave to those of the next.

A host in a test's process has up to seven threads, each with a connection that lasts as long as the host. Opening one
and planning the engine's statements in it takes 10 to 20 ms of a processor, more than the runs of most tests.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest
from psycopg.pq import ConnStatus, TransactionStatus

from runs.engine.store import connection, threads

PURPOSES: Final = frozenset({"claims", "deliverer", "host", "writer"})
"""Of a host's threads. The session of its lease is its own: who loses that one loses the host."""
MOST_IDLE: Final = 8
"""For one address and purpose."""


class WarmConnections:
    """Idle connections by address, which has the purpose and the timeouts in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: defaultdict[str, list[_WarmConnection]] = defaultdict(list)
        self.is_open = True

    def connect(self, purpose: str) -> connection.Database:
        """Give one that is idle and alive, or a new one."""
        if purpose not in PURPOSES:
            return connection.connect(purpose)
        address = connection.conninfo(purpose)
        while (found := self._take(address)) is not None:
            if _is_usable(found):
                return found
            found.end()
        made = _WarmConnection.connect(address, autocommit=True, prepare_threshold=1)
        made.keep_in(self, address)
        return made

    def _take(self, address: str) -> "_WarmConnection | None":
        with self._lock:
            idle = self._idle[address]
            return idle.pop() if idle else None

    def take_back(self, left: "_WarmConnection", address: str) -> bool:
        """Keep a connection for the next host; False where it is of no use any more."""
        with self._lock:
            idle = self._idle[address]
            is_kept = self.is_open and len(idle) < MOST_IDLE and left not in idle and _is_usable(left)
            if is_kept:
                idle.append(left)
            return is_kept

    def end(self) -> None:
        """Close all."""
        with self._lock:
            self.is_open = False
            idle = [one for some in self._idle.values() for one in some]
            self._idle.clear()
        for one in idle:
            one.end()


class _WarmConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that goes back when it is closed in good order."""

    _kept_in: tuple[WarmConnections, str] | None = None

    def keep_in(self, pool: WarmConnections, address: str) -> None:
        self._kept_in = pool, address

    def close(self) -> None:
        if self._kept_in is None or not self._kept_in[0].take_back(self, self._kept_in[1]):
            self.end()

    def end(self) -> None:
        super().close()


@contextmanager
def warm_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmConnections]:
    """Have hosts of this process use them; all are closed in the end."""
    pool = WarmConnections()
    monkeypatch.setattr(threads, "connect", pool.connect)
    try:
        yield pool
    finally:
        pool.end()


def _is_usable(found: _WarmConnection) -> bool:
    """Whether it is alive, as far as is known here, and no transaction is open in it."""
    try:
        for _ in range(2):
            found.pgconn.consume_input()
    except psycopg.Error:
        return False
    is_idle = found.info.transaction_status is TransactionStatus.IDLE
    return is_idle and found.pgconn.status == ConnStatus.OK
