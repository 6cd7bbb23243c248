"""Calls to one place wait for each other where a connection, or the installation, says how many may be in flight."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from kernel.ids import new_id
from runs.middleware.concurrency import Concurrency
from runs.step_api.base import Emit, Endpoint, StepCall


class Hall:
    """Counts who is inside at a time."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.passed = 0

    async def visit(self, call: StepCall, endpoint: Endpoint, seconds: float = 0.02) -> None:
        async with call.through_gates(endpoint):
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(seconds)
                self.passed += 1
            finally:
                self.inside -= 1


async def call_of(link: Concurrency, tenant_id: UUID) -> StepCall:
    context: Any = SimpleNamespace(tenant_id=tenant_id)
    call = StepCall(
        run_id=new_id(), step_id="step", activation=1, attempt=1, config=None, inputs={}, names={}, context=context,
        next_key=str, record=lambda _kind, _payload: None, log=logging.LoggerAdapter(logging.getLogger("test")),
    )  # type: ignore[arg-type]  # no config is read  # fmt: skip

    async def run(_call: StepCall) -> Emit:
        return Emit({})

    await link(call, run)
    return call


async def test_without_a_bound_all_go_at_once() -> None:
    link, hall = Concurrency(), Hall()
    call = await call_of(link, new_id())
    await asyncio.gather(*(hall.visit(call, Endpoint("a:443")) for _ in range(20)))
    assert (hall.most, hall.passed) == (20, 20)


async def test_with_a_bound_the_others_wait_and_all_pass() -> None:
    link, hall, tenant_id = Concurrency(), Hall(), new_id()
    calls = [await call_of(link, tenant_id) for _ in range(20)]
    await asyncio.gather(*(hall.visit(call, Endpoint("a:443", "crm", max_concurrency=3)) for call in calls))
    assert (hall.most, hall.passed) == (3, 20)
    assert link._doors == {}, "nothing is kept of a place nobody is at"


async def test_tenants_and_places_do_not_wait_for_each_other() -> None:
    link, hall = Concurrency(), Hall()
    first, second = await call_of(link, new_id()), await call_of(link, new_id())
    places = [Endpoint("a:443", max_concurrency=1), Endpoint("b:443", max_concurrency=1)]
    await asyncio.gather(*(hall.visit(call, place) for call in (first, second) for place in places for _ in range(3)))
    assert (hall.most, hall.passed) == (4, 12)


async def test_who_is_cut_off_while_waiting_or_inside_gives_the_place_up() -> None:
    link, hall = Concurrency(), Hall()
    call = await call_of(link, new_id())
    place = Endpoint("a:443", max_concurrency=1)
    inside = asyncio.create_task(hall.visit(call, place, 10))
    waiting = asyncio.create_task(hall.visit(call, place))
    await asyncio.sleep(0.01)
    assert hall.inside == 1
    waiting.cancel()
    inside.cancel()
    await asyncio.gather(inside, waiting, return_exceptions=True)
    async with asyncio.timeout(1):
        await hall.visit(call, place)
    assert (hall.passed, link._doors) == (1, {})
