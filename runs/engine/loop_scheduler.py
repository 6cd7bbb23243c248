"""Scheduler of a host's event loop: tenants in turn, a slice of time each."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from kernel.turns.processor_shortage import ProcessorShortage
from kernel.turns.rests import Rests
from kernel.turns.turn_queue import TurnQueue
from runs.engine.watchdog import Watchdog

FREE_SECONDS: Final = 0.002
"""Time for runs in one round of the loop before the rest of them wait for their turns."""
SLICE_SECONDS: Final = 0.002
"""Time for those together whose turn it is; with the work of one attempt on top it stays far below 20 ms."""
ALONE_SECONDS: Final = 0.02
"""The same while all runs are one tenant's: the fewer rounds the work of many runs takes, the fewer commits."""
RUN_SECONDS: Final = 0.005
"""Time for one run in one go while all are one tenant's."""
SHARED_SECONDS: Final = 2.0
"""Time for which the loop counts as shared after a second tenant's last run has gone."""
SHARE: Final = 0.3
"""Processor seconds a second that a tenant's runs have where processors are short and another's have clearly less."""
MAX_AT_ONCE: Final = 64
"""Turns given for one round of the loop while little is done in them."""
KEPT_TENANTS: Final = 4_096
NOTED_SECONDS: Final = 0.005
"""Processor time of the loop after which it is noted whose it was: that costs as much as a short turn."""
NOTED_SHARE: Final = 0.1
"""Part of that time below which a tenant's is not noted: it is far from a share to rest for."""

INLINE_UNITS: Final = 6_000
"""Fuel for the pure work of one attempt in the event loop, some 2 ms."""
ROUND_UNITS: Final = 30_000
"""The same for all attempts of one round together."""


class LoopScheduler:
    """Shares an event loop among the runs of a host.

    What goes on after a wait does so at once while the loop's round is young. The rest wait for their tenants' turns,
    and the tenant goes first whose last turn is longest ago: however many runs one tenant has ready, another's waits
    for a slice of one of them. Where processors are short, a tenant whose runs compute much rests between its turns.

    Args:
        watchdog: Of the loop.
        is_short: Tells whether processors are short; None: as this process feels it.

    Attributes:
        is_shared: Whether several tenants have runs here.
    """

    def __init__(self, watchdog: Watchdog, *, is_short: Callable[[], bool] | None = None) -> None:
        self.is_shared = False
        self._watchdog = watchdog
        self._runs: Counter[UUID] = Counter()
        # By the tenants' numbers, which cost less than their ids.
        self._waiting: TurnQueue[int, asyncio.Future[None]] = TurnQueue(KEPT_TENANTS)
        self._is_granting = False
        self._at_once = 1
        self._granted_at = 0.0
        self._ends = 0.0
        self._slice_ends = 0.0
        self._rests = Rests(SHARE, is_short or ProcessorShortage().is_there)
        self._going: int | None = None
        self._computed = self._noted = 0.0
        self._unnoted: dict[int, float] = {}
        self._alarm: asyncio.TimerHandle | None = None

    def run_came(self, tenant_id: UUID) -> None:
        """Take into account that a tenant has one more run here."""
        self._runs[tenant_id] += 1
        self.is_shared = self.is_shared or len(self._runs) > 1

    def run_went(self, tenant_id: UUID) -> None:
        """Take into account that it has one less."""
        self._runs[tenant_id] -= 1
        if not self._runs[tenant_id]:
            del self._runs[tenant_id]
            asyncio.get_running_loop().call_later(SHARED_SECONDS, self._count_tenants)

    def are_over(self, now: float) -> bool:
        """Whether the present slice is used up, by the monotonic clock; then others go first (``wait``)."""
        return now >= self._ends

    def must_wait(self, tenant_id: UUID, *, had_turn: bool = False) -> bool:
        """Begin a slice for what goes on after a wait, or say that it has to ``wait`` for its turn.

        What belongs to a turn that its run has just had goes before the tenant's others that wait for theirs.
        """
        now = time.monotonic()
        if not self.is_shared:
            self._ends = now + FREE_SECONDS
            return False
        left = max(self._granted_at, self._watchdog.began) + FREE_SECONDS - now
        is_in_line = tenant_id.int in self._waiting and not had_turn
        if left <= 0 or is_in_line or self._rests.is_resting(tenant_id.int, now):
            return True
        self._go(tenant_id.int)
        self._ends = now + min(RUN_SECONDS, left)
        return False

    async def wait(self, tenant_id: UUID) -> None:
        """Return when it is the tenant's turn."""
        await self._ask(tenant_id, again=False)
        while not self._begins():
            await self._ask(tenant_id, again=True)
        if self.is_shared:
            self._go(tenant_id.int)

    def _count_tenants(self) -> None:
        self.is_shared = len(self._runs) > 1

    def _ask(self, tenant_id: UUID, *, again: bool) -> "asyncio.Future[None]":
        """Take a place behind the tenant's others, or before them where those of its last round used up the slice."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self._is_granting:
            self._is_granting = True
            loop.call_soon(self._grant, loop)
        self._waiting.add(tenant_id.int, turn, first=again)
        return turn

    def _begins(self) -> bool:
        """Begin what has a turn, unless those before it in this round have used up the slice."""
        now = time.monotonic()
        if not self._slice_ends:
            self._slice_ends = now + self._slice()
        self._ends = min(self._slice_ends, now + RUN_SECONDS)
        return now < self._ends

    def _go(self, tenant: int | None) -> None:
        """Note what the tenant that went last has computed; now it is another's turn, or nobody's."""
        computed = time.thread_time()
        if self._going is not None:
            self._unnoted[self._going] = self._unnoted.get(self._going, 0.0) + computed - self._computed
        self._going, self._computed = tenant, computed
        if computed - self._noted >= NOTED_SECONDS:
            self._note(computed - self._noted)
            self._noted = computed

    def _note(self, total: float) -> None:
        """Note whose the processor time was; of those who had little one is noted, as others to stand back for."""
        least = None
        for tenant, seconds in self._unnoted.items():
            if seconds >= NOTED_SHARE * total:
                self._rests.note(tenant, seconds)
            else:
                least = tenant
        if least is not None:
            self._rests.note(least, self._unnoted[least])
        self._unnoted.clear()

    def _slice(self) -> float:
        return SLICE_SECONDS if self.is_shared else ALONE_SECONDS

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give turns for the loop's next round; those of the last were taken just before."""
        self._go(None)
        now = time.monotonic()
        is_short = now - self._watchdog.began < self._slice() / 2
        self._at_once = min(2 * self._at_once, MAX_AT_ONCE) if is_short else max(1, self._at_once // 2)
        self._granted_at = now
        self._slice_ends = 0.0
        granted = 0
        rests = partial(self._rests.is_resting, now=now)
        while granted < self._at_once and (turn := self._waiting.take(rests)) is not None:
            if not turn.done():
                turn.set_result(None)
                granted += 1
        self._is_granting = granted > 0
        if granted:
            loop.call_soon(self._grant, loop)
        elif self._waiting:
            self._grant_later(loop, now)

    def _grant_later(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        """Look again when the first rest is over; who comes meanwhile and need not rest has its turn at once."""
        if self._alarm is not None:
            self._alarm.cancel()
        first = self._rests.first_end(self._waiting.owners, now)
        self._alarm = loop.call_later(first - time.monotonic(), self._wake_up, loop)

    def _wake_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        if not self._is_granting:
            self._is_granting = True
            self._grant(loop)
