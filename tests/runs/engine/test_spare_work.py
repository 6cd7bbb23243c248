"""What the engine does for a step is bounded: what it calls, what it keeps in memory, what it sets timers for."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from runs.engine.run.alarm import Alarm
from tenants.models import Tenant
from tests.support.best_tries import least_of
from tests.support.engine import get_run, queue_runs, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step

CHECKOUT = Path(__file__).parents[3]
OURS = tuple(f"{CHECKOUT / folder}/" for folder in ("platform", "runs", "segments", "tenants"))
RUNS, STEPS = 40, 10
MOST_CALLS = 200.0
"""Of our own functions, for a step that does nothing: coroutines count each time they go on."""


class Calls:
    """How often functions of ours were called in threads that began meanwhile."""

    number = 0

    def note(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            self.number += 1


@contextmanager
def counted_calls() -> Iterator[Calls]:
    calls = Calls()
    threading.setprofile(calls.note)
    try:
        yield calls
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]  # typeshed lacks what the documentation allows


def run_all(tenant: Tenant, steps: int, *, runs: int = RUNS, **config: object) -> list[object]:
    """The outputs of runs of a chain of probes, all queued before a host comes."""
    document = segment(*(step(f"s{number}", **config) for number in range(steps)))
    queued = queue_runs(tenant, document, runs)
    with running_host():
        assert set(wait_until_over(*queued)) == {"completed"}
    return [get_run(run_id).output for run_id in queued]


def test_a_step_of_a_chain_takes_few_calls(acme: Tenant, settings: Any) -> None:
    # What a host does by the clock is no work for a step, and more of it the slower the machine is.
    settings.SWEEP_SECONDS, settings.WORKER_HEARTBEAT_SECONDS = 60, 15

    def of_a_step() -> float:
        with counted_calls() as of_one:
            run_all(acme, 1)
        with counted_calls() as of_many:
            run_all(acme, 1 + STEPS)
        return (of_many.number - of_one.number) / (RUNS * STEPS)

    least_of(of_a_step, below=MOST_CALLS)


def test_of_attempts_that_end_at_once_none_keeps_its_call(acme: Tenant) -> None:
    found = [int(str(output)) for output in run_all(acme, 1, runs=12, result_of="calls_in_memory")]
    assert max(found) - min(found) <= 2, found


def ringing(*at: float, seconds: float) -> int:
    """How often an alarm rings in some seconds that is set for several times, one after the other."""

    async def main() -> int:
        rung: list[None] = []
        alarm = Alarm(lambda: rung.append(None))
        began = asyncio.get_running_loop().time()
        for one in at:
            alarm.set(began + one)
        await asyncio.sleep(seconds)
        alarm.cancel()
        return len(rung)

    return asyncio.run(main())


def test_an_alarm_rings_once_at_the_earliest_time_it_was_set_for() -> None:
    assert ringing(0.01, seconds=0.2) == 1
    assert ringing(60, 0.01, seconds=0.2) == 1
    assert ringing(0.01, 60, seconds=0.2) == 1
    assert ringing(-1, seconds=0.2) == 1
    assert ringing(60, seconds=0.2) == 0


def test_an_alarm_that_has_rung_can_be_set_again() -> None:
    async def main() -> None:
        rung = asyncio.Event()
        alarm = Alarm(rung.set)
        for _ in range(3):
            alarm.set(asyncio.get_running_loop().time() + 0.01)
            await asyncio.wait_for(rung.wait(), 5)
            rung.clear()
        alarm.set(asyncio.get_running_loop().time() + 0.01)
        alarm.cancel()
        await asyncio.sleep(0.1)
        assert not rung.is_set()

    asyncio.run(main())


def test_an_alarm_set_later_and_later_takes_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        timers: list[float] = []

        def call_at(at: float, ring: Callable[[], None]) -> asyncio.TimerHandle:
            timers.append(at)
            return asyncio.TimerHandle(at, ring, (), loop)

        monkeypatch.setattr(loop, "call_at", call_at)
        alarm = Alarm(lambda: None)
        for number in range(10):
            alarm.set(loop.time() + 60 + number)
        return len(timers)

    assert asyncio.run(main()) == 1
