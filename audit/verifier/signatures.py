"""Keys and checkpoints, verified: who signed which state of a log, and when."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519_KIND: Final = 1
TIME_KIND: Final = 4
_CHECKPOINT: Final = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+=*)")


class Flaw(Exception):
    """Something that does not verify.

    Attributes:
        n: The first leaf that nothing vouches for.
        kind: A word for what is wrong.
        detail: The same as a sentence.
    """

    def __init__(self, n: int, kind: str, detail: str) -> None:
        """Keep what is wrong."""
        super().__init__(detail)
        self.n, self.kind, self.detail = n, kind, detail


@dataclass(frozen=True)
class LogKey:
    """Public key of a log: its name, which is the log's, and 32 bytes."""

    name: str
    public: bytes

    def signs(self, name: str, key_id: bytes, kind: int) -> bool:
        """Whether a signature of a kind says that it is this key's."""
        own = self.name + ("/time" if kind == TIME_KIND else "")
        return name == own and key_id == hashlib.sha256(own.encode() + bytes([10, kind]) + self.public).digest()[:4]

    def verify(self, signature: bytes, message: str) -> None:
        """Hold a signature against what it signs.

        Raises:
            Flaw: It is not of this key, or not for this text.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message.encode())
        except InvalidSignature:
            raise Flaw(0, "signature", "a signature under the log's key is not of this checkpoint") from None


@dataclass(frozen=True)
class Head:
    """A verified checkpoint: the log's name, size and root, and the second at which it was signed."""

    log: str
    size: int
    root: bytes
    signed_at: int


def read_keys(text: str) -> list[LogKey]:
    """Read verifier keys, one a line.

    Raises:
        ValueError: A line is none, or there is no line.
    """
    keys = []
    for line in text.split():
        name, key_id, encoded = [*line.split("+", 2), "", ""][:3]
        data = unbase64(encoded)
        key = LogKey(name, data[1:])
        if len(data) != 33 or data[0] != ED25519_KIND or not key.signs(name, bytes.fromhex(key_id), ED25519_KIND):
            raise ValueError("a verifier key has the form name+id+base64, and its id belongs to name and bytes")
        keys.append(key)
    if not keys:
        raise ValueError("no verifier key was given")
    return keys


def open_checkpoint(note: bytes, keys: Iterable[LogKey]) -> Head:
    """Verify a checkpoint: a signature of one of the keys, the signed time, and that it is of this key's log.

    Raises:
        Flaw: One of them does not hold.
    """
    text, parted, lines = note.decode("utf-8", "replace").rpartition("\n\n")
    text += "\n"
    found = _CHECKPOINT.fullmatch(text)
    signatures = [_SIGNATURE.fullmatch(line) for line in lines.removesuffix("\n").split("\n")]
    if not found or not parted or not lines.endswith("\n") or not all(signatures):
        raise Flaw(0, "checkpoint", "the checkpoint is missing, or is no signed note of three lines")
    signers, times = _verified(text, [line.groups() for line in signatures if line], keys)
    if not signers:
        raise Flaw(0, "key", "none of the keys has signed the checkpoint")
    if found[1] not in signers:
        raise Flaw(0, "log", f"the checkpoint is of the log {found[1]}, and its key is not")
    if not times:
        raise Flaw(0, "time", "the checkpoint has no signed time")
    return Head(found[1], int(found[2]), unbase64(found[3]), max(times))


def _verified(text: str, signatures: Iterable[tuple[str, ...]], keys: Iterable[LogKey]) -> tuple[set[str], list[int]]:
    """Verify the signatures of known keys, and pass over others; give the names of the logs and the signed times."""
    signers: set[str] = set()
    times: list[int] = []
    for name, encoded in signatures:
        data = unbase64(encoded)
        for key in keys:
            if key.signs(name, data[:4], ED25519_KIND):
                key.verify(data[4:], text)
                signers.add(name)
            elif key.signs(name, data[:4], TIME_KIND):
                times.append(int.from_bytes(data[4:12], "big"))
                key.verify(data[12:], f"cosignature/v1\ntime {times[-1]}\n{text}")
    return signers, times


def unbase64(text: str) -> bytes:
    """Decode base64; what is not in its one spelling is no bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""


def time_text(seconds: int) -> str:
    """Write a time in UTC, to the second."""
    last = 253_402_300_799  # the end of the year 9999
    return datetime.fromtimestamp(min(seconds, last), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")  # noqa: UP017 - for 3.10, too
