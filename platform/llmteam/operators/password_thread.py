"""The thread that checks passwords: attempts wait for each other there, never in the threads of requests."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from llmteam.threads import RequestThreads

MAX_WAITING: Final = 40
MAX_WAITING_PER_ADDRESS: Final = 2

LOGINS: Final = RequestThreads(1, name="login")
"""One: a second would take the processor from everybody, to the gain of those who guess."""


class PasswordThreadBusy(Exception):
    """Too many passwords wait to be judged."""


class PasswordQueue:
    """The places of those who wait, few of them for one address. Used on the event loop only."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, share: str) -> Iterator[None]:
        """Hold a place.

        Raises:
            Busy: There is none, or none for this address.
        """
        if self._taken.total() >= MAX_WAITING or self._taken[share] >= MAX_WAITING_PER_ADDRESS:
            raise PasswordThreadBusy
        self._taken[share] += 1
        try:
            yield
        finally:
            self._taken[share] -= 1
            if not self._taken[share]:
                del self._taken[share]
