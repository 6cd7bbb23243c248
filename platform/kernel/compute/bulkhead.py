"""Bulkhead: a bound on the threads that wait for one thing, of one tenant and of all together.

A request that waits holds one of the few threads all requests share.
"""

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Final

from kernel.compute.errors import ComputeBusy

MAX_OF_ONE: Final = 2
MAX_OF_ALL: Final = 4
RETRY_SECONDS: Final = 2


class Bulkhead:
    """Counts the threads that wait, by tenant. Safe for threads."""

    def __init__(self, *, most_of_one: int = MAX_OF_ONE, most_of_all: int = MAX_OF_ALL) -> None:
        self._most_of_one = most_of_one
        self._most_of_all = most_of_all
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def hold(self, tenant: Hashable) -> Iterator[None]:
        """Hold one place while a thread waits.

        Raises:
            ComputeBusy: The tenant, or all together, hold as many as they may.
        """
        with self._lock:
            if self._taken[tenant] >= self._most_of_one or self._taken.total() >= self._most_of_all:
                raise ComputeBusy(
                    "Other requests with much to compute are being worked on.", extra={"retry_after": RETRY_SECONDS}
                )
            self._taken[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[tenant] -= 1
                self._taken += Counter()  # forgets who holds none
