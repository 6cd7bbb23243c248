"""The compute pool: what it calls, what it bounds, and that it leaves nothing behind."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from kernel.compute.errors import ComputeBusy, ComputeFailed, ComputeLimit, ComputeUnavailable
from kernel.compute.pool import ComputePool
from kernel.compute.slot import ProcessBounds
from tests.support.child_python import child_python, read_words
from tests.support.compute_functions import FUNCTIONS

MIB = 1 << 20
Make = Callable[..., ComputePool]


@pytest.fixture
def make() -> Iterator[Make]:
    made = []

    def make_pool(*, seconds: float = 5.0, memory: int = 256 * MIB, **options: int) -> ComputePool:
        pool = ComputePool(FUNCTIONS, ProcessBounds(seconds=seconds, memory_bytes=memory), **options)
        made.append(pool)
        return pool

    yield make_pool
    for pool in made:
        pool.close()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "kernel.compute.child" in child.cmdline()}


async def begun(pool: ComputePool) -> None:
    """Wait until some work is with a process."""
    while not pool._queue.running:  # noqa: ASYNC110 - a thread of the pool tells nobody
        await asyncio.sleep(0.001)


async def test_a_loop_and_a_thread_get_the_same_answer(make: Make) -> None:
    pool = make()
    payload = bytes(range(256)) * 40_000
    assert await pool.run("acme", "echo", payload) == payload
    assert await asyncio.to_thread(pool.run_blocking, "acme", "echo", payload) == payload
    assert await pool.run("acme", "echo", b"") == b""


async def test_processes_start_when_first_needed_and_are_used_again(make: Make) -> None:
    before = children()
    pool = make(processes=2)
    assert children() == before
    first = int(await pool.run("acme", "pid", b""))
    assert children() - before == {first}
    assert {int(await pool.run("acme", "pid", b"")) for _ in range(5)} == {first}


async def test_the_loop_goes_on_while_a_process_works(make: Make) -> None:
    pool = make(seconds=1.0)
    await pool.run("acme", "echo", b"")
    work = asyncio.create_task(pool.run("acme", "spin", b""))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 20
    with pytest.raises(ComputeLimit):
        work.result()


async def test_what_passes_the_deadline_is_refused_and_its_process_replaced(make: Make) -> None:
    pool = make(seconds=0.5, processes=1)
    before = int(await pool.run("acme", "pid", b""))
    began = time.monotonic()
    with pytest.raises(ComputeLimit, match=r"0\.5 s of processor time|longer than 3 s"):
        await pool.run("acme", "spin", b"")
    assert time.monotonic() - began >= 0.5
    assert not psutil.pid_exists(before)
    after = int(await pool.run("acme", "pid", b""))
    assert after != before
    assert children() >= {after}


async def test_a_process_that_stands_still_passes_the_deadline_too(make: Make) -> None:
    pool = make(seconds=0.2, processes=1)
    os.kill(int(await pool.run("acme", "pid", b"")), signal.SIGSTOP)
    with pytest.raises(ComputeLimit, match=r"longer than 1\.2 s"):
        await pool.run("acme", "echo", bytes(10 * MIB))
    assert await pool.run("acme", "echo", b"again") == b"again"


async def test_memory_is_bounded(make: Make) -> None:
    pool = make(memory=256 * MIB, processes=1)
    assert await pool.run("acme", "fill", str(16 * MIB).encode()) == str(16 * MIB).encode()
    with pytest.raises(ComputeLimit, match="memory"):
        await pool.run("acme", "fill", str(300 * MIB).encode())
    assert await pool.run("acme", "echo", b"again") == b"again"


async def test_answers_and_payloads_are_bounded(make: Make) -> None:
    pool = make()
    assert len(await pool.run("acme", "swell", str(32 * MIB).encode())) == 32 * MIB
    with pytest.raises(ComputeLimit, match="answer"):
        await pool.run("acme", "swell", str(32 * MIB + 1).encode())
    with pytest.raises(ComputeLimit, match="bytes"):
        await pool.run("acme", "echo", bytes(32 * MIB + 1))


async def test_a_process_that_a_call_left_large_is_replaced(make: Make) -> None:
    pool = make(memory=256 * MIB, processes=1)
    before = await pool.run("acme", "pid", b"")
    await pool.run("acme", "fill", str(140 * MIB).encode())
    assert await pool.run("acme", "keep", str(140 * MIB).encode()) == before
    assert await pool.run("acme", "pid", b"") != before


async def test_work_whose_process_somebody_killed_is_done_again(make: Make) -> None:
    pool = make(processes=1)
    before = int(await pool.run("acme", "pid", b""))
    work = asyncio.create_task(pool.run("acme", "sleep", b"0.7"))
    await asyncio.sleep(0.2)
    os.kill(before, signal.SIGKILL)
    assert int(await work) != before


@pytest.mark.parametrize("number", [signal.SIGPROF, signal.SIGABRT, signal.SIGSEGV])
async def test_work_that_ends_its_process_by_a_bound_is_refused(make: Make, number: int) -> None:
    pool = make(processes=1)
    with pytest.raises(ComputeLimit):
        await pool.run("acme", "die", str(int(number)).encode())
    assert await pool.run("acme", "echo", b"again") == b"again"


async def test_work_that_kills_its_processes_is_given_up(make: Make) -> None:
    pool = make(processes=1)
    with pytest.raises(ComputeUnavailable):
        await pool.run("acme", "die", str(int(signal.SIGKILL)).encode())
    assert await pool.run("acme", "echo", b"again") == b"again"


async def test_a_defect_says_where_it_is_but_not_what_it_saw(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    pool = make(processes=1)
    before = await pool.run("acme", "pid", b"")
    with pytest.raises(ComputeFailed):
        await pool.run("acme", "raise_error", b"a secret of acme")
    assert "RuntimeError" in caplog.text
    assert "compute_functions.py" in caplog.text
    assert "secret" not in caplog.text
    assert await pool.run("acme", "pid", b"") == before


async def test_processes_know_none_of_our_secrets(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEYS", "1:secret")
    pool = make()
    assert await pool.run("acme", "environment", b"PATH") == os.environ["PATH"].encode()
    assert await pool.run("acme", "environment", b"SECRET_KEYS") == b""


async def test_names_that_are_not_listed_are_never_called(make: Make) -> None:
    with pytest.raises(ValueError, match="no function"):
        await make().run("acme", "os:getpid", b"")


async def test_one_tenant_leaves_a_process_to_the_others(make: Make) -> None:
    pool = make(processes=2, seconds=2.0)
    await asyncio.gather(*[pool.run(tenant, "sleep", b"0.2") for tenant in ("acme", "globex")])
    busy = [asyncio.create_task(pool.run("acme", "spin", b"")) for _ in range(4)]
    await begun(pool)
    assert await pool.run("globex", "echo", b"quick") == b"quick"
    assert not any(work.done() for work in busy), "it waited for none of them"
    for work in busy[1:]:
        work.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


async def test_tenants_take_turns(make: Make) -> None:
    pool = make(processes=1)
    ended: list[str] = []

    async def work(tenant: str) -> None:
        await pool.run(tenant, "sleep", b"0.05")
        ended.append(tenant)

    many = [asyncio.create_task(work("acme")) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.gather(work("globex"), work("initech"), *many)
    assert set(ended[:4]) == {"acme", "globex", "initech"}
    assert ended[4:] == ["acme"] * 8


async def test_what_a_tenant_has_waiting_is_bounded(make: Make) -> None:
    pool = make(processes=1, most_waiting=3)
    await pool.run("acme", "echo", b"")
    busy = [asyncio.create_task(pool.run("acme", "sleep", b"0.5"))]
    await begun(pool)
    busy += [asyncio.create_task(pool.run("acme", "echo", b"")) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ComputeBusy, match="3 pieces of this tenant's work"):
        await pool.run("acme", "echo", b"")
    assert await pool.run("globex", "echo", b"mine") == b"mine"
    await asyncio.gather(*busy)
    assert await pool.run("acme", "echo", b"later") == b"later"


async def test_work_cancelled_before_its_turn_is_never_begun_and_takes_no_room(make: Make) -> None:
    pool = make(processes=1, seconds=1.0, most_waiting=1)
    await pool.run("acme", "echo", b"")
    busy = asyncio.create_task(pool.run("acme", "sleep", b"0.5"))
    await begun(pool)
    cancelled = asyncio.create_task(pool.run("acme", "spin", b""))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    assert await pool.run("acme", "echo", b"next") == b"next"
    await busy


def test_a_closed_pool_refuses_and_leaves_no_process(make: Make) -> None:
    before = children()
    pool = make(processes=2)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda tenant: pool.run_blocking(tenant, "sleep", b"0.2"), ("acme", "globex")))
    assert len(children() - before) == 2
    pool.close()
    assert children() == before
    with pytest.raises(ComputeUnavailable):
        pool.run_blocking("acme", "echo", b"")


def test_processes_end_with_a_killed_parent() -> None:
    code = """if True:
        import psutil, threading, time
        from kernel.compute.pool import ComputePool
        from kernel.compute.slot import ProcessBounds
        from tests.support.compute_functions import FUNCTIONS
        pool = ComputePool(FUNCTIONS, ProcessBounds(seconds=60), processes=3)
        threading.Thread(target=pool.run_blocking, args=("acme", "sleep", b"60"), daemon=True).start()
        for tenant in ("globex", "initech"):
            threading.Thread(target=pool.run_blocking, args=(tenant, "spin", b""), daemon=True).start()
        def spinning():
            return [child for child in psutil.Process().children() if child.cpu_times().user > 0.5]
        while len(spinning()) < 2:
            time.sleep(0.05)
        print(*[child.pid for child in psutil.Process().children()], flush=True)
        time.sleep(60)
    """
    with child_python(code) as parent:
        pids = [int(word) for word in read_words(parent)]
        assert len(pids) == 3
        assert all(psutil.pid_exists(pid) for pid in pids)
        parent.kill()
        ends = time.monotonic() + 10
        while time.monotonic() < ends and any(map(_is_running, pids)):
            time.sleep(0.02)
        assert not any(map(_is_running, pids))


def _is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
