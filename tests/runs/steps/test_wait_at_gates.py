"""A call that is not an attempt's first waits at a closed gate in place: put off, the attempt would begin anew."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from kernel.clock import utc_now
from kernel.ids import new_id
from runs.step_api.base import Defer, Endpoint, RuntimeContext, StepCall, StepConfig
from tests.support.gates import Window

HERE = Endpoint("127.0.0.1:1", "here")


def call_at(*gates: Any, seconds: float | None = None) -> StepCall:
    return StepCall(
        run_id=new_id(), step_id="step", activation=1, attempt=1, config=StepConfig(), inputs={}, names={},
        context=cast("RuntimeContext", None), next_key=str, record=lambda _kind, _payload: None,
        log=logging.LoggerAdapter(logging.getLogger("test")), gates=list(gates),
        deadline=None if seconds is None else time.monotonic() + seconds,
    )  # fmt: skip


async def test_it_waits_until_there_is_room() -> None:
    window = Window(1)
    call = call_at(window.gate)
    async with call.through_gates(HERE):
        pass
    with pytest.raises(Defer):
        async with call.through_gates(HERE):
            raise AssertionError("the gate was closed")
    began = time.monotonic()
    async with call.through_gates(HERE, patient=True):
        assert time.monotonic() - began > 0.1
    assert len(window.begun) == 2


async def test_it_does_not_wait_beyond_the_attempt_s_time() -> None:
    call = call_at(Window(1, seconds=60).gate, seconds=30)
    async with call.through_gates(HERE, patient=True):
        pass
    began = time.monotonic()
    with pytest.raises(Defer):
        async with call.through_gates(HERE, patient=True):
            raise AssertionError("the gate was closed")
    assert time.monotonic() - began < 20, "it would have waited for a minute, or for its own half"


async def test_packages_may_still_call_it_by_its_name_of_before() -> None:
    window = Window(2)
    call = call_at(window.gate)
    async with call.through_gates(HERE):
        pass
    with pytest.warns(DeprecationWarning, match="through_gates"):
        passing = call.outside(HERE)
    async with passing:
        pass
    assert len(window.begun) == 2


async def test_what_a_call_itself_raises_is_never_waited_for() -> None:
    until = utc_now() + timedelta(seconds=0.01)
    with pytest.raises(Defer):
        async with call_at().through_gates(HERE, patient=True):
            raise Defer(until, "circuit")


async def test_gates_passed_before_the_closed_one_are_told() -> None:
    told: list[str] = []

    @asynccontextmanager
    async def first(call: StepCall, endpoint: Endpoint) -> AsyncIterator[None]:
        try:
            yield
        except Defer:
            told.append("put off")
            raise
        told.append("done")

    window = Window(1)
    call = call_at(first, window.gate)
    for _ in range(2):
        async with call.through_gates(HERE, patient=True):
            pass
    assert told == ["done", "put off", "done"]
