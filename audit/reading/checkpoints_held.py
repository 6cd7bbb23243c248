"""Checkpoints held against a stored log: who signed the last one, and what each older one says of it."""

from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Final
from uuid import UUID

from audit.log.checkpoints import CheckpointMalformed, read_checkpoint
from audit.log.tiles import tile_reader
from audit.log.tree import full_subtrees, grown, root
from audit.models import LogCheckpoint, LogVerifier, SealedEntry, TreeNode
from audit.reading.files import LogFiles, scope_of
from audit.reading.runs_held import RunsHeld
from audit.reading.unsealed_held import flaw_of_unsealed
from audit.sealing.growth import log_name
from audit.sealing.keys import trusted_verifiers
from audit.sealing.trust import CheckpointRefused, check_checkpoint
from audit.verifier.signatures import Flaw
from kernel.signed_notes import NoteRefused, read_note

PIECE: Final = 5_000
"""Leaves whose checkpoints are read at once."""


def flaws_of_last(files: LogFiles, tenant_id: UUID | None) -> Iterator[Flaw]:
    """Find what the log's last checkpoint and its keys say that is not so."""
    verifiers = trusted_verifiers(files.log.origin)
    with scope_of(tenant_id):
        rows = list(LogVerifier.objects.filter(log_id=files.log.id).values_list("verifier", flat=True))
        has_more = SealedEntry.objects.filter(log_id=files.log.id, n__gte=files.last.size).exists()
    try:
        check_checkpoint(files.last, files.log.origin, verifiers)
    except CheckpointRefused as refusal:
        yield Flaw(0, "checkpoint", str(refusal))
    if set(rows) - {key.text for key in verifiers}:
        yield Flaw(0, "key", "a key is listed that is none of the installation's")
    if has_more:
        yield Flaw(files.last.size, "checkpoint", "the log has leaves beyond its last checkpoint")


def flaw_of_empty(tenant_id: UUID | None) -> Flaw | None:
    """Tell what shows that a log without a checkpoint has had one, or that entries came to no log."""
    log_id = log_name(tenant_id)
    with scope_of(tenant_id):
        parts = (SealedEntry, TreeNode, LogVerifier, LogCheckpoint)
        if any(part.objects.filter(log_id=log_id).exists() for part in parts):
            return Flaw(0, "checkpoint", "the log's last checkpoint is gone, or its name")
        unsealed = flaw_of_unsealed(tenant_id, 0)
    if unsealed is not None:
        return unsealed
    unrecorded = () if tenant_id is None else RunsHeld(tenant_id, None).unrecorded()
    return next((Flaw(0, "run", said) for said in unrecorded), None)


def flaws_of_older(files: LogFiles, tenant_id: UUID | None, kept: Mapping[int, bytes]) -> Iterator[Flaw]:
    """Find the first older checkpoint of which the log is no continuation, going once through the leaves' hashes.

    Args:
        files: The log.
        tenant_id: Whose log it is.
        kept: Roots by size, of checkpoints that were kept elsewhere.
    """
    vouched, size = files.first, files.last.size
    if kept and max(kept) > size:
        yield Flaw(size, "shrunk", f"the log had {max(kept)} leaves, and has {size}")
    growing = _Growing(files, tenant_id)
    for begin in range(files.first, size, PIECE):
        end = min(begin + PIECE, size)
        with scope_of(tenant_id):
            rows = LogCheckpoint.objects.filter(log_id=files.log.id, size__gt=begin, size__lte=end).order_by("size")
            stored = list(rows.only("size", "root", "note"))
        said = [(row.size, _root_of(row, files.log.origin)) for row in stored]
        said += [(one, told) for one, told in kept.items() if begin < one <= end]
        for one, told in sorted(said, key=itemgetter(0)):
            if told is None or growing.root_at(one) != told:
                yield Flaw(vouched, "history", f"the first {one} leaves are not those of the checkpoint of that size")
                return
            vouched = one


class _Growing:
    """A log that grows by its stored leaves from one size to the next, as it did when it was written."""

    def __init__(self, files: LogFiles, tenant_id: UUID | None) -> None:
        self._log_id = files.log.id
        self._tenant_id = tenant_id
        self._size = files.first
        with scope_of(tenant_id):
            read = tile_reader(files.first, lambda tile: files.require(tile.path))
            self._known = {place: read(*place) for place in full_subtrees(0, files.first)}

    def root_at(self, size: int) -> bytes | None:
        """Give the root at a size that is not below the last one; None where a leaf before it is missing."""
        with scope_of(self._tenant_id):
            leaves = SealedEntry.objects.filter(log_id=self._log_id, n__gte=self._size, n__lt=size).order_by("n")
            hashes = [bytes(one) for one in leaves.values_list("hash", flat=True)] if size > self._size else []
        if len(hashes) != size - self._size:
            return None
        self._known.update(grown(self._size, hashes, self._read))
        self._known = {place: self._known[place] for place in full_subtrees(0, size)}
        self._size = size
        return root(size, self._read)

    def _read(self, level: int, index: int) -> bytes:
        return self._known[level, index]


def _root_of(checkpoint: LogCheckpoint, origin: str) -> bytes | None:
    """Give the root a stored checkpoint tells; None where row and note differ."""
    try:
        state = read_checkpoint(read_note(checkpoint.note).text)
    except (NoteRefused, CheckpointMalformed):
        return None
    is_same = (state.origin, state.size, state.root) == (origin, checkpoint.size, bytes(checkpoint.root))
    return state.root if is_same else None
