"""The group commit: one writer a host commits what all its runs have recorded, in one transaction at a time."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from runs.core.events import EventType
from runs.engine.errors import LeaseLost, RunRefused
from runs.engine.journal import Closing, Journal, Row
from runs.engine.store import journals
from runs.engine.store.connection import AsyncDatabase, connect, transaction
from runs.notices import Advance

log = logging.getLogger(__name__)

BATCH_EVENTS = 5_000
BATCH_BYTES = 16 * 1024 * 1024
MISSES_BEFORE_DOUBT = 20
FIRST_PAUSE_SECONDS = 0.005
LOCKED_PAUSE_SECONDS = 0.05
AWAY_PAUSE_SECONDS = 1.0
"""Longest pauses before another try, by what was in the way: others' locks, or a database that is away."""
PROGRESS = frozenset({EventType.STEP_COMPLETED.value, EventType.STEP_FAILED.value})


@dataclass(slots=True)
class Slice:
    """What one batch takes of one journal; ``base`` is what Postgres must have for it to fit."""

    journal: Journal
    rows: list[Row]
    unwritten: list[Row]
    base: int
    last_seq: int
    size: int
    digest: bytes
    buffered: int
    closing: Closing | None

    @classmethod
    def of(cls, journal: Journal) -> "Slice":
        """Take everything a journal has recorded so far."""
        return cls(
            journal=journal,
            rows=(rows := list(journal.rows)),
            unwritten=rows,
            base=journal.committed_seq,
            last_seq=journal.seq,
            size=journal.size,
            digest=journal.digest,
            buffered=journal.buffered,
            closing=journal.closing,
        )

    @property
    def run_id(self) -> UUID:
        """The run."""
        return self.journal.run_id

    @property
    def final_seq(self) -> int:
        """The number Postgres has once this is committed with its closing."""
        return self.last_seq + (self.closing is not None and self.closing.row is not None)


@dataclass(slots=True)
class Verdict:
    """What becomes of the slices of one batch, if its transaction commits."""

    written: list[Slice] = field(default_factory=list)
    closed: list[Slice] = field(default_factory=list)
    vetoed: list[Slice] = field(default_factory=list)
    lost: list[Slice] = field(default_factory=list)
    missed: list[Slice] = field(default_factory=list)
    known: list[Slice] = field(default_factory=list)


class Writer:
    """Commits the journals of one host; the only one that writes them.

    What piles up during one commit is the next batch: no timer, no configuration. A run whose epoch has passed loses
    alone; a run whose row is locked by somebody else goes to the next batch; a run whose data Postgres refuses fails
    alone. While the database is away everything waits here, and nothing is lost or written twice: a batch whose
    COMMIT got no answer is compared with what Postgres has, under the run's lock, before it is sent again.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.largest_batch = 0
        self.tell: Callable[[Advance], None] = _tell_nobody
        self._dirty: dict[UUID, Journal] = {}
        self._wake = asyncio.Event()
        self._connection: AsyncDatabase | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to write, in the running event loop."""
        self._task = asyncio.create_task(self._write_forever(), name="journal writer")

    async def stop(self) -> None:
        """Write what is recorded, then end; when the database is away, end without."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=5)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._disconnect()

    def submit(self, journal: Journal) -> None:
        """Have everything recorded so far written soon."""
        self._dirty[journal.run_id] = journal
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
            await self._wake.wait()
            self._wake.clear()
            while self._dirty:
                longest = await self._write(self._take())
                pause = min(longest, pause * 2 or FIRST_PAUSE_SECONDS)
                if pause:
                    await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads retries
            if self._stopping:
                return

    def _take(self) -> list[Slice]:
        batch: list[Slice] = []
        events = size = 0
        for run_id in list(self._dirty):
            journal = self._dirty[run_id]
            if batch and (events + len(journal.rows) > BATCH_EVENTS or size + journal.buffered > BATCH_BYTES):
                break
            del self._dirty[run_id]
            batch.append(Slice.of(journal))
            events += len(journal.rows)
            size += journal.buffered
        self.largest_batch = max(self.largest_batch, len(batch))
        return batch

    async def _write(self, batch: list[Slice]) -> float:
        """Write a batch; return the longest pause before the next: 0 when something came of this one."""
        try:
            if self._connection is None:
                self._connection = await connect("writer")
            verdict = await self._write_in_one_transaction(self._connection, batch)
            gone = await self._find_gone(self._connection, verdict.missed)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            return await self._bisect(batch, error)
        except (psycopg.Error, OSError) as error:
            log.warning("the journal cannot be written now (%d runs wait): %s", len(batch), error)
            await self._disconnect()
            for piece in batch:
                self._dirty.setdefault(piece.run_id, piece.journal)
            return AWAY_PAUSE_SECONDS
        self.batches += 1
        self._settle(verdict, gone)
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

    async def _write_in_one_transaction(self, connection: AsyncDatabase, batch: list[Slice]) -> Verdict:
        async with connection.pipeline(), transaction(connection):
            locked = await journals.lock_runs(connection, [piece.run_id for piece in batch])
            verdict = _judge(batch, locked)
            await _veto(connection, verdict, locked)
            await _send(connection, verdict)
        return verdict

    async def _find_gone(self, connection: AsyncDatabase, missed: Sequence[Slice]) -> set[UUID]:
        """Tell which of the runs that were missing again and again do not exist any more."""
        doubtful = [piece.run_id for piece in missed if piece.journal.misses >= MISSES_BEFORE_DOUBT]
        if not doubtful:
            return set()
        return set(doubtful) - await journals.runs_still_there(connection, doubtful)

    def _settle(self, verdict: Verdict, gone: set[UUID]) -> None:
        for piece in (*verdict.written, *verdict.closed, *verdict.vetoed, *verdict.known):
            _committed(piece)
        for piece in verdict.vetoed:
            _answer(piece, closed=False)
        for piece in (*verdict.closed, *verdict.known):
            _answer(piece, closed=True)
        for piece in verdict.lost:
            _lose(piece.journal)
        for piece in verdict.missed:
            piece.journal.misses += 1
            if piece.run_id in gone:
                _lose(piece.journal)
            else:
                self.submit(piece.journal)
        for piece in (*verdict.written, *verdict.vetoed):
            self.tell(Advance(piece.journal.tenant_id, piece.run_id, piece.last_seq, None))
        for piece in (*verdict.closed, *verdict.known):
            status = None if piece.closing is None else str(piece.closing.status)
            self.tell(Advance(piece.journal.tenant_id, piece.run_id, piece.final_seq, status))

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _tell_nobody(advance: Advance) -> None:
    """Stand in until somebody wants to be told of what is committed; whatever does must be quick and never fail."""


def _judge(batch: Sequence[Slice], locked: dict[UUID, journals.LockedRun]) -> Verdict:
    verdict = Verdict()
    for piece in batch:
        found = locked.get(piece.run_id)
        if found is None:
            verdict.missed.append(piece)
        elif found.epoch != piece.journal.epoch:
            verdict.lost.append(piece)
        elif found.last_seq == piece.base:
            (verdict.written if piece.closing is None else verdict.closed).append(piece)
        else:
            _judge_doubtful(piece, found.last_seq, verdict)
    return verdict


def _judge_doubtful(piece: Slice, found_seq: int, verdict: Verdict) -> None:
    """Place a slice of which an earlier COMMIT got through, wholly or in part, while its answer did not."""
    if not piece.base < found_seq <= piece.final_seq:
        log.error("run %s has %d events, not the %d written here", piece.run_id, found_seq, piece.base)
        verdict.lost.append(piece)
    elif found_seq > piece.last_seq:
        verdict.known.append(piece)
    else:
        piece.unwritten = piece.unwritten[found_seq - piece.base :]
        (verdict.written if piece.closing is None else verdict.closed).append(piece)


async def _veto(connection: AsyncDatabase, verdict: Verdict, locked: dict[UUID, journals.LockedRun]) -> None:
    """Keep what has a command waiting from being closed."""
    asked = [
        piece
        for piece in verdict.closed
        if locked[piece.run_id].signals_pending and piece.closing is not None and piece.closing.yields_to_signals
    ]
    if not asked:
        return
    unapplied = await journals.unapplied_signals(connection, [piece.run_id for piece in asked])
    for piece in asked:
        if piece.closing is not None and unapplied.get(piece.run_id, set()).difference(piece.closing.signal_ids):
            verdict.closed.remove(piece)
            verdict.vetoed.append(piece)


async def _send(connection: AsyncDatabase, verdict: Verdict) -> None:
    going_on = [*verdict.written, *verdict.vetoed]
    rows = [row for piece in going_on for row in piece.unwritten]
    for piece in verdict.closed:
        rows += piece.unwritten
        if piece.closing is not None and piece.closing.row is not None:
            rows.append(piece.closing.row)
    if rows:
        await journals.insert_events(connection, _columns(rows))
    if going_on:
        await journals.advance_runs(connection, _columns([_advanced(piece) for piece in going_on]))
    if verdict.closed:
        await journals.close_runs(connection, _columns([_closed(piece) for piece in verdict.closed]))
    applied = [
        (piece.run_id, signal_id, piece.closing.last_seq)
        for piece in verdict.closed
        if piece.closing is not None
        for signal_id in piece.closing.signal_ids
    ]
    if applied:
        run_ids, signal_ids, seqs = _columns(applied)
        await journals.apply_signals(connection, signal_ids=signal_ids, seqs=seqs, run_ids=run_ids)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _advanced(piece: Slice) -> tuple[Any, ...]:
    journal = piece.journal
    progress = any(row[3] in PROGRESS for row in piece.rows)
    return piece.run_id, piece.last_seq, piece.size, piece.digest, journal.activations, journal.active, progress


def _closed(piece: Slice) -> tuple[Any, ...]:
    run_id, last_seq, size, digest, activations, active, progress = _advanced(piece)
    closing = piece.closing
    if closing is None:
        raise TypeError("only a slice with a closing is closed")
    if closing.row is not None:
        last_seq, size, digest = closing.last_seq, closing.size_after, closing.digest_after
    return (
        run_id,
        last_seq,
        size,
        digest,
        activations,
        active,
        progress,
        str(closing.status),
        closing.output,
        closing.error,
        closing.waiting_for,
        closing.wake_at,
        closing.over,
    )


def _committed(piece: Slice) -> None:
    """Move a journal's committed part up to the end of a slice."""
    journal = piece.journal
    journal.misses = 0
    journal.committed_seq, journal.committed_size, journal.committed_digest = piece.last_seq, piece.size, piece.digest
    del journal.rows[: len(piece.rows)]
    journal.buffered -= piece.buffered
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
