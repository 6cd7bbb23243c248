"""Turns of the event loop for the pure work of many runs: a slice at a time, tenants in turn."""

import asyncio
import time
from collections import OrderedDict, deque
from typing import Final
from uuid import UUID

FREE_SECONDS: Final = 0.002
"""What a run that has waited for something may do before it waits for its turn."""
SLICE_SECONDS: Final = 0.005
"""What it may do in one turn; with the work of one attempt on top it stays far below 20 ms."""

INLINE_UNITS: Final = 6_000
"""Fuel for the pure work of one attempt in the event loop, some 2 ms."""
ROUND_UNITS: Final = 30_000
"""The same for all attempts of one round together."""


class Turns:
    """Lets one run at a time go on with long work: between two of them everything else that is ready has its turn."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[UUID, deque[asyncio.Future[None]]] = OrderedDict()
        self._is_granting = False

    async def wait(self, tenant_id: UUID) -> None:
        """Return when it is the tenant's turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(tenant_id, deque()).append(turn)
        if not self._is_granting:
            self._is_granting = True
            loop.call_soon(self._grant, loop)
        await turn

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the next tenant a turn; the one after it comes in the loop's next round."""
        while self._waiting:
            tenant_id, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[tenant_id] = turns
            if not turn.cancelled():
                turn.set_result(None)
                loop.call_soon(self._grant, loop)
                return
        self._is_granting = False


class Slice:
    """The time that one run may go on working."""

    __slots__ = ("_ends", "_tenant_id", "_turns")

    def __init__(self, turns: Turns, tenant_id: UUID) -> None:
        self._turns = turns
        self._tenant_id = tenant_id
        self._ends = 0.0

    def begin(self) -> None:
        """Begin to work after a wait."""
        self._ends = time.monotonic() + FREE_SECONDS

    def is_over(self, now: float) -> bool:
        """Whether others go first, by the monotonic clock."""
        return now >= self._ends

    async def renew(self) -> None:
        """Let others go first."""
        await self._turns.wait(self._tenant_id)
        self._ends = time.monotonic() + SLICE_SECONDS
