"""Checkpoints are c2sp.org/tlog-checkpoint's, their time is a c2sp.org/tlog-cosignature; no bit of them may change."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.log.checkpoints import (
    Checkpoint,
    CheckpointMalformed,
    log_signer,
    open_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    time_key,
)
from audit.log.tree import EMPTY_ROOT
from kernel.signed_notes import (
    NoteForged,
    NoteRefused,
    NoteSignature,
    NoteSigner,
    NoteUnsigned,
    VerifierKey,
    open_note,
    read_note,
    read_verifier,
    sign_note,
)

# The examples of the C2SP documents.
SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501 - as it is published
FOO_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
ORIGIN = "audit.example/acme"
AT = 1_796_000_000
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 3, bytes(32)), SIGNER, signed_at=AT)


def test_reads_the_published_checkpoint() -> None:
    note = read_note(SOFA)
    checkpoint = read_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text == note.text
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1_679_315_147
    assert len(note.signatures[1].signature) == 8 + 64


def test_the_published_note_verifies_with_its_key() -> None:
    assert open_note(FOO, [read_verifier(FOO_KEY)]).text == "This is an example message.\n"


def test_it_is_three_lines_the_log_s_signature_and_the_time_s() -> None:
    lines = NOTE.split("\n")
    assert lines[:4] == [ORIGIN, "3", base64.b64encode(bytes(32)).decode(), ""]
    assert [line.split(" ")[:2] for line in lines[4:]] == [["—", ORIGIN], ["—", f"{ORIGIN}/time"], [""]]
    opened = open_checkpoint(NOTE, [SIGNER.verifier])
    assert (opened.checkpoint, opened.signed_at) == (Checkpoint(ORIGIN, 3, bytes(32)), AT)


def test_the_key_of_the_time_has_a_name_and_an_id_of_its_own() -> None:
    key = time_key(SIGNER.verifier)
    named = hashlib.sha256(f"{ORIGIN}/time".encode() + b"\n\x04" + key.public_key).digest()[:4]
    assert (key.name, key.key_id) == (f"{ORIGIN}/time", named)
    assert key.text == f"{ORIGIN}/time+{named.hex()}+{base64.b64encode(bytes([4]) + key.public_key).decode()}"
    assert key.key_id != SIGNER.verifier.key_id


@given(st.integers(0, len(NOTE.encode()) * 8 - 1))
def test_one_bit_of_it_is_never_passed_over(bit: int) -> None:
    data = bytearray(NOTE.encode())
    data[bit // 8] ^= 1 << bit % 8
    try:
        opened = open_checkpoint(bytes(data), [SIGNER.verifier])
    except (NoteRefused, CheckpointMalformed):
        return
    # A signature of another name or id is an unknown one: the time's is then missed, and the verifier says so.
    assert (opened.checkpoint, opened.signed_at) == (Checkpoint(ORIGIN, 3, bytes(32)), None)


def test_another_time_under_the_same_signature_is_forged() -> None:
    first, second = read_note(NOTE).signatures
    later = (AT + 1).to_bytes(8, "big") + second.signature[8:]
    changed = sign_note(read_note(NOTE).text, others=[first, NoteSignature(second.name, second.key_id, later)])
    assert open_checkpoint(NOTE, [SIGNER.verifier]).signed_at == AT
    with pytest.raises(NoteForged):
        open_checkpoint(changed, [SIGNER.verifier])


def test_a_time_beyond_all_times_is_refused() -> None:
    checkpoint = Checkpoint(ORIGIN, 3, bytes(32))
    assert open_checkpoint(sign_checkpoint(checkpoint, SIGNER, signed_at=2**63 - 1), [SIGNER.verifier])
    with pytest.raises(NoteForged):
        open_checkpoint(sign_checkpoint(checkpoint, SIGNER, signed_at=2**63), [SIGNER.verifier])


def test_the_signature_of_the_time_does_not_stand_in_for_the_log_s() -> None:
    timed = sign_note(read_note(NOTE).text, others=read_note(NOTE).signatures[1:])
    with pytest.raises(NoteUnsigned, match="only its time"):
        open_checkpoint(timed, [SIGNER.verifier])


def test_another_key_another_log_and_another_origin_are_refused() -> None:
    other = NoteSigner("audit.example/globex", bytes(range(1, 33)))
    assert open_checkpoint(NOTE, [other.verifier, SIGNER.verifier]).signed_at == AT
    with pytest.raises(NoteUnsigned):
        open_checkpoint(NOTE, [other.verifier])
    with pytest.raises(ValueError, match="does not sign for"):
        sign_checkpoint(Checkpoint(ORIGIN, 3, bytes(32)), other, signed_at=AT)
    with pytest.raises(CheckpointMalformed, match="another log"):
        open_checkpoint(sign_note(read_note(NOTE).text, other), [other.verifier])
    with pytest.raises(NoteForged):
        open_checkpoint(NOTE, [Namesake(ORIGIN, other.verifier.public_key)])


class Namesake(VerifierKey):
    """Another key under the name and id of the log's."""

    @property
    def key_id(self) -> bytes:
        return SIGNER.verifier.key_id


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n", "a\n3\n", f"a\n3\n{'A' * 43}=", f"a\n3\n{'A' * 43}=\nextension\n", f"\n3\n{'A' * 43}=\n",
        f"a\n03\n{'A' * 43}=\n", f"a\n-3\n{'A' * 43}=\n", f"a\n+3\n{'A' * 43}=\n", f"a\n٣\n{'A' * 43}=\n",
        f"a\n\n{'A' * 43}=\n", "a\n3\nAAAA\n", f"a\n3\n{'A' * 42}B=\n", f"a\n3\n{'A' * 43}\n", f"a\n3\n{'A' * 43}=\n\n",
        f"a\n{'9' * 5000}\n{'A' * 43}=\n",
    ],
)  # fmt: skip
def test_any_other_text_is_no_checkpoint(text: str) -> None:
    assert read_checkpoint(f"a\n3\n{'A' * 43}=\n").size == 3
    assert read_checkpoint(f"a\n0\n{base64.b64encode(EMPTY_ROOT).decode()}\n").root == EMPTY_ROOT
    with pytest.raises(CheckpointMalformed):
        read_checkpoint(text)


def test_every_log_has_a_key_of_its_own_from_one_secret() -> None:
    secret = bytes(range(32))
    acme, globex = (log_signer(secret, origin) for origin in (ORIGIN, "audit.example/globex"))
    assert acme == log_signer(secret, ORIGIN)
    assert acme.name == ORIGIN
    assert len({acme.verifier.public_key, globex.verifier.public_key}) == 2
    assert log_signer(bytes(32), ORIGIN) != acme
    with pytest.raises(ValueError, match="at least 32 bytes"):
        log_signer(secret[:31], ORIGIN)
