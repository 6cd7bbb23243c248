"""Proofs of one leaf (c2sp.org/tlog-proof): a text that verifies offline, with the log's key alone."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from audit.log.checkpoints import SignedCheckpoint, open_checkpoint
from audit.log.tree import HASH_BYTES, leaf_hash, verify_inclusion
from kernel.signed_notes import VerifierKey

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 63
"""Longest way to a root: no log has 2**63 leaves."""


class ProofMalformed(ValueError):
    """A text that is no proof of a leaf."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """Proof that a log has a leaf.

    Attributes:
        index: Place of the leaf.
        hashes: Inclusion proof, from the leaf's sibling on.
        checkpoint: The signed note, as the log wrote it.
        extra: Bytes beside the proof that nothing authenticates; ours are the leaf's own, which its hash does.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    @property
    def text(self) -> str:
        """The proof as a ``.tlog-proof`` file has it."""
        extra = [f"extra {_encoded(self.extra)}"] if self.extra else []
        return "\n".join([HEADER, *extra, f"index {self.index}", *map(_encoded, self.hashes), "", self.checkpoint])


def read_proof(text: str) -> LogProof:
    """Read a ``.tlog-proof`` text. Nothing is verified.

    Raises:
        ProofMalformed: It is none.
    """
    head, parted, checkpoint = text.partition("\n\n")
    header, *lines = head.split("\n")
    if header != HEADER or not parted or not checkpoint:
        raise ProofMalformed(f"A proof begins with {HEADER}, and ends with a blank line and a checkpoint.")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _decoded(lines.pop(0).removeprefix("extra "))
    index = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if not index.isascii() or not index.isdecimal() or str(int(index[:20])) != index:
        raise ProofMalformed("The line of the leaf's index is missing, or is no number in its one spelling.")
    hashes = tuple(_decoded(line) for line in lines[: MAX_HASHES + 1])
    if len(lines) > MAX_HASHES or any(len(one) != HASH_BYTES for one in hashes):
        raise ProofMalformed(f"A proof has at most {MAX_HASHES} hashes, each of {HASH_BYTES} bytes.")
    return LogProof(int(index), hashes, checkpoint, extra)


def open_proof(proof: LogProof, leaf: bytes, verifiers: Iterable[VerifierKey]) -> SignedCheckpoint | None:
    """Verify that a log has a leaf; give the checkpoint that vouches for it, or None if the proof is not of this leaf.

    Args:
        proof: What is said.
        leaf: The leaf's bytes.
        verifiers: Keys of the log.

    Raises:
        NoteRefused: As ``open_checkpoint``.
        CheckpointMalformed: As ``open_checkpoint``.
    """
    signed = open_checkpoint(proof.checkpoint, verifiers)
    log = signed.checkpoint
    included = verify_inclusion(proof.index, log.size, leaf_hash(leaf), proof.hashes, log.root)
    return signed if included else None


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or _encoded(data) != text:
        raise ProofMalformed("A line of the proof is no base64 in its one spelling.")
    return data
