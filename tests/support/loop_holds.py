"""How long an event loop was held at most, in processor time of its thread: a busy machine does not count."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


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
