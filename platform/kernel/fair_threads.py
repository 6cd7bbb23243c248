"""Thread pool shared fairly by several owners: each gets its turn, and none ever holds all threads."""

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

SHARE_OF_FREE: Final = 2
"""An owner takes another thread while it holds fewer than twice as many as would be free then: of 8 it may hold 5, and
of two one 5 and one 2. So a third finds a thread at once; only when three hold all do others wait for their turn."""
OTHERS_SECONDS: Final = 2.0
"""How long others count as having work after they last had some."""


_NOBODY: Final = object()


class FairThreads:
    """Runs functions in threads, the owners' in turn, an owner's own in their order. May be used from any thread.

    Work of the owner None is the house's: no other owner's work, and not bounded by ``beside_others``.

    Args:
        threads: How many.
        name: What the threads' names begin with.
        beside_others: How many an owner may hold while others have work as well; None: as many as one that is alone.
            For functions that compute: their threads take turns of the interpreter, so each of one owner makes the
            others slower.
    """

    def __init__(self, threads: int, *, name: str, beside_others: int | None = None) -> None:
        self._free = threads
        self._beside_others = beside_others
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()
        self._latest: Hashable = None
        self._latest_at = self._others_at = -OTHERS_SECONDS
        self._waiting: OrderedDict[Hashable, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many functions wait for a thread."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def submit_for(self, owner: Hashable, function: Callable[[], Any]) -> Future[Any]:
        """Run a function as soon as it is its owner's turn; one that is cancelled before is not run."""
        future: Future[Any] = Future()
        with self._lock:
            self._note(owner)
            self._waiting.setdefault(owner, deque()).append((future, function))
            self._start_what_may()
        return future

    def _start_what_may(self) -> None:
        while (found := next(filter(self._may_start, self._waiting), _NOBODY)) is not _NOBODY:
            owner: Hashable = found
            waiting = self._waiting.pop(owner)
            future, function = waiting.popleft()
            if waiting:
                self._waiting[owner] = waiting  # at the end: the others' turns come first
            if future.set_running_or_notify_cancel():
                self._free -= 1
                self._held[owner] += 1
                self._pool.submit(self._run, owner, future, function)

    def _note(self, owner: Hashable) -> None:
        if owner is None:
            return
        if owner != self._latest:
            self._latest, self._others_at = owner, self._latest_at
        self._latest_at = time.monotonic()

    def _may_start(self, owner: Hashable) -> bool:
        held = self._held[owner]
        if held and self._beside_others and held >= self._beside_others and self._has_others(owner):
            return False
        return self._free > 0 and (held == 0 or held < SHARE_OF_FREE * (self._free - 1))

    def _has_others(self, owner: Hashable) -> bool:
        if owner is None:
            return False
        at = self._others_at if owner == self._latest else self._latest_at
        return time.monotonic() - at < OTHERS_SECONDS

    def _run(self, owner: Hashable, future: Future[Any], function: Callable[[], Any]) -> None:
        try:
            result = function()
        except BaseException as error:
            self._give_back(owner)
            future.set_exception(error)
        else:
            self._give_back(owner)
            future.set_result(result)

    def _give_back(self, owner: Hashable) -> None:
        with self._lock:
            self._free += 1
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]
            self._start_what_may()
