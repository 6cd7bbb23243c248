"""Runs take turns on their host's event loop, tenants one after the other; a watchdog tells of who held it."""

import asyncio
import logging
import time
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from runs.engine import slices
from runs.engine.slices import Slice, Turns
from runs.engine.watchdog import Watchdog, WatchedSelector

ACME, GLOBEX = uuid4(), uuid4()


def work(seconds: float) -> None:
    """Hold the processor of this thread."""
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


async def test_tenants_go_on_in_turn_however_many_runs_one_has() -> None:
    turns, went = Turns(), []

    async def go_on(tenant: str) -> None:
        await turns.wait(ACME if tenant == "acme" else GLOBEX)
        went.append(tenant)

    await asyncio.gather(*[go_on("acme") for _ in range(5)], go_on("globex"), go_on("globex"))
    assert went[:4] in (["acme", "globex"] * 2, ["globex", "acme"] * 2)
    assert went[4:] == ["acme"] * 3


async def test_between_two_turns_everything_else_that_is_ready_goes_on() -> None:
    turns, went = Turns(), []

    async def long_work() -> None:
        for _ in range(3):
            await turns.wait(ACME)
            went.append("long")

    async def short_work() -> None:
        for _ in range(6):
            went.append("short")
            await asyncio.sleep(0)

    await asyncio.gather(*[long_work() for _ in range(4)], short_work())
    assert "long long long" not in " ".join(went[: 2 * went.count("short")])


async def test_who_gives_up_a_turn_holds_up_nobody() -> None:
    turns = Turns()
    gives_up, waits = asyncio.create_task(turns.wait(ACME)), asyncio.create_task(turns.wait(ACME))
    await asyncio.sleep(0)
    gives_up.cancel()
    async with asyncio.timeout(5):
        await waits
        await turns.wait(GLOBEX)


async def test_a_run_waits_for_its_turn_only_once_its_slice_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    class Counted(Turns):
        async def wait(self, tenant_id: object) -> None:
            waited.append(tenant_id)

    own = Slice(Counted(), ACME)
    monkeypatch.setattr(slices, "FREE_SECONDS", 60.0)
    own.begin()
    assert not own.is_over(time.monotonic())
    monkeypatch.setattr(slices, "FREE_SECONDS", 0.0)
    own.begin()
    assert own.is_over(time.monotonic())
    await own.renew()
    assert waited == [ACME]
    assert not own.is_over(time.monotonic())


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

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(WatchedSelector(watchdog))) as runner:
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
