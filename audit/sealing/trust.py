"""Trust in a stored checkpoint: a log goes on only from what the installation's own key has signed."""

from collections.abc import Sequence

from audit.log.checkpoints import CheckpointMalformed, open_checkpoint
from audit.log.tree import root
from audit.models import LogCheckpoint
from audit.sealing.growth import peaks_of
from kernel.signed_notes import NoteRefused, VerifierKey


class CheckpointRefused(Exception):
    """A stored checkpoint is not what was signed; the text says how."""


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
