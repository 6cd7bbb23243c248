"""Signed notes as their public format has them: the published examples hold, and nothing else is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.signed_notes import (
    MAX_NOTE_BYTES,
    NoteForged,
    NoteKeyMalformed,
    NoteMalformed,
    NoteSignature,
    NoteUnsigned,
    VerifierKey,
    new_signer,
    open_note,
    read_note,
    read_signer,
    read_verifier,
    sign_note,
)

# The examples of golang.org/x/mod/sumdb/note, which tools in several languages hold themselves against.
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
NOTE = f"{TEXT}\n{PETER}"


def test_writes_the_published_note_byte_for_byte() -> None:
    signer = read_signer(PETER_PRIVATE)
    assert sign_note(TEXT, signer) == NOTE
    assert (signer.verifier.text, signer.reveal()) == (PETER_KEY, PETER_PRIVATE)
    assert PETER_PRIVATE.rpartition("+")[2] not in repr(signer)


def test_opens_the_published_notes() -> None:
    peter, enoch = read_verifier(PETER_KEY), read_verifier(ENOCH_KEY)
    both = f"{TEXT}\n{PETER}{ENOCH}"
    assert [one.line for one in open_note(both, [peter]).signatures] == [PETER]
    assert [one.line for one in open_note(both.encode(), [enoch, peter]).signatures] == [PETER, ENOCH]
    assert open_note(both, [enoch]).text == TEXT
    assert [one.line for one in read_note(both).signatures] == [PETER, ENOCH]
    with pytest.raises(NoteUnsigned):
        open_note(both, [])


def test_a_signature_that_comes_again_counts_once() -> None:
    again = f"{NOTE}{PETER}{ENOCH}{ENOCH}{ENOCH[:60]}ABCD{ENOCH[60:]}"
    assert [one.name for one in open_note(again, [read_verifier(PETER_KEY)]).signatures] == ["PeterNeumann"]
    assert [one.name for one in read_note(again).signatures] == ["PeterNeumann", "EnochRoot", "EnochRoot"]


def test_a_signature_is_renewed_in_its_place() -> None:
    signer = read_signer(PETER_PRIVATE)
    enoch = read_note(f"{TEXT}\n{ENOCH}").signatures
    old = NoteSignature(signer.name, signer.verifier.key_id, b"old")
    assert sign_note(TEXT, signer, others=[old, *enoch]) == f"{TEXT}\n{ENOCH}{PETER}"


@pytest.mark.parametrize(
    "note",
    [
        TEXT,
        TEXT + "\n",
        NOTE[:-1],
        "\x01" + NOTE,
        NOTE.replace("\n", "\r\n"),
        NOTE.replace("—", "-"),
        NOTE.replace("— PeterNeumann", "— Peter Neumann"),
        NOTE.replace("— PeterNeumann", "— Peter+Neumann"),
        NOTE.replace("— PeterNeumann", "— Peter\N{NO-BREAK SPACE}Neumann"),
        NOTE.replace("— PeterNeumann", "— "),
        NOTE + "Unexpected line.\n",
        NOTE + "\n",
        NOTE.replace("JnAM=\n", "JnAN=\n"),
        NOTE.replace("JnAM=\n", "JnAM\n"),
        f"{TEXT}\n— PeterNeumann x08gow==\n",
        f"{TEXT}\n{PETER * 101}",
        "x" * MAX_NOTE_BYTES + NOTE,
        "\ud800" + NOTE,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    assert open_note(NOTE, [read_verifier(PETER_KEY)]).text == TEXT
    with pytest.raises(NoteMalformed):
        read_note(note)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(NoteMalformed):
        read_note(b"\xff" + NOTE.encode())


def test_a_known_keys_wrong_signature_refuses_the_note_whoever_else_signed_it() -> None:
    known = [read_verifier(PETER_KEY), read_verifier(ENOCH_KEY)]
    both = f"{TEXT}\n{PETER}{ENOCH}"
    assert open_note(both, known).text == TEXT
    for forged in (both.replace("problem is", "problem was"), f"{TEXT}\n{PETER[:60]}ABCD{PETER[60:]}{ENOCH}"):
        with pytest.raises(NoteForged):
            open_note(forged, known)


def test_the_first_signature_of_a_key_decides() -> None:
    known, signer = [read_verifier(PETER_KEY)], read_signer(PETER_PRIVATE)
    wrong = NoteSignature(signer.name, signer.verifier.key_id, bytes(64)).line
    assert open_note(f"{NOTE}{wrong}", known).text == TEXT
    with pytest.raises(NoteForged):
        open_note(f"{TEXT}\n{wrong}{PETER}", known)


def test_a_key_that_shares_a_name_or_an_id_only_is_another() -> None:
    peter = read_verifier(PETER_KEY)
    namesake = new_signer("PeterNeumann").verifier
    with pytest.raises(NoteUnsigned):
        open_note(NOTE, [namesake])
    with pytest.raises(NoteUnsigned):
        open_note(NOTE.replace("— PeterNeumann", "— CarmenSandiego"), [peter])
    with pytest.raises(ValueError, match="two keys"):
        open_note(NOTE, [peter, read_verifier(PETER_KEY)])


def test_a_key_is_refused_when_any_part_is_missing_or_changed() -> None:
    for text, read in ((PETER_KEY, read_verifier), (PETER_PRIVATE, read_signer)):
        assert read(text).name == "PeterNeumann"
        shortened = [text[start:end] for start in range(len(text)) for end in range(start, len(text) + 1)]
        changed = [text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))]
        for wrong in {*shortened, *changed} - {text}:
            with pytest.raises(NoteKeyMalformed):
                read(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_key_of_another_length_or_algorithm_is_refused(text: str) -> None:
    with pytest.raises(NoteKeyMalformed):
        read_verifier(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\N{EM SPACE}b"])
def test_a_key_has_a_name_without_blanks(name: str) -> None:
    assert read_verifier(new_signer("vendor.example/licences").verifier.text).name == "vendor.example/licences"
    with pytest.raises(NoteKeyMalformed):
        new_signer(name)


@pytest.mark.parametrize("text", ["no end of line", "a\tb\n", "\ud800\n"])
def test_nothing_is_signed_that_nobody_could_read(text: str) -> None:
    with pytest.raises((NoteMalformed, UnicodeEncodeError)):
        sign_note(text, read_signer(PETER_PRIVATE))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=60))
def test_any_text_comes_back_as_it_was_signed(text: str) -> None:
    signer = read_signer(PETER_PRIVATE)
    assert open_note(sign_note(text + "\n", signer), [VerifierKey(signer.name, signer.verifier.public_key)]).text == (
        text + "\n"
    )
