"""Those of one owner wait in line for its places, and each owner has its own."""

import asyncio

import pytest

from kernel.turns.lines import Lines, TooLongInLine

PLACES = 3


class Work:
    """What holds places until it is let go."""

    def __init__(self) -> None:
        self.lines = Lines(PLACES)
        self.begun: list[str] = []
        self.go = asyncio.Event()

    async def hold(self, tenant: str, number: int, patience_seconds: float = 10.0) -> None:
        async with self.lines.place(tenant, patience_seconds=patience_seconds):
            self.begun.append(f"{tenant} {number}")
            await self.go.wait()


async def test_so_many_of_a_tenant_have_places_and_others_have_their_own() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(work.hold("acme", number))
        group.create_task(work.hold("globex", 0))
        for _ in range(5):
            await asyncio.sleep(0)
        assert work.begun == ["acme 0", "acme 1", "acme 2", "globex 0"]
        work.go.set()
    assert work.begun[4:] == [f"acme {number}" for number in range(PLACES, 10)]


async def test_who_has_waited_long_enough_is_told_and_the_line_goes_on() -> None:
    work = Work()
    async with asyncio.TaskGroup() as group:
        for number in range(PLACES):
            group.create_task(work.hold("acme", number))
        await asyncio.sleep(0)
        with pytest.raises(TooLongInLine):
            await work.hold("acme", 99, patience_seconds=0.01)
        cancelled = group.create_task(work.hold("acme", 98))
        last = group.create_task(work.hold("acme", 97))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        work.go.set()
        await last
    assert work.begun == ["acme 0", "acme 1", "acme 2", "acme 97"]
