"""Verification of a large log of the audit, and proofs from it; run by ``python -m benchmarks --only AUDIT``.

No database: a folder of 1,000,000 entries is written, and one process verifies it with the file that auditors run.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit.log.checkpoints import Checkpoint, log_signer, sign_checkpoint
from audit.log.leaves import entry_line, leaf_bytes
from audit.log.tiles import Tile, bundle_bytes, entry_bundles, hash_tiles, tile_bytes, tile_reader
from audit.log.tree import consistency_proof, grown, inclusion_proof, leaf_hash, root
from audit.verifier.standalone import verify_py
from benchmarks.figures import against, line, percentile

LEAVES = 1_000_000
PROOFS = 1_000
ORIGIN = "audit.example/bench"
SECONDS, PROOF_MS = 60, 10
GROWTH = 256 * 256


def leaves(begin: int, end: int) -> Iterator[bytes]:
    """Leaves as entries of a segment's changes are: about 450 bytes. One is written by the core, the rest after it."""
    pattern = leaf_bytes(
        {
            "v": 1,
            "n": 12345678,
            "log": ORIGIN,
            "id": "0193d2f1-8f4e-7c11-a0a0-000012345678",
            "at": "2026-11-30T00:00:00.000000Z",
            "action": "segment.saved",
            "actor": "key:0193d2f1",
            "object_type": "segment",
            "object_id": "return_desk",
            "before": {"revision": 1, "name": "Return desk"},
            "after": {"revision": 2, "name": "Return desk"},
            "outcome": "done",
            "request_id": "0193d2f18f4e7c11a0a0000000000000",
            "source": "sha256:" + "ab" * 32,
        }
    )
    head, middle, tail = pattern.split(b"12345678")
    for n in range(begin, end):
        yield head + b"%08d" % n + middle + b"%d" % n + tail


def write_log(folder: Path) -> float:
    """Write the folder of an export, growth by growth; give the seconds that hashing took."""
    hashes: dict[tuple[int, int], bytes] = {}
    spent = 0.0

    def read(level: int, index: int) -> bytes:
        return hashes[level, index]

    with (folder / "entries.ndjson").open("wb") as lines:
        for begin in range(0, LEAVES, GROWTH):
            part = list(leaves(begin, min(LEAVES, begin + GROWTH)))
            lines.writelines(map(entry_line, part))
            began = time.perf_counter()
            hashes |= grown(begin, [leaf_hash(one) for one in part], read)
            spent += time.perf_counter() - began
            for tile in entry_bundles(begin, begin + len(part)):
                at = tile.index * 256 - begin
                put(folder, tile.path, bundle_bytes(part[at : at + tile.width]))
    for tile in hash_tiles(0, LEAVES):
        put(folder, tile.path, tile_bytes(tile, read))
    signer = log_signer(bytes(32), ORIGIN)
    state = Checkpoint(ORIGIN, LEAVES, root(LEAVES, read))
    put(folder, "checkpoint", sign_checkpoint(state, signer, signed_at=1_796_000_000).encode())
    put(folder, "key", signer.verifier.text.encode())
    put(folder, "verify.py", verify_py().encode())
    return spent


def put(folder: Path, path: str, data: bytes) -> None:
    """Write a file of the log."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)


def verified(folder: Path) -> dict[str, Any]:
    """Run the verifier as its users do."""
    began, before = time.perf_counter(), os.times()
    argv = [sys.executable, "-I", "verify.py", ".", "--key", "key", "--json"]
    done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, check=True, timeout=600)  # noqa: S603 - our own program
    seconds, after = round(time.perf_counter() - began, 1), os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    verdict = json.loads(done.stdout)
    return {
        "leaves": verdict["size"],
        "ok": verdict["ok"],
        "seconds": seconds,
        "cpu_seconds": round(busy, 1),
        **against(seconds, most=SECONDS),
    }


def proven(folder: Path) -> dict[str, Any]:
    """Make inclusion and consistency proofs from the tiles of the folder, each with a reader of its own."""
    chosen = random.Random(1)  # noqa: S311 - the same leaves in every run
    spent: list[float] = []
    busy: list[float] = []

    def load(tile: Tile) -> bytes:
        return (folder / tile.path).read_bytes()

    for _ in range(PROOFS):
        index = chosen.randrange(LEAVES)
        for prove in (inclusion_proof, consistency_proof):
            began, worked = time.perf_counter(), time.thread_time()
            prove(index, LEAVES, tile_reader(LEAVES, load))
            spent.append((time.perf_counter() - began) * 1_000)
            busy.append((time.thread_time() - worked) * 1_000)
    worst = round(percentile(spent, 99), 2)
    return {
        "proofs": len(spent),
        "p50_ms": round(percentile(spent, 50), 2),
        "p99_ms": worst,
        "cpu_p99_ms": round(percentile(busy, 99), 2),
        **against(worst, most=PROOF_MS),
    }


def main() -> None:
    """Write, verify, prove, print."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        hashing = write_log(folder)
        print(
            json.dumps(line(f"AUDIT: {LEAVES:,} leaves appended", leaves_per_second=round(LEAVES / hashing))),
            flush=True,
        )
        print(json.dumps(line(f"AUDIT: a folder of {LEAVES:,} leaves verified", **verified(folder))), flush=True)
        print(json.dumps(line(f"AUDIT: proofs from a log of {LEAVES:,}", **proven(folder))), flush=True)


if __name__ == "__main__":
    main()
