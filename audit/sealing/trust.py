"""Trust in a stored checkpoint: a log goes on only from what the installation's own key has signed.

The sealer knows what it has signed last again by its hash, and verifies none of its own signatures.
"""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from audit.log.checkpoints import CheckpointMalformed, open_checkpoint
from audit.log.tree import root
from audit.models import LogCheckpoint
from audit.sealing.growth import peaks_of
from kernel.bounded_cache import BoundedCache
from kernel.signed_notes import NoteRefused, VerifierKey

KNOWN_LOGS: Final = 10_000
"""Logs of which a process knows its last checkpoint again, by 32 bytes each."""
_known: Final[BoundedCache[UUID, bytes]] = BoundedCache(KNOWN_LOGS)


class CheckpointRefused(Exception):
    """A stored checkpoint is not what was signed; the text says how."""


def keep_in_mind(checkpoint: LogCheckpoint, verifiers: Sequence[VerifierKey]) -> None:
    """Know a checkpoint again that this process has signed with one of these keys, which are all that may sign it."""
    _known.put(checkpoint.log_id, _hash(checkpoint, verifiers))


def is_known(checkpoint: LogCheckpoint, verifiers: Sequence[VerifierKey]) -> bool:
    """Whether a stored checkpoint says, to the last byte, what this process has signed last; none other may sign."""
    return _known.get(checkpoint.log_id) == _hash(checkpoint, verifiers)


def check_checkpoint(checkpoint: LogCheckpoint, origin: str, verifiers: Sequence[VerifierKey]) -> None:
    """Hold a stored checkpoint against its signatures: its log, size, root, time and the peaks that entries go behind.

    Args:
        checkpoint: As it is stored.
        origin: The log's name.
        verifiers: The keys that may have signed it.

    Raises:
        CheckpointRefused: It is not what one of the keys has signed.
    """
    try:
        signed = open_checkpoint(checkpoint.note, verifiers)
    except (NoteRefused, CheckpointMalformed) as refusal:
        raise CheckpointRefused(f"the checkpoint of {checkpoint.size} leaves is not signed: {refusal}") from None
    state = signed.checkpoint
    if (state.origin, state.size, state.root, signed.signed_at) != (
        origin,
        checkpoint.size,
        bytes(checkpoint.root),
        checkpoint.signed_at,
    ):
        raise CheckpointRefused(
            f"the row of the checkpoint of {checkpoint.size} leaves says something else than is signed"
        )
    try:
        known = peaks_of(checkpoint)
        is_of_root = root(state.size, lambda level, index: known[level, index]) == state.root
    except (ValueError, KeyError):
        is_of_root = False
    if not is_of_root:
        raise CheckpointRefused(f"the peaks of the checkpoint of {checkpoint.size} leaves do not make its root")


def _hash(checkpoint: LogCheckpoint, verifiers: Sequence[VerifierKey]) -> bytes:
    """Hash everything that a stored checkpoint says, and who may have signed it."""
    parts = (checkpoint.size, checkpoint.signed_at, checkpoint.note, bytes(checkpoint.root), bytes(checkpoint.peaks))
    return hashlib.sha256(repr((verifiers, *parts)).encode()).digest()
