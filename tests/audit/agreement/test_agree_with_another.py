"""golang.org/x/mod, which shares no code with ours, makes the logs that we make, and verifies them.

What it made is recorded in tests/cases/audit_log.json; with Go and its module (Debian: golang-go,
golang-golang-x-mod-dev) it is asked anew, and given logs of ours.
"""

import base64
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from audit.log.checkpoints import open_checkpoint
from audit.log.tiles import hash_tiles, tile_bytes
from audit.log.tree import consistency_proof, inclusion_proof, leaf_hash, root, verify_consistency, verify_inclusion
from kernel.signed_notes import read_signer, read_verifier, sign_note
from tests.support.audit_logs import MadeLog, entries, flipped, tree_of

CASES = Path(__file__).resolve().parents[2] / "cases" / "audit_log.json"
RECORDED = json.loads(CASES.read_text("utf-8"))
MODULE = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog")
LEAVES = [b"leaf %d" % n for n in range(600)]


@pytest.mark.parametrize("recorded", RECORDED["logs"], ids=lambda one: str(one["size"]))
def test_our_logs_are_those_that_it_makes(recorded: dict[str, Any]) -> None:
    size = recorded["size"]
    tree = tree_of(tuple(LEAVES[:size]))
    top = root(size, lambda level, index: tree[level, index])
    opened = open_checkpoint(recorded["note"], [read_verifier(RECORDED["public"])])
    assert (opened.checkpoint.size, opened.checkpoint.root, opened.signed_at) == (size, top, None)
    assert sign_note(opened.checkpoint.text, read_signer(RECORDED["private"])) == recorded["note"]
    tiles = {tile.path: tile_bytes(tile, lambda *place: tree[place]) for tile in hash_tiles(0, size)}
    assert {path: leaf_hash(data).hex() for path, data in tiles.items()} == recorded["tiles"]


@pytest.mark.parametrize("recorded", RECORDED["logs"], ids=lambda one: str(one["size"]))
def test_our_proofs_are_those_that_it_makes_and_its_verify(recorded: dict[str, Any]) -> None:
    size = recorded["size"]
    tree = tree_of(tuple(LEAVES[:size]))
    top = root(size, lambda *place: tree[place])
    for one in recorded["inclusion"]:
        leaf, proof = base64.b64decode(one["leaf"]), [bytes.fromhex(text) for text in one["proof"]]
        assert inclusion_proof(one["index"], size, lambda *place: tree[place]) == proof
        assert verify_inclusion(one["index"], size, leaf_hash(leaf), proof, top)
        assert not verify_inclusion(one["index"], size, leaf_hash(leaf + b"x"), proof, top)
    for one in recorded["consistency"]:
        proof = [bytes.fromhex(text) for text in one["proof"]]
        assert consistency_proof(one["old"], size, lambda *place: tree[place]) == proof
        assert verify_consistency(one["old"], size, bytes.fromhex(one["root"]), top, proof)
        assert not verify_consistency(one["old"], size, flipped(bytes.fromhex(one["root"]), 0), top, proof)


@cache
def compiled(place: Path) -> Path:
    if shutil.which("go") is None or not MODULE.is_dir():
        pytest.skip("needs Go and golang.org/x/mod: apt-get install golang-go golang-golang-x-mod-dev")
    environment = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(place / "cache")}
    source = Path(__file__).with_name("agree.go")
    subprocess.run(
        ["go", "build", "-o", str(place / "agree"), str(source)],  # noqa: S607 - the Go of this machine
        env={**os.environ, **environment},
        check=True,
        timeout=280,
    )
    return place / "agree"


@pytest.fixture
def agree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.getbasetemp())


@pytest.mark.soak
def test_it_still_makes_what_was_recorded(agree: Path) -> None:
    made = json.loads(subprocess.run([agree, "vectors"], check=True, capture_output=True, timeout=60).stdout)
    assert (made["private"], made["public"]) == (RECORDED["private"], RECORDED["public"])
    for one, recorded in zip(made["logs"], RECORDED["logs"], strict=True):
        assert (one["note"], one["tiles"]) == (recorded["note"], recorded["tiles"])
        for kind in ("inclusion", "consistency"):
            assert all(proof in recorded[kind] for proof in one[kind])


@pytest.mark.soak
@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
def test_it_verifies_our_notes_tiles_and_proofs(agree: Path, tmp_path: Path, size: int) -> None:
    log = MadeLog(entries(size)).write()
    ours = proofs_of(log)
    assert checked(agree, tmp_path, log, ours) == (0, ours), "and makes the same proofs"


@pytest.mark.soak
@pytest.mark.parametrize("broken", ["checkpoint", "tile/0/001", "tile/entries/001", "tile/1/000.p/2", "proofs", "key"])
def test_it_refuses_one_bit_of_ours(agree: Path, tmp_path: Path, broken: str) -> None:
    log = MadeLog(entries(600)).write()
    ours = proofs_of(log)
    assert checked(agree, tmp_path, log, ours)[0] == 0
    if broken == "proofs":
        first = ours["inclusion"][0]["proof"]
        first[0] = flipped(bytes.fromhex(first[0]), 0).hex()
    elif broken == "key":
        log.signer = type(log.signer)(log.origin, bytes(32))
    else:
        log.files[broken] = flipped(log.files[broken], 40)
    assert checked(agree, tmp_path, log, ours)[0] == 1


def proofs_of(log: MadeLog) -> dict[str, Any]:
    size = len(log.leaves)
    found: dict[str, Any] = {"inclusion": [], "consistency": []}
    for index in sorted({0, size // 2, size - 1}):
        proof = [one.hex() for one in inclusion_proof(index, size, log.read)]
        found["inclusion"].append(
            {"index": index, "leaf": base64.b64encode(log.leaves[index]).decode(), "proof": proof}
        )
        extends = [one.hex() for one in consistency_proof(index + 1, size, log.read)]
        found["consistency"].append({"old": index + 1, "root": root(index + 1, log.read).hex(), "proof": extends})
    return found


def checked(agree: Path, place: Path, log: MadeLog, proofs: dict[str, Any]) -> tuple[int, Any]:
    for path, data in {**log.files, "proofs.json": json.dumps(proofs).encode()}.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(data)
    done = subprocess.run([agree, "check", place, log.key], capture_output=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout or b"null")
