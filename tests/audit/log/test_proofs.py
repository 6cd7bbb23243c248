"""Proofs are c2sp.org/tlog-proof's: read as they are written, verified offline; no bit of them may change."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log.checkpoints import Checkpoint, CheckpointMalformed, sign_checkpoint
from audit.log.proofs import LogProof, ProofMalformed, open_proof, read_proof
from audit.log.tree import inclusion_proof
from kernel.signed_notes import NoteRefused, NoteSigner
from tests.support.merkle import plain_reader, plain_root

ORIGIN = "audit.example/acme"
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
LEAVES = [b"leaf %d" % n for n in range(11)]
CHECKPOINT = sign_checkpoint(Checkpoint(ORIGIN, 11, plain_root(LEAVES)), SIGNER, signed_at=1_796_000_000)
PROOF = LogProof(9, tuple(inclusion_proof(9, 11, plain_reader(LEAVES))), CHECKPOINT, LEAVES[9])


def test_it_is_written_line_by_line() -> None:
    hashes = [base64.b64encode(one).decode() for one in PROOF.hashes]
    extra = base64.b64encode(LEAVES[9]).decode()
    written = "\n".join(["c2sp.org/tlog-proof@v1", f"extra {extra}", "index 9", *hashes, "", CHECKPOINT])
    assert PROOF.text == written
    assert read_proof(written) == PROOF


def test_it_may_have_no_extra_and_no_hashes() -> None:
    lone = sign_checkpoint(Checkpoint(ORIGIN, 1, plain_root(LEAVES[:1])), SIGNER, signed_at=1)
    proof = LogProof(0, (), lone)
    assert proof.text == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{lone}"
    assert read_proof(proof.text) == proof
    opened = open_proof(proof, LEAVES[0], [SIGNER.verifier])
    assert opened
    assert opened.checkpoint.size == 1


def test_it_verifies_with_the_key_and_the_leaf_alone() -> None:
    opened = open_proof(PROOF, LEAVES[9], [SIGNER.verifier])
    assert opened
    assert (opened.checkpoint.size, opened.signed_at) == (11, 1_796_000_000)
    assert open_proof(PROOF, LEAVES[8], [SIGNER.verifier]) is None


@given(st.integers(0, len(PROOF.text.encode()) * 8 - 1))
def test_one_bit_of_it_is_never_passed_over(bit: int) -> None:
    data = bytearray(PROOF.text.encode())
    data[bit // 8] ^= 1 << bit % 8
    try:
        proof = read_proof(data.decode())
        opened = open_proof(proof, proof.extra, [SIGNER.verifier])
    except (UnicodeError, ProofMalformed, NoteRefused, CheckpointMalformed):
        return
    # The name or id of the time's signature was changed: it is an unknown one, and the time is missed.
    assert opened is None or (opened.signed_at is None and proof.extra == LEAVES[9])


@pytest.mark.parametrize(
    "change",
    [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2"), ("index 9\n", ""), ("index 9", "index 09"),
        ("index 9", "index -9"), ("index 9", "index ٩"), ("index 9", f"index {'9' * 5000}"), ("index 9", "index 9 "),
        ("index 9\n", "index 9\nAAAA\n"), ("index 9\n", "index 9\n!\n"), ("extra ", "extra"),
        ("extra bGVhZiA5", "extra "),
        ("index 9\n", "index 9\n" + f"{'A' * 43}=\n" * 70), ("\n\n", "\n"),
    ],
)  # fmt: skip
def test_any_other_text_is_no_proof(change: tuple[str, str]) -> None:
    assert change[0] in PROOF.text
    with pytest.raises(ProofMalformed):
        read_proof(PROOF.text.replace(*change))
