"""Logs of the audit as their folders have them, made by the core, for tests that verify or break them."""

import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from audit.log.checkpoints import Checkpoint, sign_checkpoint
from audit.log.leaves import entry_line, leaf_bytes
from audit.log.proofs import LogProof
from audit.log.tiles import bundle_bytes, entry_bundles, hash_tiles, tile_bytes
from audit.log.tree import grown, inclusion_proof, leaf_hash, root
from audit.verifier.standalone import verify_py
from kernel.signed_notes import NoteSigner

ORIGIN = "audit.example/acme"
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
SIGNED_AT = 1_796_000_000
"""2026-11-30T00:53:20Z, seven minutes after the last entry of a log of ``entries``."""


def entry(n: int, **others: Any) -> dict[str, Any]:
    """The fields of a leaf; each has something of its own."""
    return {
        "v": 1,
        "n": n,
        "log": ORIGIN,
        "id": f"0193d2f1-8f4e-7c11-a0a0-{n:012}",
        "at": f"2026-11-30T00:{n // 60 % 46:02}:{n % 60:02}.{n % 1_000_000:06}Z",
        "action": "segment.saved",
        "actor": f"key:{n}",
        "object_type": "segment",
        "object_id": f"segment-{n}",
        "before": {"revision": n},
        "after": {"revision": n + 1, "name": "Zoë"},
        "outcome": "done",
        "request_id": f"r-{n}",
        "source": "sha256:" + "ab" * 32,
        **others,
    }


def entries(size: int, **others: Any) -> list[bytes]:
    return [leaf_bytes(entry(n, **others)) for n in range(size)]


@dataclass
class MadeLog:
    """A log and its folder; ``write`` makes the files anew from the leaves."""

    leaves: list[bytes]
    signer: NoteSigner = SIGNER
    origin: str = ORIGIN
    signed_at: int = SIGNED_AT
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.signer.verifier.text

    def read(self, level: int, index: int) -> bytes:
        return tree_of(tuple(self.leaves))[level, index]

    def checkpoint(self, size: int | None = None, **others: Any) -> str:
        count = len(self.leaves) if size is None else size
        state = Checkpoint(self.origin, count, root(count, self.read))
        return sign_checkpoint(state, others.get("signer", self.signer), signed_at=others.get("at", self.signed_at))

    def write(self) -> "MadeLog":
        """Write all files: the checkpoint, tiles, bundles and lines."""
        self.files = {**self.tiles(), **self.bundles(), "checkpoint": self.checkpoint().encode()}
        self.files["entries.ndjson"] = b"".join(map(entry_line, self.leaves))
        return self

    def tiles(self) -> dict[str, bytes]:
        return {tile.path: tile_bytes(tile, self.read) for tile in hash_tiles(0, len(self.leaves))}

    def bundles(self) -> dict[str, bytes]:
        found = {}
        for tile in entry_bundles(0, len(self.leaves)):
            first = tile.index * 256
            found[tile.path] = bundle_bytes(self.leaves[first : first + tile.width])
        return found

    def receipt(self, n: int) -> LogProof:
        proof = tuple(inclusion_proof(n, len(self.leaves), self.read))
        return LogProof(n, proof, self.checkpoint(), self.leaves[n])


@cache
def tree_of(leaves: tuple[bytes, ...]) -> dict[tuple[int, int], bytes]:
    return grown(0, [leaf_hash(one) for one in leaves], nothing_before)


def nothing_before(level: int, index: int) -> bytes:
    raise AssertionError((level, index))


@cache
def verifier() -> Any:
    """The stand-alone file, as a module."""
    module = types.ModuleType("verify")
    exec(compile(verify_py(), "verify.py", "exec"), module.__dict__)  # noqa: S102 - the file that is shipped
    return module


def verdict(log: MadeLog, *, since: Sequence[str] = (), key: str = "", **others: Any) -> dict[str, Any]:
    """What the stand-alone verifier says of a log's files."""
    lines = log.files.get("entries.ndjson")
    found: dict[str, Any] = verifier().verify_log(
        log.files.get,
        verifier().read_keys(key or log.key),
        since=[one.encode() for one in since],
        entries=None if lines is None else lines.splitlines(keepends=True),
        **others,
    )
    return found


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
