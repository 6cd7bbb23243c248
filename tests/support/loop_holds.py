"""How long an event loop was held at most, in processor time of its thread: a busy machine does not count."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.best_tries import TRIES


@dataclass
class Holds:
    """What was measured; complete behind the block."""

    longest: float = 0.0
    turns: int = 0


@asynccontextmanager
async def measured_holds() -> AsyncIterator[Holds]:
    """Measure while the block runs; by turns the loop takes all the time."""
    holds = Holds()

    async def watch() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            holds.longest, holds.turns, last = max(holds.longest, now - last), holds.turns + 1, now

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield holds
    finally:
        await asyncio.sleep(0)
        watcher.cancel()


async def held_briefly(work: Callable[[], Awaitable[None]], *, below: float) -> Holds:
    """Do some work until it held the loop for less than so many seconds once, and return what that measured.

    Something else of the process, such as a collection of garbage, may hold it in some tries; a defect does in all.
    """
    found: list[float] = []
    for _ in range(TRIES):
        async with measured_holds() as holds:
            await work()
        if holds.longest < below:
            return holds
        found.append(holds.longest)
    raise AssertionError(f"it held the loop for {min(found):.3f} s at least, not below {below} s")
