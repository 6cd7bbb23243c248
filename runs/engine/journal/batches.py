"""Batches of the group commit: the part each journal gives, and the verdict on each part. Pure."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kernel.ids import new_id
from runs.core.events import EventType
from runs.engine.journal.journal import Closing, Journal, Row, SideRow
from runs.engine.store.journals import LockedRun

log = logging.getLogger(__name__)

PROGRESS = frozenset({EventType.STEP_COMPLETED.value, EventType.STEP_FAILED.value})


@dataclass(slots=True)
class Slice:
    """Part of one journal in one batch; ``base`` is the position Postgres must have for it to fit."""

    journal: Journal
    run_id: UUID
    rows: list[Row]
    unwritten: list[Row]
    base: int
    last_seq: int
    size: int
    digest: bytes
    buffered: int
    closing: Closing | None
    taken: list[tuple[int, int]]
    side: list[SideRow]
    unwritten_side: list[SideRow]
    activations: int
    active: int
    usage: str | None

    @classmethod
    def of(cls, journal: Journal) -> "Slice":
        """Take everything a journal has recorded so far."""
        return cls(
            journal=journal,
            run_id=journal.run_id,
            rows=(rows := list(journal.rows)),
            unwritten=rows,
            base=journal.committed_seq,
            last_seq=journal.seq,
            size=journal.size,
            digest=journal.digest,
            buffered=journal.buffered,
            closing=journal.closing,
            taken=list(journal.taken),
            side=(side := list(journal.side)),
            unwritten_side=side,
            activations=journal.activations,
            active=journal.active,
            usage=journal.usage,
        )

    @property
    def progress(self) -> bool:
        """Whether it tells of an outcome."""
        return any(row[3] in PROGRESS for row in self.rows)

    @property
    def applied(self) -> dict[int, int]:
        """The commands this slice takes, each with the number of the event that takes it."""
        applied = dict(self.taken)
        if self.closing is not None:
            applied |= dict.fromkeys(self.closing.signal_ids, self.closing.last_seq)
        return applied

    @property
    def final_seq(self) -> int:
        """The number Postgres has once this is committed with its closing."""
        return self.last_seq + (self.closing is not None and self.closing.row is not None)


@dataclass(slots=True)
class BatchVerdict:
    """Results of the slices of one batch, if its transaction commits."""

    written: list[Slice] = field(default_factory=list)
    closed: list[Slice] = field(default_factory=list)
    vetoed: list[Slice] = field(default_factory=list)
    lost: list[Slice] = field(default_factory=list)
    missed: list[Slice] = field(default_factory=list)
    known: list[Slice] = field(default_factory=list)
    has_deliveries: bool = False


def verdict_of(batch: Sequence[Slice], locked: Mapping[UUID, LockedRun]) -> BatchVerdict:
    """Say for each slice whether it fits what Postgres has, under the locks of the batch's transaction."""
    verdict = BatchVerdict()
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


def _judge_doubtful(piece: Slice, found_seq: int, verdict: BatchVerdict) -> None:
    """Place a slice of which an earlier COMMIT got through, wholly or in part, while its answer did not."""
    if not piece.base < found_seq <= piece.final_seq:
        log.error("run %s has %d events, not the %d written here", piece.run_id, found_seq, piece.base)
        verdict.lost.append(piece)
    elif found_seq > piece.last_seq:
        verdict.known.append(piece)
    else:
        piece.unwritten = piece.unwritten[found_seq - piece.base :]
        piece.unwritten_side = [row for row in piece.unwritten_side if row[0] > found_seq]
        (verdict.written if piece.closing is None else verdict.closed).append(piece)


def advanced(piece: Slice) -> tuple[Any, ...]:
    """Write the row of a run that goes on, as ``store.journals.ADVANCE`` takes it."""
    return (
        piece.run_id,
        piece.last_seq,
        piece.size,
        piece.digest,
        piece.activations,
        piece.active,
        piece.progress,
        piece.usage,
    )


def closed(piece: Slice) -> tuple[Any, ...]:
    """Write the row of a run that is given up, as ``store.journals.CLOSE`` takes it; one that is over has an entry."""
    run_id, last_seq, size, digest, activations, active, progress, usage = advanced(piece)
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
        usage,
        str(closing.status),
        closing.output,
        closing.error,
        closing.warnings,
        closing.waiting_for,
        closing.wake_at,
        closing.charged_until,
        new_id() if closing.over else None,
    )
