"""Turns of the streams of models on an event loop: of those of one tenant, one is read on in each round of the loop."""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

_Waiting: TypeAlias = "dict[Hashable, deque[asyncio.Future[None]]]"
_WAITING: Final["WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiting]"] = WeakKeyDictionary()


async def stream_turn(tenant: Hashable) -> None:
    """Return when it is the turn of the stream that asks, so that others wait for no more than one of a tenant's."""
    loop = asyncio.get_running_loop()
    waiting = _WAITING.setdefault(loop, {})
    if tenant not in waiting:
        waiting[tenant] = deque()
        loop.call_soon(_grant, loop, waiting, tenant)
    turn: asyncio.Future[None] = loop.create_future()
    waiting[tenant].append(turn)
    await turn


def _grant(loop: asyncio.AbstractEventLoop, waiting: _Waiting, tenant: Hashable) -> None:
    """Let the stream go on that has waited for longest; those that were given up have no turn."""
    turns = waiting[tenant]
    while turns:
        turn = turns.popleft()
        if not turn.done():
            turn.set_result(None)
            loop.call_soon(_grant, loop, waiting, tenant)
            return
    del waiting[tenant]
