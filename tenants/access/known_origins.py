"""The origins all active tenants allow, as a process remembers them: preflights name no tenant."""

import time
from typing import Final

from foundation.scope import unscoped
from tenants.models import Tenant

REMEMBERED_SECONDS: Final = 4.0


class KnownOrigins:
    """All origins that any active tenant lists."""

    def __init__(self) -> None:
        self._origins: frozenset[str] = frozenset()
        self._until = 0.0

    def __contains__(self, origin: str) -> bool:
        return origin in self._origins

    def is_old(self) -> bool:
        """Whether it is time to read them again."""
        return time.monotonic() >= self._until

    def read(self) -> None:
        """Read them from the database."""
        until = time.monotonic() + REMEMBERED_SECONDS
        with unscoped("a preflight names no tenant"):
            lists = Tenant.objects.filter(is_active=True).exclude(allowed_origins=[]).values_list("allowed_origins")
            self._origins = frozenset(origin for (origins,) in lists for origin in origins)
        self._until = until

    def forget(self) -> None:
        """Read them again before the next answer."""
        self._until = 0.0


known_origins = KnownOrigins()
