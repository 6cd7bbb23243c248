"""Idempotent requests by their key: the value every app hands on, and what is refused about the key."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kernel.errors import Invalid

KEY_LIFETIME: Final = timedelta(hours=24)
"""Time after which a key names nothing any more."""


class IdempotencyKeyReused(Invalid):
    """The key was used for another request."""

    code = "IDEMPOTENCY_KEY_REUSED"
    title = "This Idempotency-Key was used for another request"


class IdempotencyKeyMalformed(Invalid):
    """The key is empty, too long, or not printable ASCII."""

    code = "IDEMPOTENCY_KEY_MALFORMED"
    title = "An Idempotency-Key has 1 to 255 printable ASCII characters"


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """Names a request for 24 hours; the same ``key`` with another ``request_hash`` is refused."""

    key: str
    request_hash: str
