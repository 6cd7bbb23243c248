"""Group commit: one writer a host commits what all its runs have recorded, in one transaction at a time."""

import asyncio
import contextlib
import logging
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any
from uuid import UUID

import psycopg

from kernel.tasks import end_tasks
from runs.bus.advances import Advance
from runs.engine.errors import LeaseLost, RunRefused
from runs.engine.journal.batches import BatchVerdict, Slice
from runs.engine.journal.committing import write_batch
from runs.engine.journal.journal import Closing, Journal
from runs.engine.journal.storage import WRITTEN_SECONDS, StoredBytes
from runs.engine.store.threads import DatabaseThreads
from runs.metrics import JOURNAL_COMMITS, RUNS_GIVEN_UP

log = logging.getLogger(__name__)

BATCH_EVENTS = 2_000
BATCH_BYTES = 4 * 1024 * 1024
"""Of one transaction, save where a single journal has more."""
TENANT_EVENTS = 250
TENANT_BYTES = 256 * 1024
"""The same of each tenant where several have runs: whoever comes while a batch is written waits for all of it."""
KEPT_TENANTS = 4_096
FIRST_PAUSE_SECONDS = 0.005
LOCKED_PAUSE_SECONDS = 0.05
AWAY_PAUSE_SECONDS = 1.0
"""Longest pauses before another try, by what was in the way: others' locks, or a database that is away."""


class Writer:
    """Commits the journals of one host; the only one that writes them.

    What piles up during one commit is the next batch, tenants in turn: no timer, no configuration. A run whose epoch
    has passed loses alone; a run whose row is locked by somebody else goes to the next batch; a run whose data Postgres
    refuses fails alone. While the database is away everything waits here, and nothing is lost or written twice: a batch
    whose COMMIT got no answer is compared with what Postgres has, under the run's lock, before it is sent again.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.largest_batch = 0
        self.publish: Callable[[Advance], None] = _publish_to_nobody
        self.ring_deliverer: Callable[[], None] = _ring_no_bell
        self.is_shared: Callable[[], bool] = _is_not_shared
        # By object, not by run: a host that lost a run and claimed it again has two journals of it for a moment.
        self._dirty: dict[int, Journal] = {}
        # By the tenants' numbers: the last batch that had something of theirs.
        self._last_batches: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._stored = StoredBytes()
        self._database = DatabaseThreads("writer")
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to write, in the running event loop."""
        self._database.start()
        self._task = asyncio.create_task(self._write_forever(), name="journal writer")

    async def stop(self) -> None:
        """Write what is recorded, then end; when the database is away, end without."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=5)
            await end_tasks([self._task])
        await self._database.stop()

    def submit(self, journal: Journal) -> None:
        """Have everything recorded so far written soon."""
        self._dirty[id(journal)] = journal
        self._wake.set()

    async def commit(self, journal: Journal) -> None:
        """Return when everything recorded so far is committed.

        Raises:
            LeaseLost: The run belongs to somebody else.
            RunRefused: Postgres refused it; the journal holds nothing uncommitted any more.
        """
        if journal.trouble is not None:
            raise journal.trouble
        if journal.committed_seq >= journal.seq:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        journal.waiters.append((journal.seq, done))
        self.submit(journal)
        await done

    async def close(self, journal: Journal, closing: Closing) -> bool:
        """Commit everything, and give the run up.

        Returns:
            False when a command came first: what was recorded is committed, the run is still owned, its inbox is to
            be read.

        Raises:
            LeaseLost: As for ``commit``.
            RunRefused: As for ``commit``.
        """
        if journal.trouble is not None:
            raise journal.trouble
        closing.done = asyncio.get_running_loop().create_future()
        journal.closing = closing
        self.submit(journal)
        return await closing.done

    async def _write_forever(self) -> None:
        pause = 0.0
        while True:
            await self._wait_for_work()
            self._wake.clear()
            while self._dirty:
                longest = await self._write(self._take())
                pause = min(longest, pause * 2 or FIRST_PAUSE_SECONDS)
                if pause:
                    await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads retries
            if self._stopping:
                await self._write_stored()
                return

    async def _wait_for_work(self) -> None:
        """Return when there is something to write. Meanwhile what is counted and goes with no batch is written."""
        while not (self._wake.is_set() or self._stored.is_empty):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WRITTEN_SECONDS):
                    await self._wake.wait()
            if not self._wake.is_set():
                await self._write_stored()
        await self._wake.wait()

    async def _write_stored(self) -> None:
        taken = self._stored.take_due(at_once=True)
        if not taken:
            return
        try:
            await self._database.ask(partial(write_batch, batch=(), stored=partial(self._stored.write, taken=taken)))
        except (psycopg.Error, OSError):
            self._stored.give_back(taken)

    def _take(self) -> list[Slice]:
        """Take the next batch; of a tenant whose next journal does not fit all that are left wait, others' go."""
        is_shared = self.is_shared()
        whole = _Room(BATCH_EVENTS, BATCH_BYTES)
        rooms: defaultdict[int, _Room] = defaultdict(lambda: _Room(TENANT_EVENTS, TENANT_BYTES))
        batch: list[Slice] = []
        for key, journal in self._in_turn():
            tenant = journal.tenant_id.int
            own = rooms[tenant] if is_shared else whole
            if not own.has_place(journal) or not (own is whole or whole.has_place(journal)):
                own.is_full = True
                continue
            del self._dirty[key]
            batch.append(Slice.of(journal))
            whole.take(journal)
            if is_shared:
                own.take(journal)
            self._last_batches[tenant] = self.batches
        if len(self._last_batches) > KEPT_TENANTS:
            self._last_batches.clear()
        self.largest_batch = max(self.largest_batch, len(batch))
        return batch

    def _in_turn(self) -> list[tuple[int, Journal]]:
        """Give the journals of tenants in turn, each tenant's in their order.

        The tenant whose last batch is longest ago goes first: its journals wait for one batch of another's at most,
        however many of those are larger than what fits beside them.
        """
        if not _are_of_several(self._dirty):
            return list(self._dirty.items())
        by_tenant: dict[int, list[tuple[int, Journal]]] = {}
        for key, journal in self._dirty.items():
            by_tenant.setdefault(journal.tenant_id.int, []).append((key, journal))
        tenants = sorted(by_tenant, key=lambda one: self._last_batches.get(one, -1))
        turns = zip_longest(*(by_tenant[one] for one in tenants))
        return [entry for turn in turns for entry in turn if entry is not None]

    async def _write(self, batch: list[Slice]) -> float:
        """Write a batch; return the longest pause before the next: 0 when something came of this one."""
        taken = self._stored.take_due()
        stored = partial(self._stored.write, taken=taken)
        try:
            verdict, gone = await self._database.ask(partial(write_batch, batch=batch, stored=stored))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if taken:  # they may be at fault, and no run is to fail by them: they are not due again now
                self._stored.give_back(taken)
                return await self._write(batch)
            return await self._bisect(batch, error)
        except (psycopg.Error, OSError, MemoryError) as error:
            self._stored.give_back(taken)
            log.warning("the journal cannot be written now (%d runs wait): %s", len(batch), error)
            for piece in batch:
                self.submit(piece.journal)
            return AWAY_PAUSE_SECONDS
        self.batches += 1
        self._stored.count(verdict)
        JOURNAL_COMMITS.inc()
        self._settle(verdict, gone)
        if verdict.has_deliveries:
            self.ring_deliverer()
        return LOCKED_PAUSE_SECONDS if len(verdict.missed) == len(batch) else 0.0

    async def _bisect(self, batch: list[Slice], error: psycopg.Error) -> float:
        if len(batch) > 1:
            middle = len(batch) // 2
            return min(await self._write(batch[:middle]), await self._write(batch[middle:]))
        journal = batch[0].journal
        log.error("Postgres refused what run %s recorded: %s", journal.run_id, type(error).__name__)
        closing = journal.closing
        journal.refuse()
        _trouble(journal, closing, RunRefused())
        return 0.0

    def _settle(self, verdict: BatchVerdict, gone: set[UUID]) -> None:
        for piece in (*verdict.written, *verdict.closed, *verdict.vetoed, *verdict.known):
            _committed(piece)
        for piece in verdict.vetoed:
            _answer(piece, closed=False)
        for piece in (*verdict.closed, *verdict.known):
            _answer(piece, closed=True)
        for piece in verdict.lost:
            _lose(piece.journal)
        for piece in verdict.missed:
            self._miss(piece.journal, is_gone=piece.run_id in gone)
        for piece in (*verdict.written, *verdict.vetoed):
            self.publish(Advance(piece.journal.tenant_id, piece.run_id, piece.last_seq, None))
        for piece in (*verdict.closed, *verdict.known):
            status = None if piece.closing is None else str(piece.closing.status)
            RUNS_GIVEN_UP.labels(status).inc()
            self.publish(Advance(piece.journal.tenant_id, piece.run_id, piece.final_seq, status))

    def _miss(self, journal: Journal, *, is_gone: bool) -> None:
        journal.misses += 1
        if is_gone:
            _lose(journal)
        else:
            self.submit(journal)


@dataclass(slots=True, eq=False)
class _Room:
    """Room in a batch; its first journal has one whatever its size."""

    events: int
    size: int
    is_empty: bool = True
    is_full: bool = False

    def has_place(self, journal: Journal) -> bool:
        fits = len(journal.rows) <= self.events and journal.buffered <= self.size
        return not self.is_full and (self.is_empty or fits)

    def take(self, journal: Journal) -> None:
        self.events -= len(journal.rows)
        self.size -= journal.buffered
        self.is_empty = False


def _are_of_several(dirty: Mapping[int, Journal]) -> bool:
    known = None
    for journal in dirty.values():
        tenant = journal.tenant_id.int
        if known is not None and tenant != known:
            return True
        known = tenant
    return False


def _publish_to_nobody(advance: Advance) -> None:
    """Stand in until somebody wants to be told of what is committed; whatever does must be quick and never fail."""


def _ring_no_bell() -> None:
    """Stand in until somebody delivers what was inserted; whatever does must be quick and never fail."""


def _is_not_shared() -> bool:
    """Stand in until somebody says whether runs of several tenants are here."""
    return False


def _committed(piece: Slice) -> None:
    """Move a journal's committed part up to the end of a slice."""
    journal = piece.journal
    journal.misses = 0
    if not journal.has_progressed:
        journal.has_progressed = piece.progress
    journal.committed_seq, journal.committed_size, journal.committed_digest = piece.last_seq, piece.size, piece.digest
    del journal.rows[: len(piece.rows)]
    del journal.taken[: len(piece.taken)]
    del journal.side[: len(piece.side)]
    journal.buffered -= piece.buffered
    journal.hold(-piece.buffered)
    still_waiting = []
    for seq, done in journal.waiters:
        if seq > piece.last_seq:
            still_waiting.append((seq, done))
        elif not done.done():
            done.set_result(None)
    journal.waiters = still_waiting


def _answer(piece: Slice, *, closed: bool) -> None:
    closing = piece.closing
    if closing is None:
        return
    piece.journal.closing = None
    if closing.done is not None and not closing.done.done():
        closing.done.set_result(closed)


def _lose(journal: Journal) -> None:
    closing, journal.closing = journal.closing, None
    _trouble(journal, closing, LeaseLost())


def _trouble(journal: Journal, closing: Closing | None, error: Exception) -> None:
    journal.trouble = error
    waiting: list[asyncio.Future[Any]] = [done for _, done in journal.waiters]
    journal.waiters = []
    if closing is not None and closing.done is not None:
        waiting.append(closing.done)
    for done in waiting:
        if not done.done():
            done.set_exception(error)
    if journal.notify is not None:
        journal.notify()
