"""Cutting a connection's secrets out of what its other end sends back."""

import base64
from collections.abc import Collection
from typing import Final

from kernel.spellings import spellings
from kernel.types import Json

SHORTEST: Final = 6
"""A shorter text would be found everywhere."""
CUT: Final = "[cut]"


def hidden_texts(secret: str, username: str = "") -> tuple[str, ...]:
    """Give the ways a secret may come back, longest first: in every spelling, alone and as in Basic."""
    if len(secret) < SHORTEST:
        return ()
    found = spellings(secret) | spellings(base64.b64encode(f"{username}:{secret}".encode()).decode())
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def redact(value: Json, secrets: Collection[str]) -> Json:
    """Replace every secret in the texts of a value, names of members included."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, CUT)
        return value
    if isinstance(value, list):
        return [redact(item, secrets) for item in value]
    if isinstance(value, dict):
        return {str(redact(name, secrets)): redact(item, secrets) for name, item in value.items()}
    return value
