"""Short-lived tokens for browsers: signed, stored nowhere, with no more rights than the key they come from.

A token reads ``llmb_<payload>.<signature>``; the payload names the key by its public id, so a token ends with its key,
and with the secret it was made with.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

PREFIX: Final = "llmb_"
LONGEST: Final = 1_000
MAX_SECONDS: Final = 900
"""Longest life of a token. The reader holds every token to it, so none that was forged lasts longer."""
SKEW_SECONDS: Final = 60
"""Most that the clocks of two web processes may be apart."""


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Claims of a token; ``member_id`` where it acts for a member, ``secret_number`` of the secret it was made with."""

    public_id: str
    scopes: tuple[str, ...]
    expires_at: datetime
    member_id: UUID | None = None
    secret_number: int = 1


def write_token(facts: TokenFacts, *, master: str) -> str:
    """Write and sign a token.

    Args:
        facts: What it says.
        master: The installation's secret; the signature's key is derived from it.
    """
    member_id = None if facts.member_id is None else str(facts.member_id)
    claims = [facts.public_id, facts.scopes, int(facts.expires_at.timestamp()), member_id]
    # Of a key that was never rotated it is left out: processes of the version before read those tokens too.
    payload = _encoded(orjson.dumps(claims if facts.secret_number == 1 else [*claims, facts.secret_number]))
    return f"{PREFIX}{payload}.{_encoded(_signature(payload, master))}"


def read_token(text: str, *, master: str, now: datetime) -> TokenFacts | None:
    """Read a token that we signed and that may be used now; None for anything else.

    Args:
        text: What was sent.
        master: The installation's secret.
        now: One whose time is over, or is longer than any token's may be, is refused.
    """
    if not is_ours(text, master=master):
        return None
    payload = text.removeprefix(PREFIX).partition(".")[0]
    try:
        public_id, scopes, expires, member_id, *number = orjson.loads(_decoded(payload))
        member = None if member_id is None else UUID(member_id)
        facts = TokenFacts(public_id, tuple(scopes), datetime.fromtimestamp(expires, UTC), member, *number)
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error):
        return None
    return facts if now < facts.expires_at <= now + timedelta(seconds=MAX_SECONDS + SKEW_SECONDS) else None


def is_ours(text: str, *, master: str) -> bool:
    """Whether we signed a token, be its time over or not."""
    payload, _, signature = text.removeprefix(PREFIX).partition(".")
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        return False
    try:
        return hmac.compare_digest(signature, _encoded(_signature(payload, master)))
    except TypeError:
        return False


def lacking(scopes: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """Tell which scopes are asked for that the key does not have."""
    return [scope for scope in scopes if scope not in allowed]


def _signature(payload: str, master: str) -> bytes:
    key = hmac.digest(master.encode(), b"llmteam token v1", hashlib.sha256)
    return hmac.digest(key, payload.encode(), hashlib.sha256)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
