"""Runs take turns on their host's event loop, tenants one after the other; a watchdog tells of who held it."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from runs.engine.slices import Turns
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
    """A watched loop whose runs take turns; ``went`` has the tenants in the order in which their work went on."""

    def __init__(self) -> None:
        self.watchdog = Watchdog()
        self.turns = Turns(self.watchdog)
        self.went: list[str] = []

    def run(self, *works: "tuple[str, Coroutine[Any, Any, None]]") -> None:
        async def main() -> None:
            tenants = {"acme": ACME, "globex": GLOBEX}
            await asyncio.gather(*(self.turns.share(tenants[name], one) for name, one in works))

        with asyncio.Runner(loop_factory=partial(watched_loop, self.watchdog)) as runner:
            runner.run(main())

    async def steps(self, tenant: str, *, count: int, seconds: float = 0.003) -> None:
        for _ in range(count):
            work(seconds)
            self.went.append(tenant)
            await asyncio.sleep(0)


def test_tenants_go_on_in_turn_however_many_runs_one_has() -> None:
    loop = Loop()
    many = [("acme", loop.steps("acme", count=2)) for _ in range(20)]
    loop.run(*many, ("globex", loop.steps("globex", count=5)))
    last = max(place for place, tenant in enumerate(loop.went) if tenant == "globex")
    assert (loop.went.count("acme"), last < 20) == (40, True), loop.went


def test_short_work_takes_turns_together() -> None:
    rounds = 0
    loop = Loop()

    async def count_rounds() -> None:
        nonlocal rounds
        while len(loop.went) < 64:
            rounds += 1
            await asyncio.sleep(0)

    async def begin_late() -> None:
        work(0.003)

    short = [("acme", loop.steps("acme", count=1, seconds=0.0)) for _ in range(64)]
    loop.run(("acme", begin_late()), *short, ("globex", count_rounds()))
    assert rounds < 40


def test_work_that_is_cancelled_while_it_waits_for_its_turn_holds_up_nobody() -> None:
    loop, told = Loop(), []

    async def waits_for_ever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async def main() -> None:
        cancelled = asyncio.create_task(loop.turns.share(ACME, waits_for_ever()))
        await asyncio.sleep(0)
        work(0.003)
        waits = [asyncio.create_task(loop.turns.share(ACME, loop.steps("acme", count=1))) for _ in range(3)]
        await asyncio.sleep(0)
        waits[0].cancel()
        cancelled.cancel()
        await asyncio.wait([*waits, cancelled])
        assert [task.cancelled() for task in (*waits, cancelled)] == [True, False, False, True]

    with asyncio.Runner(loop_factory=partial(watched_loop, loop.watchdog)) as runner:
        runner.run(main())
    assert (told, loop.went) == (["cancelled"], ["acme"] * 3)


def test_a_run_waits_for_few_of_the_runs_another_tenant_has_ready(acme: Tenant, globex: Tenant) -> None:
    busy = [step(f"s{number}", "transform", expression=BUSY) for number in range(10)]
    calling = [step(f"call{number}", "probe") for number in range(5)]
    attacking = queue_runs(acme, segment(*busy), 100, input={"n": list(range(40))})
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
