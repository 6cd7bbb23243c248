"""Sealing of secrets at rest: AES-256-GCM under a ring of keys, each secret bound to its place."""

import base64
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = "s1"


class SealBroken(Exception):
    """A sealed text was changed, was sealed for another place, or with a key that is not on the ring.

    Its text names the key, never anything of the secret.
    """


class KeyRing:
    """Keys by id. The first seals, each opens what it sealed.

    A sealed text is ``s1.<key id>.<base64url of nonce and ciphertext>``. The place it was sealed for goes into the tag,
    so it opens nowhere else: not in another row, not for another tenant.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take the keys in their order.

        Raises:
            ValueError: There is none, an id has a dot or is empty, or a key has not 32 bytes.
        """
        if not keys:
            raise ValueError("a key ring needs a key")
        for key_id, key in keys.items():
            if not key_id or "." in key_id or not key_id.isascii():
                raise ValueError(f"{key_id!r} is not an id of a key: letters and digits, no dot")
            if len(key) != KEY_BYTES:
                raise ValueError(f"the key {key_id!r} has {len(key)} bytes, not {KEY_BYTES}")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._first = next(iter(keys))

    def seal(self, text: str, *, place: str) -> str:
        """Seal a text for one place, with the first key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, text.encode(), place.encode())
        return f"{_VERSION}.{self._first}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, place: str) -> str:
        """Open a sealed text at the place it was sealed for.

        Raises:
            SealBroken: As its class says.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, encoded = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if version != _VERSION or cipher is None:
            raise SealBroken(f"the key {key_id!r} is not on the ring" if version == _VERSION else "not a sealed text")
        try:
            packed = _unpack(encoded)
            return cipher.decrypt(packed[:_NONCE_BYTES], packed[_NONCE_BYTES:], place.encode()).decode()
        except (ValueError, InvalidTag):
            raise SealBroken(f"it was changed, or sealed for another place with the key {key_id!r}") from None

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed it."""
        return sealed.startswith(f"{_VERSION}.{self._first}.")


def key_id_of(sealed: str) -> str:
    """Name the key a sealed text was sealed with."""
    return sealed.partition(".")[2].partition(".")[0]


def _unpack(encoded: str) -> bytes:
    packed = base64.b64decode(encoded, altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(packed).decode() != encoded:
        raise ValueError("the last letter has bits that nothing reads")
    return packed
