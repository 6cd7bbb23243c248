"""Checkpoints of a log (c2sp.org/tlog-checkpoint): its size and root, signed by its key, with the time of signing.

A checkpoint is a signed note of three lines: the log's origin, its size, its root. The first signature is the log's
key's, whose name is the origin. The second is the log's own timestamped cosignature (c2sp.org/tlog-cosignature,
``cosignature/v1``) under the name ``<origin>/time``: it signs when this was the log.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.log.tree import HASH_BYTES
from kernel.signed_notes import (
    KEY_ID_BYTES,
    NoteSignature,
    NoteSigner,
    NoteUnsigned,
    VerifierKey,
    open_note,
    sign_note,
)

COSIGNATURE: Final = b"\x04"
"""Type of signature: timestamped Ed25519 over a checkpoint."""
KEPT_SIGNERS: Final = 4_096
"""Keys of logs that a process keeps, rather than derive them for every batch."""
_TIME_BYTES: Final = 8
_LATEST: Final = 2**63 - 1


class CheckpointMalformed(ValueError):
    """A text that is no checkpoint."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a log.

    Attributes:
        origin: Name of the log, as a URL without its scheme.
        size: Number of leaves.
        root: Root of their tree.
    """

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature was verified.

    Attributes:
        checkpoint: What was signed.
        signed_at: Second since 1970 that the cosignature signs; None where it has none of ours.
    """

    checkpoint: Checkpoint
    signed_at: int | None


@dataclass(frozen=True, slots=True)
class TimeKey:
    """Public key of a log's timestamped cosignatures: the log's own key under the name ``<origin>/time``."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that cosignatures of this key begin with; others than those of the log's signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + COSIGNATURE + self.public_key).digest()[:KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as others take it."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(COSIGNATURE + self.public_key).decode()}"

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether a signature is of this key, for this text and the time it carries."""
        signed_at = _time_of(signature)
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(
                signature[_TIME_BYTES:], _cosigned(text, signed_at)
            )
        except InvalidSignature:
            return False
        return signed_at <= _LATEST


@lru_cache(maxsize=KEPT_SIGNERS)
def log_signer(secret: bytes, origin: str) -> NoteSigner:
    """Derive the key of one log from the installation's secret (HKDF-SHA256, bound to the origin).

    Every log has a key of its own: a cosignature does not sign the name of its key, so no two logs may share one.

    Args:
        secret: At least 32 bytes from the system's randomness.
        origin: The log's name, and the key's.
    """
    if len(secret) < HASH_BYTES:
        raise ValueError(f"the secret of logs has at least {HASH_BYTES} bytes")
    seed = HKDF(algorithm=SHA256(), length=HASH_BYTES, salt=None, info=b"audit log\n" + origin.encode()).derive(secret)
    return NoteSigner(origin, seed)


def time_key(verifier: VerifierKey) -> TimeKey:
    """Give the key of a log's cosignatures; whoever has the log's key has it."""
    return TimeKey(f"{verifier.name}/time", verifier.public_key)


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner, *, signed_at: int) -> str:
    """Write a checkpoint as a note with the log's signature and its timestamped cosignature.

    Args:
        checkpoint: State of the log.
        signer: The log's key; its name is the origin.
        signed_at: Second since 1970; not before that of any entry, nor before that of an earlier checkpoint.

    Raises:
        ValueError: The key is another log's.
    """
    if signer.name != checkpoint.origin:
        raise ValueError(f"the key of {signer.name} does not sign for {checkpoint.origin}")
    cosigner = time_key(signer.verifier)
    signature = Ed25519PrivateKey.from_private_bytes(signer.seed).sign(_cosigned(checkpoint.text, signed_at))
    stamp = signed_at.to_bytes(_TIME_BYTES, "big")
    return sign_note(checkpoint.text, signer) + NoteSignature(cosigner.name, cosigner.key_id, stamp + signature).line


def open_checkpoint(note: str | bytes, verifiers: Iterable[VerifierKey]) -> SignedCheckpoint:
    """Read a checkpoint that one of a log's keys has signed.

    Raises:
        NoteRefused: It is no note, none of the keys has signed it, or a signature under one of them, the
            cosignature included, is forged.
        CheckpointMalformed: The note is no checkpoint, has extension lines, or its origin is not the key's name.
    """
    keys = list(verifiers)
    opened = open_note(note, [*keys, *map(time_key, keys)])
    checkpoint = read_checkpoint(opened.text)
    signed = {(one.name, one.key_id): one.signature for one in opened.signatures}
    signers = [key for key in keys if (key.name, key.key_id) in signed]
    if not signers:
        raise NoteUnsigned("No key that is known here has signed the checkpoint, only its time.")
    if checkpoint.origin not in {key.name for key in signers}:
        raise CheckpointMalformed("The checkpoint is of another log than its key.")
    stamps = [signed[one.name, one.key_id] for one in map(time_key, keys) if (one.name, one.key_id) in signed]
    return SignedCheckpoint(checkpoint, max(map(_time_of, stamps), default=None))


def read_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint's note. Nothing is verified.

    Raises:
        CheckpointMalformed: It is none, or has extension lines.
    """
    origin, size, encoded, *rest = [*text.split("\n"), "", "", ""]
    root = _hash_or_none(encoded)
    is_number = size.isascii() and size.isdecimal() and str(int(size[:20])) == size
    if rest != ["", "", "", ""] or not origin or not is_number or root is None:
        raise CheckpointMalformed("A checkpoint has three lines: origin, size and root.")
    return Checkpoint(origin, int(size), root)


def _hash_or_none(encoded: str) -> bytes | None:
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) == HASH_BYTES and base64.b64encode(data).decode() == encoded else None


def _cosigned(text: str, signed_at: int) -> bytes:
    return f"cosignature/v1\ntime {signed_at}\n{text}".encode()


def _time_of(signature: bytes) -> int:
    return int.from_bytes(signature[:_TIME_BYTES], "big")
