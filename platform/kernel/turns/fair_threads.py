"""Thread pool shared fairly by several owners: each gets its turn, and none ever holds all threads."""

import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from kernel.turns.rests import Rests

SHARE_OF_FREE: Final = 2
"""An owner takes another thread while it holds fewer than twice as many as would be free then: of 8 it may hold 5, and
of two one 5 and one 2. So a third finds a thread at once; only when three hold all do others wait for their turn."""
_NOBODY: Final = object()


class FairThreads:
    """Runs functions in threads, the owners' in turn, an owner's own in their order. May be used from any thread.

    Work of the owner None is the house's: no other owner's work, and not bounded by ``beside_others`` or ``share``.

    Args:
        threads: How many.
        name: What the threads' names begin with.
        beside_others: How many an owner may hold while others have work as well; None: as many as one that is alone.
            For functions that compute: their threads take turns of the interpreter, so each of one owner makes the
            others slower.
        share: Processor seconds a second that an owner may compute while another has work that computes clearly less;
            over it the owner rests between its functions, so that the other finds interpreter and processor free.
        is_short: Tells whether processors are short; while they are not, nobody rests.
    """

    def __init__(
        self,
        threads: int,
        *,
        name: str,
        beside_others: int | None = None,
        share: float = math.inf,
        is_short: Callable[[], bool] = lambda: True,
    ) -> None:
        self._free = threads
        self._beside_others = beside_others
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._held: Counter[Hashable] = Counter()
        self._rests = Rests(share, is_short)
        self._alarm_at = math.inf
        self._waiting: OrderedDict[Hashable, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Number of functions that wait for a thread."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def submit_for(self, owner: Hashable, function: Callable[[], Any]) -> Future[Any]:
        """Run a function as soon as it is its owner's turn; one that is cancelled before is not run."""
        future: Future[Any] = Future()
        with self._lock:
            if owner is not None:
                self._rests.note(owner)
            self._waiting.setdefault(owner, deque()).append((future, function))
            self._start_what_may()
        return future

    def _start_what_may(self) -> None:
        now = time.monotonic()
        while (found := next((one for one in self._waiting if self._may_start(one, now)), _NOBODY)) is not _NOBODY:
            owner: Hashable = found
            waiting = self._waiting.pop(owner)
            future, function = waiting.popleft()
            if waiting:
                self._waiting[owner] = waiting  # at the end: the others' turns come first
            if future.set_running_or_notify_cancel():
                self._free -= 1
                self._held[owner] += 1
                self._pool.submit(self._run, owner, future, function)
        self._set_alarm(now)

    def _may_start(self, owner: Hashable, now: float) -> bool:
        held = self._held[owner]
        if self._rests.is_resting(owner, now):
            return False
        if held and self._beside_others and held >= self._beside_others and self._has_others(owner):
            return False
        return self._free > 0 and (held == 0 or held < SHARE_OF_FREE * (self._free - 1))

    def _has_others(self, owner: Hashable) -> bool:
        return owner is not None and self._rests.has_others(owner)

    def _set_alarm(self, now: float) -> None:
        """Look again when the first rest ends of those who have work."""
        soonest = self._rests.first_end(self._waiting, now)
        if soonest < self._alarm_at:
            self._alarm_at = soonest
            alarm = threading.Timer(max(0.0, soonest - time.monotonic()), self._look_again)
            alarm.daemon = True
            alarm.start()

    def _look_again(self) -> None:
        with self._lock:
            self._alarm_at = math.inf
            self._start_what_may()

    def _run(self, owner: Hashable, future: Future[Any], function: Callable[[], Any]) -> None:
        began = time.thread_time()
        try:
            result = function()
        except BaseException as error:
            self._give_back(owner, time.thread_time() - began)
            future.set_exception(error)
        else:
            self._give_back(owner, time.thread_time() - began)
            future.set_result(result)

    def _give_back(self, owner: Hashable, computed: float) -> None:
        with self._lock:
            if owner is not None:
                self._rests.note(owner, computed)
            self._free += 1
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]
            self._start_what_may()
