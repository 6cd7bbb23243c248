"""Bytes of journals by tenant: counted in the host's memory, written with a batch of the group commit now and then."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from kernel.ids import new_id
from runs.engine.journal.batches import BatchVerdict, Slice
from runs.engine.store import storage
from runs.engine.store.connection import Database

WRITTEN_SECONDS: Final = 0.5
"""Time for which bytes are counted before they are written: most batches write none."""


class StoredBytes:
    """Counts what this host's batches have added; its rows are nobody else's, so no writer waits for another."""

    def __init__(self) -> None:
        self._source = new_id()
        self._waiting: Counter[UUID] = Counter()
        self._written_at = time.monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether everything is written."""
        return not self._waiting

    def count(self, verdict: BatchVerdict) -> None:
        """Count what a batch that is committed has added; to be called before its journals move up."""
        for piece in (*verdict.written, *verdict.vetoed):
            self._waiting[piece.journal.tenant_id] += piece.size - piece.journal.committed_size
        for piece in (*verdict.closed, *verdict.known):
            self._waiting[piece.journal.tenant_id] += _size_after(piece) - piece.journal.committed_size

    def take_due(self, *, at_once: bool = False) -> Mapping[UUID, int]:
        """Take what is to be written now, by tenant; ``give_back`` it where it was not."""
        if not self._waiting or not (at_once or time.monotonic() - self._written_at > WRITTEN_SECONDS):
            return {}
        taken, self._waiting, self._written_at = self._waiting, Counter(), time.monotonic()
        return taken

    def give_back(self, taken: Mapping[UUID, int]) -> None:
        """Count again what was taken and not written."""
        self._waiting.update(taken)

    def write(self, connection: Database, taken: Mapping[UUID, int]) -> None:
        """Add what was taken to this host's rows, in the open transaction."""
        if taken:
            storage.add_bytes(connection, self._source, taken)


def _size_after(piece: Slice) -> int:
    closing = piece.closing
    return piece.size if closing is None or closing.row is None else closing.size_after
