"""The origins all active tenants allow, as a process remembers them: preflights name no tenant."""

import time
from typing import Final

from tenants.walls.lookups import allowed_origins

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
        self._origins = allowed_origins()
        self._until = until

    def forget(self) -> None:
        """Read them again before the next answer."""
        self._until = 0.0


known_origins = KnownOrigins()
