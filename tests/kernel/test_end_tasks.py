"""Tasks end when they are told to, although a library drops a cancellation."""

import asyncio

from kernel.tasks import end_tasks


async def drop(cancellations: int) -> None:
    """Sleep on, as many times as somebody asks for an end."""
    for _ in range(cancellations):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(60)


async def test_a_task_that_drops_cancellations_ends_all_the_same() -> None:
    stubborn, plain = asyncio.create_task(drop(2)), asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    stubborn.cancel()
    await asyncio.sleep(0)
    assert not stubborn.done(), "one cancellation is dropped"
    async with asyncio.timeout(10):
        await end_tasks([stubborn, plain])
    assert stubborn.cancelled()
    assert plain.cancelled()


async def test_a_task_that_fails_as_it_ends_is_over_too() -> None:
    async def fail() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("gone")

    failing = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await end_tasks([failing])
    assert isinstance(failing.exception(), OSError)
