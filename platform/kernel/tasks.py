"""Tasks of an event loop, and their end."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.2


def ended_without_result(task: "asyncio.Task[Any]") -> bool:
    """Whether a task has ended without a result, so that whoever wants one has to ask again."""
    return task.done() and (task.cancelled() or task.exception() is not None)


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks until every one has ended, whatever it ends with.

    One cancellation can get lost: before Python 3.12 ``asyncio.wait_for``, which libraries use, drops one that comes
    as its answer does.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
        await asyncio.gather(*ended, return_exceptions=True)
