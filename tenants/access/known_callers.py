"""Cache of callers whose keys were looked up a moment ago, so that not every request costs a look-up."""

import hashlib
import threading
import time
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction

from kernel.bounded_cache import BoundedCache
from tenants.types import Caller

REMEMBERED_SECONDS: Final = 4.0
"""Less than the 5 s within which a revoked key must be refused by every process."""
MAX_REMEMBERED: Final = 1_000


class KnownCallers:
    """Remembers callers by a hash of their key, for at most ``REMEMBERED_SECONDS`` from before they were read.

    Holds no key in clear. Holds at most ``MAX_REMEMBERED``. May be used from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_hash: BoundedCache[bytes, Caller] = BoundedCache(MAX_REMEMBERED)
        self._forgets = 0

    def find(self, key_text: str) -> Caller | None:
        """Return whose key this was a moment ago; None when that is not known any more."""
        return self._by_hash.get(_hash(key_text))

    def begin(self) -> tuple[float, int]:
        """Note when a look-up begins; ``remember`` asks for it."""
        return time.monotonic() + REMEMBERED_SECONDS, self._forgets

    def remember(self, key_text: str, caller: Caller, begun: tuple[float, int]) -> None:
        """Keep what was looked up, unless anything was forgotten meanwhile: it might have been read before that."""
        until, forgets = begun
        with self._lock:
            if forgets == self._forgets:
                self._by_hash.put(_hash(key_text), caller, until=until)

    def forget(self, tenant_id: UUID) -> None:
        """Forget the callers of a tenant: its keys are looked up again."""
        with self._lock:
            self._forgets += 1
            self._by_hash.drop(lambda caller: caller.tenant.id == tenant_id)


known_callers = KnownCallers()


def forget_callers_of(tenant_id: UUID) -> None:
    """Have this process look up a tenant's keys again: now, for the open transaction, and after its commit.

    The second time is for look-ups that read the rows in between, as they were. Other processes go on with what they
    remember for at most ``REMEMBERED_SECONDS``.
    """
    known_callers.forget(tenant_id)
    transaction.on_commit(partial(known_callers.forget, tenant_id))


def _hash(key_text: str) -> bytes:
    return hashlib.sha256(key_text.encode()).digest()
