"""Signed notes (c2sp.org/signed-note): text that people can read, with Ed25519 signatures that other tools verify.

A note is its text, a blank line, and a line for each signature: ``— <name> <base64 of key id and signature>``. A key id
is the beginning of a hash of name, algorithm and public key, so that a reader finds the key; it proves nothing itself.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
KEY_ID_BYTES: Final = 4
ED25519: Final = b"\x01"
"""Type of signature: Ed25519 over the note's text."""
KEPT_PUBLIC_KEYS: Final = 4_096
"""Public keys that a process keeps by their private ones."""
_KEY_BYTES: Final = 32
_PRIVATE: Final = "PRIVATE+KEY+"
_MARK: Final = "— "


class NoteRefused(Exception):
    """A note that must not be believed. Its text is a sentence for people, and quotes nothing of the note."""


class NoteMalformed(NoteRefused):
    """A text that is not a signed note."""


class NoteUnsigned(NoteRefused):
    """A note that no key we know has signed."""


class NoteForged(NoteRefused):
    """A note under the name of a key we know, with a signature that is not of this key for this text."""


class NoteKeyMalformed(ValueError):
    """A text that is no key of a note. Its text quotes nothing of the key."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """Signature line of a note, of any algorithm; verified or not.

    Attributes:
        name: Name of the key, as a URL without its scheme.
        key_id: The four bytes that tell the key from others of this name.
        signature: What the key's algorithm gives.
    """

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, its end included."""
        return f"{_MARK}{self.name} {_encoded(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A note taken apart.

    Attributes:
        text: Signed text, with the end of its last line.
        signatures: Signatures in their order; those of ``open_note`` are verified.
    """

    text: str
    signatures: tuple[NoteSignature, ...]


class NoteVerifier(Protocol):
    """Public key of some algorithm; signatures under its name and id are its own, or forged."""

    @property
    def name(self) -> str:
        """Name of the key."""
        ...

    @property
    def key_id(self) -> bytes:
        """The four bytes that its signatures begin with."""
        ...

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether a signature is of this key, for this text."""
        ...


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Public key of a signer: ``name+key id+base64 of algorithm and key``. Everybody may have it."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that signatures of this key begin with."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as others take it."""
        return f"{self.name}+{self.key_id.hex()}+{_encoded(ED25519 + self.public_key)}"

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether a signature is of this key, for this text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Private key of a signer: ``PRIVATE+KEY+name+key id+base64 of algorithm and seed``. Left out of ``repr``."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def verifier(self) -> VerifierKey:
        """The key that verifies what this one signs."""
        return VerifierKey(self.name, _public_key(self.seed))

    def reveal(self) -> str:
        """Write the key as its owner keeps it."""
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{_encoded(ED25519 + self.seed)}"

    def sign(self, text: str) -> NoteSignature:
        """Sign the text of a note."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return NoteSignature(self.name, self.verifier.key_id, signature)


def new_signer(name: str) -> NoteSigner:
    """Make a key from the system's randomness.

    Raises:
        NoteKeyMalformed: The name is empty, or has a blank or ``+``.
    """
    if not _is_name(name):
        raise NoteKeyMalformed("The name of a key is a text without blanks and without +.")
    return NoteSigner(name, Ed25519PrivateKey.generate().private_bytes_raw())


def read_verifier(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        NoteKeyMalformed: It is none, of another algorithm, or its parts do not belong together.
    """
    name, key_id, key = _key_parts(text, "name+key id+base64")
    verifier = VerifierKey(name, key)
    if verifier.key_id.hex() != key_id:
        raise NoteKeyMalformed("The key's id does not belong to its name and bytes.")
    return verifier


def read_signer(text: str) -> NoteSigner:
    """Read a private key; errors as ``read_verifier``."""
    if not text.startswith(_PRIVATE):
        raise NoteKeyMalformed(f"A private key begins with {_PRIVATE}")
    name, key_id, seed = _key_parts(text.removeprefix(_PRIVATE), f"{_PRIVATE}name+key id+base64")
    signer = NoteSigner(name, seed)
    if signer.verifier.key_id.hex() != key_id:
        raise NoteKeyMalformed("The key's id does not belong to its name and bytes.")
    return signer


def sign_note(text: str, *signers: NoteSigner, others: Sequence[NoteSignature] = ()) -> str:
    """Write a note.

    Args:
        text: What is signed; ends with the end of a line.
        signers: Keys that sign it.
        others: Signatures it has already; they come first, without those that a signer renews.

    Raises:
        NoteMalformed: The text could not be a note's.
    """
    if not text.endswith("\n"):
        raise NoteMalformed("The text of a note ends with the end of a line.")
    signed = [signer.sign(text) for signer in signers]
    renewed = {(signature.name, signature.key_id) for signature in signed}
    kept = [one for one in others if (one.name, one.key_id) not in renewed]
    note = "".join([text, "\n", *(signature.line for signature in (*kept, *signed))])
    read_note(note)
    return note


def read_note(note: str | bytes) -> SignedNote:
    """Take a note apart. Nothing is verified: do not believe its text.

    Signatures that are the same, name and all, are given once.

    Raises:
        NoteMalformed: It is none, is over ``MAX_NOTE_BYTES`` or has over ``MAX_SIGNATURES``.
    """
    text, parted, lines = _plain(note).rpartition("\n\n")
    if not parted or not lines.endswith("\n"):
        raise NoteMalformed("A signed note is text, a blank line and a line for each signature.")
    signatures = lines.removesuffix("\n").split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise NoteMalformed(f"The note has {len(signatures)} signatures; at most {MAX_SIGNATURES} are read.")
    return SignedNote(text + "\n", tuple(dict.fromkeys(_read_line(line) for line in signatures)))


def open_note(note: str | bytes, verifiers: Iterable[NoteVerifier]) -> SignedNote:
    """Read a note that one of some keys has signed; give its text and the signatures of these keys.

    Signatures of other keys prove nothing and are passed over. The first one of a key decides.

    Raises:
        NoteMalformed: It is no note.
        NoteForged: A signature under a known key is not of this key for this text.
        NoteUnsigned: No known key has signed it.
        ValueError: Two keys have one name and id.
    """
    known: dict[tuple[str, bytes], NoteVerifier] = {}
    for verifier in verifiers:
        if known.setdefault((verifier.name, verifier.key_id), verifier) is not verifier:
            raise ValueError(f"two keys are named {verifier.name}+{verifier.key_id.hex()}")
    read = read_note(note)
    verified: dict[tuple[str, bytes], NoteSignature] = {}
    for one in read.signatures:
        place = (one.name, one.key_id)
        if place not in known or place in verified:
            continue
        if not known[place].has_signed(read.text, one.signature):
            raise NoteForged("The signature does not belong to this text: it was changed, or never signed.")
        verified[place] = one
    if not verified:
        raise NoteUnsigned("No key that is known here has signed the note.")
    return SignedNote(read.text, tuple(verified.values()))


@lru_cache(maxsize=KEPT_PUBLIC_KEYS)
def _public_key(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _plain(note: str | bytes) -> str:
    """Decode a note and hold it to what its format allows."""
    try:
        data = note.encode() if isinstance(note, str) else note
        if len(data) > MAX_NOTE_BYTES:
            raise NoteMalformed(f"The note has over {MAX_NOTE_BYTES:,} bytes.")
        text = data.decode()
    except UnicodeError:
        raise NoteMalformed("The note is not UTF-8.") from None
    if any(letter < " " and letter != "\n" for letter in text):
        raise NoteMalformed("The note has a control character that is not the end of a line.")
    return text


def _read_line(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    data = _decoded(encoded)
    if not line.startswith(_MARK) or not _is_name(name) or data is None or len(data) <= KEY_ID_BYTES:
        raise NoteMalformed("After the last blank line there is a line that is not a signature.")
    return NoteSignature(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _key_parts(text: str, form: str) -> tuple[str, str, bytes]:
    """Take a key apart into its name, its id and its bytes."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    data = _decoded(encoded)
    if not _is_name(name) or not name.isprintable() or data is None:
        raise NoteKeyMalformed(f"A key has the form {form}.")
    if data[:1] != ED25519 or len(data) != len(ED25519) + _KEY_BYTES:
        raise NoteKeyMalformed("The key is of an unknown algorithm, or has not 32 bytes.")
    return name, key_id, data[len(ED25519) :]


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes | None:
    """Decode base64 in its one spelling; None for anything else."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if data and _encoded(data) == text else None
