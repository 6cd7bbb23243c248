"""Bounds on wrong credentials: keys, tokens and sign-ins that are refused are counted by address and by account."""

import hashlib
import time
from typing import Final

from django.conf import settings
from prometheus_client import Counter

from kernel.bounded_cache import BoundedCache
from tenants.access.rate_limits import per_seconds, rate_limits
from tenants.errors import TooManyAttempts

WINDOW_SECONDS: Final = 60
MAX_PER_ACCOUNT: Final = 20
MAX_CLOSED: Final = 10_000

WRONG: Final = Counter("llmteam_wrong_credentials", "Keys, tokens and sign-ins that were wrong.", ["kind", "answer"])


class Attempts:
    """Wrong credentials of one kind, counted for all processes; while Redis is away, for this one.

    An address with too many is closed to those nobody knows: nothing it shows is looked at until its window ends. An
    account with too many is never closed, or anybody could lock its owner out: what is wrong is told to wait, what is
    right is let in. The honest cost nothing: only what is wrong is counted. For any thread.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._closed: BoundedCache[str, float] = BoundedCache(MAX_CLOSED)  # by address, until when

    def check(self, address: str) -> None:
        """Refuse where this process knows the address as closed.

        Raises:
            TooManyAttempts: It is.
        """
        until = self._closed.get(address)
        seconds = 0.0 if until is None else until - time.monotonic()
        if seconds > 0:
            self._refuse("address", settings.WRONG_CREDENTIALS_PER_MINUTE, max(1, round(seconds)))

    def count(self, address: str, account: str | None = None) -> None:
        """Count a wrong one.

        Args:
            address: Who showed it, as ``share_of`` names them.
            account: Whom it was for, as they named it; kept as a hash.

        Raises:
            TooManyAttempts: It is one too many, of the address or for the account.
        """
        limits, most = rate_limits(), int(settings.WRONG_CREDENTIALS_PER_MINUTE)
        limit = per_seconds(f"{self._kind}_wrong_of_address", most, WINDOW_SECONDS)
        if not limits.hit(limit, address):
            seconds = limits.seconds_left(limit, address)
            self._closed.put(address, time.monotonic() + seconds)
            self._refuse("address", most, seconds)
        if account is not None:
            limit = per_seconds(f"{self._kind}_wrong_for_account", MAX_PER_ACCOUNT, WINDOW_SECONDS)
            name = hashlib.sha256(account.encode()).hexdigest()[:32]
            if not limits.hit(limit, name):
                self._refuse("account", MAX_PER_ACCOUNT, limits.seconds_left(limit, name))
        WRONG.labels(self._kind, "refused").inc()

    def _refuse(self, whose: str, most: int, seconds: int) -> None:
        WRONG.labels(self._kind, f"{whose}_limited").inc()
        of = "from your address" if whose == "address" else "for this account"
        raise TooManyAttempts(
            f"Over {most} wrong attempts were made {of} within a minute; try again in {seconds} s.",
            extra={"limit": whose, "cap": most, "retry_after": seconds},
        )


KEYS: Final = Attempts("key")
SIGN_INS: Final = Attempts("sign_in")
