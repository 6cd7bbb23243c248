"""Rate limits of operators' password attempts, by account and by address."""

import hashlib
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from limits import RateLimitItem
from prometheus_client import Counter

from tenants.access.rate_limits import per_seconds, rate_limits
from tenants.addresses import share_of

PER_ACCOUNT_BEFORE_DELAY: Final = 5
PER_ACCOUNT_BEFORE_LOCK: Final = 30
PER_ADDRESS_BEFORE_DELAY: Final = 10
PER_ADDRESS_BEFORE_LOCK: Final = 20
"""Fewer than of an account, so that one address alone locks nobody out."""

REFUSED: Final = Counter("llmteam_sign_ins_refused", "Passwords not looked at.", ["reason"])


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """Reason why a password is not checked now.

    Attributes:
        reason: ``account_delayed``, ``account_locked``, ``address_delayed``, ``address_locked``.
        seconds: When to try again.
        is_first: The account has been locked by this very attempt.
    """

    reason: str
    seconds: int
    is_first: bool = False

    @property
    def sentence(self) -> str:
        """Say so to whoever tries."""
        whose = "for this account" if self.reason.startswith("account") else "from your address"
        return f"Too many attempts to sign in were made {whose}."


def attempt(username: str, address: str) -> AttemptRefused | None:
    """Count an attempt; say why its password is not to be looked at, if so.

    What an address has too many of does not count for the account.
    """
    limits, account = rate_limits(), _account(username)
    for reason, limit in _limits():
        whose = account if reason.startswith("account") else share_of(address)
        if not limits.hit(limit, whose):
            REFUSED.labels(reason).inc()
            is_first = reason == "account_locked" and limits.hit(_notice_limit(), whose)
            return AttemptRefused(reason, limits.seconds_left(limit, whose), is_first)
    return None


def forget_attempts(username: str) -> None:
    """Forget what an account's owner mistyped, now that they have signed in."""
    for reason, limit in _limits():
        if reason.startswith("account"):
            rate_limits().clear(limit, _account(username))


def _limits() -> tuple[tuple[str, RateLimitItem], ...]:
    delay, lock = int(settings.LOGIN_DELAY_SECONDS), int(settings.LOGIN_LOCK_SECONDS)
    return (
        ("address_delayed", per_seconds("sign_in_address_delay", PER_ADDRESS_BEFORE_DELAY, delay)),
        ("address_locked", per_seconds("sign_in_address_lock", PER_ADDRESS_BEFORE_LOCK, lock)),
        ("account_locked", per_seconds("sign_in_account_lock", PER_ACCOUNT_BEFORE_LOCK, lock)),
        ("account_delayed", per_seconds("sign_in_account_delay", PER_ACCOUNT_BEFORE_DELAY, delay)),
    )


def _notice_limit() -> RateLimitItem:
    return per_seconds("sign_in_told", 1, int(settings.LOGIN_LOCK_SECONDS))


def _account(username: str) -> str:
    """Name an account in the counts, whatever was typed as one, without keeping it."""
    return hashlib.sha256(username.strip().casefold().encode()).hexdigest()[:32]
