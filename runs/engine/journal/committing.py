"""Transaction of a batch of the group commit: what is written of each journal, in which order."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from runs.engine.journal.batches import BatchVerdict, Slice, advanced, closed, verdict_of
from runs.engine.store import journals
from runs.engine.store.connection import Database, columns, transaction

MISSES_BEFORE_DOUBT: Final = 20


def _store_nothing(_: Database) -> None:
    """Stand in where nothing is counted."""


def write_batch(
    connection: Database, batch: Sequence[Slice], stored: Callable[[Database], None] = _store_nothing
) -> tuple[BatchVerdict, set[UUID]]:
    """Write a batch in one transaction, and what ``stored`` writes besides.

    Returns:
        What became of each slice, and which missing runs are gone.
    """
    with connection.pipeline(), transaction(connection):
        locked = journals.lock_runs(connection, [piece.run_id for piece in batch])
        verdict = verdict_of(batch, locked)
        _veto(connection, verdict, locked)
        _send(connection, verdict)
        stored(connection)
    return verdict, _find_gone(connection, verdict.missed)


def _find_gone(connection: Database, missed: Sequence[Slice]) -> set[UUID]:
    """Tell which of the runs that were missing again and again do not exist any more."""
    doubtful = [piece.run_id for piece in missed if piece.journal.misses >= MISSES_BEFORE_DOUBT]
    if not doubtful:
        return set()
    return set(doubtful) - journals.runs_still_there(connection, doubtful)


def _veto(connection: Database, verdict: BatchVerdict, locked: dict[UUID, journals.LockedRun]) -> None:
    """Keep what has a command waiting from being closed."""
    asked = [
        piece
        for piece in verdict.closed
        if locked[piece.run_id].signals_pending and piece.closing is not None and piece.closing.yields_to_signals
    ]
    if not asked:
        return
    unapplied = journals.unapplied_signals(connection, [piece.run_id for piece in asked])
    for piece in asked:
        left = set() if piece.closing is None else {*piece.closing.leaves}
        if unapplied.get(piece.run_id, set()) - piece.applied.keys() - left:
            verdict.closed.remove(piece)
            verdict.vetoed.append(piece)


def _send(connection: Database, verdict: BatchVerdict) -> None:
    going_on = [*verdict.written, *verdict.vetoed]
    rows = [row for piece in going_on for row in piece.unwritten]
    for piece in verdict.closed:
        rows += piece.unwritten
        if piece.closing is not None and piece.closing.row is not None:
            rows.append(piece.closing.row)
    if rows:
        journals.insert_events(connection, columns(rows))
    if going_on:
        journals.advance_runs(connection, columns([advanced(piece) for piece in going_on]))
    if verdict.closed:
        journals.close_runs(connection, columns([closed(piece) for piece in verdict.closed]))
    side_rows = _side_rows(verdict)
    verdict.has_deliveries = not side_rows.keys().isdisjoint({"deliver", "notify"})
    for statement, side in side_rows.items():
        journals.write_beside(connection, statement, columns(side))
    applied = [(piece.run_id, *command) for piece in going_on for command in piece.taken]
    applied += [(piece.run_id, *command) for piece in verdict.closed for command in piece.applied.items()]
    if applied:
        run_ids, signal_ids, seqs = columns(applied)
        journals.apply_signals(connection, signal_ids=signal_ids, seqs=seqs, run_ids=run_ids)


def _side_rows(verdict: BatchVerdict) -> dict[str, list[tuple[Any, ...]]]:
    """Collect what goes along with the events, by statement; ordered, as every multi-row lock is taken in order."""
    rows = [row for piece in (*verdict.written, *verdict.vetoed, *verdict.closed) for row in piece.unwritten_side]
    rows += [row for piece in verdict.closed if piece.closing is not None for row in piece.closing.side]
    found: dict[str, list[tuple[Any, ...]]] = {}
    for _, statement, values in rows:
        found.setdefault(statement, []).append(values)
    return {statement: found[statement] for statement in journals.SIDE if statement in found}
