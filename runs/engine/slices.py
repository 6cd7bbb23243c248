"""Fair turns of a host's event loop: tenants one after the other, a slice of time each."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, Final, TypeVar
from uuid import UUID

from runs.engine.watchdog import Watchdog

Answer = TypeVar("Answer")

FREE_SECONDS: Final = 0.002
"""What all runs do in one round of the loop before the rest of them wait for their turns."""
ALONE_SECONDS: Final = 0.02
"""The same while all of them are one tenant's: then the rest go on in the next round, as they come.

The fewer rounds the work of many runs takes, the fewer commits."""
SHARED_SECONDS: Final = 2.0
"""How long a tenant counts that has had work here."""
SLICE_SECONDS: Final = 0.002
"""What one does whose turn it is; with the work of one attempt on top it stays far below 20 ms."""
MOST_AT_ONCE: Final = 64
"""Turns given for one round of the loop while little is done in them; together they have one slice."""
KEPT_TENANTS: Final = 4_096
BEGIN: Final = object()
NEXT_ROUND: Final = (None,)

INLINE_UNITS: Final = 6_000
"""Fuel for the pure work of one attempt in the event loop, some 2 ms."""
ROUND_UNITS: Final = 30_000
"""The same for all attempts of one round together."""


class Turns:
    """Shares an event loop among the runs of a host.

    What goes on after a wait does so at once while the loop's round is young. The rest wait for their tenants' turns,
    and the tenant goes first whose last turn is longest ago: however many runs one tenant has ready, another's waits
    for a slice of one of them.
    """

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._waiting: dict[UUID, deque[asyncio.Future[None]]] = {}
        self._last_turns: dict[UUID, int] = {}
        self._turns = 0
        self._is_granting = False
        self._at_once = 1
        self._granted_at = 0.0
        self._ends = 0.0
        self._slice_ends = 0.0
        self._latest: UUID | None = None
        self._shared_until = 0.0

    @coroutine
    def share(self, tenant_id: UUID, work: Coroutine[Any, Any, Answer]) -> Generator[Any, None, Answer]:
        """Do a tenant's work in its turns: it waits for one before it begins, and whenever it has waited for a thing.

        Raises whatever the work raises, also when it is cancelled.
        """
        wait: Any = BEGIN
        thrown: BaseException | None = None
        while True:
            try:
                if wait is not BEGIN:
                    yield wait
                again = False
                while (turn := self._ask(tenant_id, again=again)) is not None:
                    yield from turn
                    if turn is not NEXT_ROUND and self._begins():
                        break
                    again = turn is not NEXT_ROUND
            except BaseException as error:  # it is the work that is cancelled
                thrown = error
            try:
                wait = work.send(None) if thrown is None else work.throw(thrown)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            thrown = None

    def are_over(self, now: float) -> bool:
        """Whether the present slice is used up, by the monotonic clock; ``asyncio.sleep(0)`` lets others go on."""
        return now >= self._ends

    def _ask(self, tenant_id: UUID, *, again: bool) -> Any:
        """Let work go on now (None), or say what it waits for: the loop's next round, or a turn.

        ``again``: it had a turn that others of its round have used up.
        """
        now = time.monotonic()
        if tenant_id != self._latest:
            self._shared_until = 0.0 if self._latest is None else now + SHARED_SECONDS
            self._latest = tenant_id
        is_shared = now < self._shared_until
        ends = max(self._watchdog.began, self._granted_at) + (FREE_SECONDS if is_shared else ALONE_SECONDS)
        if now < ends and tenant_id not in self._waiting:
            self._ends = min(ends, now + SLICE_SECONDS)
            return None
        if not is_shared and not self._waiting:
            return NEXT_ROUND
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        if not self._is_granting:
            self._is_granting = True
            loop.call_soon(self._grant, loop)
        turns = self._waiting.setdefault(tenant_id, deque())
        if again:
            turns.appendleft(turn)
        else:
            turns.append(turn)
        return turn

    def _begins(self) -> bool:
        """Begin what has a turn, unless those before it in this round have used up the slice."""
        now = time.monotonic()
        if not self._slice_ends:
            self._slice_ends = now + SLICE_SECONDS
        self._ends = self._slice_ends
        return now < self._ends

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give turns for the loop's next round; those of the last were taken just before."""
        now = time.monotonic()
        is_short = now - self._watchdog.began < SLICE_SECONDS / 2
        self._at_once = min(2 * self._at_once, MOST_AT_ONCE) if is_short else max(1, self._at_once // 2)
        self._granted_at = now
        self._slice_ends = 0.0
        granted = 0
        while self._waiting and granted < self._at_once:
            turn = self._next_turn()
            if not turn.done():
                turn.set_result(None)
                granted += 1
        self._is_granting = granted > 0
        if granted:
            loop.call_soon(self._grant, loop)

    def _next_turn(self) -> asyncio.Future[None]:
        tenant_id = min(self._waiting, key=lambda one: self._last_turns.get(one, 0))
        turns = self._waiting[tenant_id]
        turn = turns.popleft()
        if not turns:
            del self._waiting[tenant_id]
        if len(self._last_turns) > KEPT_TENANTS:
            self._last_turns.clear()
        self._turns += 1
        self._last_turns[tenant_id] = self._turns
        return turn
