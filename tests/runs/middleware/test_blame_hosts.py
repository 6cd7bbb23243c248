"""What a call's end says about its host, whatever the end is; and what a breaker keeps in memory."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from kernel.egress import BodyTooLarge, ConnectionFailed, DeadlineExceeded, EgressBlocked
from runs.middleware import circuit
from runs.middleware.circuit import CircuitBreaker
from runs.step_api.base import Defer, Endpoint, StepFailed
from tests.support.best_tries import quick_once_on_loop
from tests.support.breakers import HOST_FAILED, go, make_call


async def is_open(breaker: CircuitBreaker, call: Any) -> bool:
    try:
        async with breaker.gate(call, Endpoint("host.test:443")):
            return False
    except Defer as deferred:
        return deferred.reason == "circuit" and 25 < (deferred.until - datetime.now(UTC)).total_seconds() < 32


@pytest.mark.parametrize("error", [HOST_FAILED, ConnectionFailed(), DeadlineExceeded()])
async def test_what_the_other_side_is_to_blame_for_opens_it(breaker: CircuitBreaker, error: Exception) -> None:
    call = make_call()
    await go(breaker, call, error, times=9)
    assert not await is_open(breaker, call)
    await go(breaker, call, error, times=1)
    assert await is_open(breaker, call)


@pytest.mark.parametrize(
    "error",
    [None, StepFailed("X", "Ours."), ValueError("a bug"), EgressBlocked("no"), BodyTooLarge(1), KeyboardInterrupt()],
)
async def test_every_other_end_is_a_success(breaker: CircuitBreaker, error: BaseException | None) -> None:
    call = make_call()
    await go(breaker, call, error, times=11)
    await go(breaker, call, HOST_FAILED, times=10)
    assert not await is_open(breaker, call), "ten of twenty-one"
    await go(breaker, call, HOST_FAILED, times=2)
    assert await is_open(breaker, call)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Defer(datetime.now(UTC), "rate_limit"), GeneratorExit()])
async def test_who_was_cancelled_or_put_off_says_nothing(breaker: CircuitBreaker, error: BaseException) -> None:
    call = make_call()
    await go(breaker, call, error, times=40)
    await go(breaker, call, HOST_FAILED, times=10)
    assert await is_open(breaker, call)


async def test_who_is_cancelled_while_waiting_takes_nobodys_place(breaker: CircuitBreaker) -> None:
    call, leave = make_call(), asyncio.Event()

    async def stay() -> None:
        async with breaker.gate(call, Endpoint("host.test:443")):
            await leave.wait()

    inside = [asyncio.create_task(stay()) for _ in range(16)]
    await asyncio.sleep(0.1)
    waiting = [asyncio.create_task(stay()) for _ in range(50)]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    late = asyncio.create_task(stay())
    await asyncio.sleep(0.05)
    leave.set()
    await asyncio.wait_for(asyncio.gather(*inside, late), 2)


async def test_who_waits_longer_than_half_of_its_time_is_put_off(breaker: CircuitBreaker) -> None:
    call, leave = make_call(), asyncio.Event()

    async def stay() -> None:
        async with breaker.gate(call, Endpoint("host.test:443")):
            await leave.wait()

    inside = [asyncio.create_task(stay()) for _ in range(16)]
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()

    async def be_put_off() -> None:
        hasty = make_call(context=call.context, deadline=loop.time() + 0.6)
        with pytest.raises(Defer) as put_off:
            async with breaker.gate(hasty, Endpoint("host.test:443")):
                raise AssertionError("there was no room")
        assert put_off.value.reason == "circuit"

    assert await quick_once_on_loop(be_put_off, seconds=0.5) > 0.2
    leave.set()
    await asyncio.gather(*inside)


async def test_hosts_nobody_calls_any_more_are_forgotten(
    breaker: CircuitBreaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "KEPT_CIRCUITS", 5)
    call, leave = make_call(), asyncio.Event()

    async def stay() -> None:
        async with breaker.gate(call, Endpoint("busy.test:443")):
            await leave.wait()

    busy = asyncio.create_task(stay())
    for number in range(40):
        async with breaker.gate(call, Endpoint(f"host-{number}.test:443")):
            pass
        await asyncio.sleep(0.01)
    assert f"{call.context.tenant_id}:busy.test:443" in breaker._circuits
    assert len(breaker._circuits) <= 7
    leave.set()
    await busy
