"""Lines before something that has few places for each owner."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class TooLongInLine(Exception):
    """No place was free in time."""


class Lines:
    """A line for each owner, of one event loop. A hundred who wait cost what one does.

    Args:
        places: How many of one owner hold a place at a time.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._lines: dict[Hashable, asyncio.Semaphore] = {}
        self._in_line: dict[Hashable, int] = {}

    @asynccontextmanager
    async def place(self, owner: Hashable, *, patience_seconds: float) -> AsyncIterator[None]:
        """Wait in line, and hold a place.

        Raises:
            TooLongInLine: None was free in time.
        """
        line = self._lines.setdefault(owner, asyncio.Semaphore(self._places))
        self._in_line[owner] = self._in_line.get(owner, 0) + 1
        try:
            try:
                async with asyncio.timeout(patience_seconds):
                    await line.acquire()
            except TimeoutError as error:
                raise TooLongInLine from error
            try:
                yield
            finally:
                line.release()
        finally:
            self._in_line[owner] -= 1
            if not self._in_line[owner]:
                del self._in_line[owner], self._lines[owner]
