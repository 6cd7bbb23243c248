"""Return of freed memory to the operating system."""

import asyncio
import gc
from typing import Final

from kernel.process_memory import release_free_memory
from runs.engine.memory.budget import MIB, MemoryBudget

LOOK_SECONDS: Final = 5.0
FEW_BYTES: Final = 8 * MIB
"""While runs hold more, a full collection would keep the event loop from its work for too long."""


async def return_memory_forever(budget: MemoryBudget) -> None:
    """Look again and again whether there is much to return."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if budget.take_surplus():
            await asyncio.to_thread(_return, collects=budget.held <= FEW_BYTES)


def _return(*, collects: bool) -> None:
    if collects:
        gc.collect()
    release_free_memory()
