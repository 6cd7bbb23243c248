"""The bound of every journal, and the digest that runs through it."""

import hashlib
from typing import Final

MAX_JOURNAL_BYTES: Final = 64 * 1024 * 1024


def chain(digest: bytes, payload: bytes) -> bytes:
    """Continue a journal's running digest: SHA-256 over the digest so far and the stored bytes of one payload."""
    return hashlib.sha256(digest + payload).digest()
