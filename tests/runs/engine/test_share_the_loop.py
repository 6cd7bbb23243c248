"""Runs take turns on their host's event loop, tenants one after the other; a watchdog tells of who held it."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY

from runs.engine import loop_scheduler
from runs.engine.loop_scheduler import LoopScheduler
from runs.engine.watchdog import Watchdog, watched_loop
from tenants.models import Tenant
from tests.support.engine import get_run, queue_run, queue_runs, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

ACME, GLOBEX = uuid4(), uuid4()
BUSY = "[sum(a * b for a in run.input.n for b in run.input.n[:4]), run.input.n][1]"
"""Some two milliseconds of the event loop."""


def work(seconds: float) -> None:
    """Hold the processor of this thread."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


class Loop:
    """A watched loop shared by two tenants; ``went`` has them in the order in which their work went on."""

    def __init__(self, *, is_short: bool = False) -> None:
        self.watchdog = Watchdog()
        self.turns = LoopScheduler(self.watchdog, is_short=lambda: is_short)
        self.turns.run_came(ACME)
        self.turns.run_came(GLOBEX)
        self.went: list[str] = []

    def run(self, *works: Coroutine[Any, Any, None]) -> None:
        async def main() -> None:
            await asyncio.gather(*works)

        with asyncio.Runner(loop_factory=partial(watched_loop, self.watchdog)) as runner:
            runner.run(main())

    async def steps(self, tenant: str, *, count: int, seconds: float = 0.003) -> None:
        tenant_id = ACME if tenant == "acme" else GLOBEX
        for _ in range(count):
            if self.turns.must_wait(tenant_id):
                await self.turns.wait(tenant_id)
            work(seconds)
            self.went.append(tenant)
            await asyncio.sleep(0)


def test_tenants_go_on_in_turn_however_many_runs_one_has() -> None:
    loop = Loop()
    loop.run(*[loop.steps("acme", count=2) for _ in range(20)], loop.steps("globex", count=5))
    last = max(place for place, tenant in enumerate(loop.went) if tenant == "globex")
    assert (loop.went.count("acme"), last < 20) == (40, True), loop.went


def steps_of_a_busy_tenant(*, is_short: bool) -> int:
    """Count what one tenant's many runs do while another's one does thirty steps now and then."""
    loop = Loop(is_short=is_short)

    async def now_and_then() -> None:
        for _ in range(30):
            await loop.steps("globex", count=1, seconds=0.001)
            await asyncio.sleep(0.03)
        for one in busy:
            one.cancel()

    async def main() -> None:
        busy.extend(asyncio.create_task(loop.steps("acme", count=10_000)) for _ in range(20))
        await now_and_then()
        await asyncio.wait(busy)

    busy: list[asyncio.Task[None]] = []
    loop.run(main())
    assert loop.went.count("globex") == 30
    return loop.went.count("acme")


def test_a_tenant_that_computes_much_rests_where_processors_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_scheduler, "SHARE", 0.02)  # less than a loop has beside other busy programs
    assert steps_of_a_busy_tenant(is_short=True) * 2 < steps_of_a_busy_tenant(is_short=False)


def test_short_work_takes_turns_together() -> None:
    loop, rounds = Loop(), 0

    async def count_rounds() -> None:
        nonlocal rounds
        while len(loop.went) < 65:
            rounds += 1
            await asyncio.sleep(0)

    short = [loop.steps("acme", count=1, seconds=0.0) for _ in range(64)]
    loop.run(loop.steps("acme", count=1), *short, count_rounds())
    assert rounds < 40


def test_what_a_turn_began_goes_on_before_the_tenants_others_have_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_scheduler, "FREE_SECONDS", 60.0)
    loop, must_wait = Loop(), []

    async def main() -> None:
        another = asyncio.create_task(loop.turns.wait(ACME))
        must_wait.append(loop.turns.must_wait(ACME))
        await asyncio.sleep(0)
        must_wait.extend(loop.turns.must_wait(ACME, had_turn=had_turn) for had_turn in (False, True))
        await another

    loop.run(main())
    assert must_wait == [False, True, False]


def test_of_many_tenants_with_little_work_few_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, noted = Loop(), []
    monkeypatch.setattr(loop.turns._rests, "note", lambda tenant, seconds: noted.append(tenant))

    async def one_step(tenant_id: UUID) -> None:
        await loop.turns.wait(tenant_id)
        work(0.0001)

    loop.run(*[one_step(uuid4()) for _ in range(1_000)])
    assert 1 <= len(noted) <= 200


def test_work_that_is_cancelled_while_it_waits_for_its_turn_holds_up_nobody() -> None:
    loop = Loop()

    async def main() -> None:
        waits = [asyncio.create_task(loop.steps("acme", count=1)) for _ in range(4)]
        await asyncio.sleep(0)
        waits[1].cancel()
        await asyncio.wait(waits)
        assert [task.cancelled() for task in waits] == [False, True, False, False]

    loop.run(main())
    assert loop.went == ["acme"] * 3


def test_a_loop_is_shared_for_as_long_as_several_tenants_have_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_scheduler, "SHARED_SECONDS", 0.0)
    loop, seen = Loop(), []

    async def main() -> None:
        seen.append(loop.turns.is_shared)
        loop.turns.run_went(GLOBEX)
        await asyncio.sleep(0.01)
        seen.append(loop.turns.is_shared)

    loop.run(main())
    assert seen == [True, False]


def test_a_run_waits_for_few_of_the_runs_another_tenant_has_ready(acme: Tenant, globex: Tenant) -> None:
    busy = [step(f"s{number}", "transform", expression=BUSY) for number in range(10)]
    calling = [step(f"call{number}", "probe") for number in range(5)]
    attacking = queue_runs(acme, segment(*busy), 100, input={"n": list(range(120))})
    calls = queue_run(globex, segment(*calling))
    with running_host():
        wait_until_over(calls, *attacking, seconds=60)
    ended = get_run(calls).ended_at
    before = [run_id for run_id in attacking if get_run(run_id).ended_at < ended]
    assert len(before) < 50


def long_turns(cause: str) -> float:
    return REGISTRY.get_sample_value("llmteam_loop_long_turn_seconds_count", {"cause": cause}) or 0.0


def turn(doing: "list[tuple[object, float]]", *, blocked: float = 0.0) -> None:
    """One turn of a watched loop in which runs work for some time each."""
    watchdog = Watchdog()

    async def main() -> None:
        await asyncio.sleep(0.001)
        for run_id, seconds in doing:
            work(seconds)
            watchdog.note(ACME, run_id, "step_of_it", seconds)  # type: ignore[arg-type]
        time.sleep(blocked)  # noqa: ASYNC251 - the fault the watchdog is to find
        await asyncio.sleep(0.001)

    with asyncio.Runner(loop_factory=partial(watched_loop, watchdog)) as runner:
        runner.run(main())


def test_a_turn_that_works_too_long_is_counted_and_told_with_the_longest_in_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    before, long_run, short_run = long_turns("work"), uuid4(), uuid4()
    with caplog.at_level(logging.WARNING, "runs.engine.watchdog"):
        turn([(short_run, 0.005), (long_run, 0.03), (short_run, 0.005)])
    assert long_turns("work") == before + 1
    (line,) = [record.getMessage() for record in caplog.records if str(long_run) in record.getMessage()]
    assert f"tenant {ACME}, run {long_run}, step step_of_it, 30 ms" in line


def test_a_turn_that_only_waits_is_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    worked, waited = long_turns("work"), long_turns("waiting")
    turn([], blocked=0.05)
    assert (long_turns("work"), long_turns("waiting") > waited) == (worked, True)


def test_short_turns_are_not_counted() -> None:
    before = long_turns("work")
    turn([(uuid4(), 0.002)] * 2)
    assert long_turns("work") == before
