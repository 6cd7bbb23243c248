"""Cutting a connection's secrets out of what its other end sends back."""

import base64
from collections.abc import Iterable
from typing import Final

SHORTEST: Final = 6
"""A shorter text would be found everywhere."""
CUT: Final = b"[cut]"


def spellings(secret: str, username: str = "") -> tuple[bytes, ...]:
    """Give the ways a secret may come back: as it is, as in Basic, and escaped as JSON has it."""
    if len(secret) < SHORTEST:
        return ()
    plain = secret.encode()
    basic = base64.b64encode(f"{username}:{secret}".encode())
    escaped = secret.encode("unicode_escape").replace(b'"', b'\\"').replace(b"/", b"\\/")
    return tuple(dict.fromkeys((plain, basic, escaped)))


def redact(content: bytes, secrets: Iterable[bytes]) -> bytes:
    """Replace every secret in an answer."""
    for secret in secrets:
        if secret in content:
            content = content.replace(secret, CUT)
    return content
