"""The text of an API key: made, taken apart, hashed. Pure; nothing here knows the database.

A key reads ``llm_<public id>_<secret><checksum>``. The public id finds the row, the secret (190 bits) proves the right
to it, the checksum lets a secret scanner, and us, tell a key from a typing mistake without asking the database.
"""

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "llm"
PUBLIC_ID_LENGTH: Final = 16
SECRET_LENGTH: Final = 32  # letters of 62: 190.5 bits
CHECKSUM_LENGTH: Final = 6
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PUBLIC_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key taken apart. Its secret is left out of ``repr``."""

    public_id: str
    secret: str = field(repr=False)

    def reveal(self) -> str:
        """Write the key as its owner keeps it; show it once, never store it."""
        body = f"{PREFIX}_{self.public_id}_{self.secret}"
        return body + _checksum(body)


def new_key(public_id: str | None = None) -> KeyText:
    """Make a key from the system's randomness; with a public id, another secret for the key that has it."""
    return KeyText(
        public_id=public_id or "".join(secrets.choice(_PUBLIC_LETTERS) for _ in range(PUBLIC_ID_LENGTH)),
        secret="".join(secrets.choice(_LETTERS) for _ in range(SECRET_LENGTH)),
    )


def read_key(text: str) -> KeyText | None:
    """Take a key apart; None for anything that is not one (form, letters, checksum)."""
    body, checksum = text[:-CHECKSUM_LENGTH], text[-CHECKSUM_LENGTH:]
    parts = body.split("_")
    if len(parts) != 3 or parts[0] != PREFIX:
        return None
    _, public_id, secret = parts
    if len(public_id) != PUBLIC_ID_LENGTH or not set(public_id) <= set(_PUBLIC_LETTERS):
        return None
    if len(secret) != SECRET_LENGTH or not set(secret) <= set(_LETTERS):
        return None
    return KeyText(public_id, secret) if checksum == _checksum(body) else None


def hash_secret(secret: str, *, master: str) -> bytes:
    """Hash a secret for keeping. Keyed, so that a stolen table alone tells nothing.

    Args:
        secret: The secret part of a key.
        master: The installation's secret; the hash's own key is derived from it.
    """
    pepper = hmac.digest(master.encode(), b"llmteam api key v1", hashlib.sha256)
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)


def same_secret(secret: str, stored_hash: bytes, *, master: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_secret(secret, master=master), stored_hash)


def _checksum(body: str) -> str:
    number, letters = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, index = divmod(number, len(_LETTERS))
        letters = _LETTERS[index] + letters
    return letters
