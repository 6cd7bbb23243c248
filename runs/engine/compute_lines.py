"""Lines of attempts before the compute pool: each tenant's wait in their order, few at a time have work in the pool."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from kernel.compute.errors import ComputeBusy


class Lines:
    """A line for each tenant, of one event loop.

    Who waits here has written nothing down yet and asks nobody: a hundred attempts that wait cost what one does.

    Args:
        places: How many of a tenant have work in the pool at a time.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._lines: dict[Hashable, asyncio.Semaphore] = {}
        self._in_line: dict[Hashable, int] = {}

    @asynccontextmanager
    async def place(self, tenant: Hashable, *, patience_seconds: float) -> AsyncIterator[None]:
        """Wait in line, and hold a place.

        Raises:
            ComputeBusy: None was free in time.
        """
        line = self._lines.setdefault(tenant, asyncio.Semaphore(self._places))
        self._in_line[tenant] = self._in_line.get(tenant, 0) + 1
        try:
            try:
                async with asyncio.timeout(patience_seconds):
                    await line.acquire()
            except TimeoutError as error:
                raise ComputeBusy("The line before the compute pool is too long.") from error
            try:
                yield
            finally:
                line.release()
        finally:
            self._in_line[tenant] -= 1
            if not self._in_line[tenant]:
                del self._in_line[tenant], self._lines[tenant]
