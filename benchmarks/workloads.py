"""The workloads W1 to W4 and lone runs: each measures once and gives its figures."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, LiteralString

import psutil

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.figures import against, latencies
from benchmarks.profiler import sampled
from benchmarks.stack import Stack

PATIENCE_SECONDS = 90
QUEUE_CONNECTIONS = 8
WAIT_SECONDS = 5
# Both times are the database's own clock: a run's claim sets the one, the transaction of its last event the other. The
# journal's times are the host's idea of that clock, up to 5 ms off, so they are not measured with.
SPAN = "select extract(epoch from max(ended_at) - min(started_at))::float8 from runs_run"
INSIDE = "select extract(epoch from ended_at - started_at)::float8 from runs_run"
EVENTS = "select count(*) from runs_runevent"
PROGRESS = "select count(*) filter (where status = 'completed'), count(started_at) from runs_run"

Figures = dict[str, Any]


def throughput(stack: Stack, document: dict[str, Any], *, runs: int, profile: str = "") -> Figures:
    """Queue runs through the API, then start the worker, and watch until all are over.

    From the first claim, just before the first ``segment.started``, to the transaction of the last
    ``segment.completed``. Processor time is the worker's from the first claim on.
    """
    stack.empty()
    queued = asyncio.run(_queue(stack, document, runs))
    with stack.worker() as worker, sampled(worker.pid, profile):
        cpu, rss = _watch(stack, worker, runs)
    seconds, events = _number(stack, SPAN), _number(stack, EVENTS)
    return {
        "runs": runs,
        "completed": _count(stack)[0],
        "queued_per_second": round(runs / queued),
        "seconds": round(seconds, 3),
        "events": int(events),
        "cpu_seconds": round(cpu, 2),
        "worker_rss_mib": round(rss / 2**20),
    }


def chains(stack: Stack, kind: str, *, steps: int, runs: int, least: float, profile: str = "") -> Figures:
    """W1: chains of steps that do nothing."""
    figures = throughput(stack, documents.chain(kind, steps), runs=runs, profile=profile)
    done = figures["completed"] * steps
    rate = round(done / figures["seconds"])
    cost = round(figures["cpu_seconds"] * 1000 / max(1, done), 3)
    return {**figures, "steps_per_second": rate, "cpu_ms_per_step": cost, **against(rate, least=least)}


def waits(stack: Stack, *, runs: int) -> Figures:
    """W3: many runs of three waits of a second."""
    figures = throughput(stack, documents.chain("nap", 3, seconds=1.0), runs=runs)
    return {**figures, **against(figures["seconds"], most=5.0)}


def lone(stack: Stack, document: dict[str, Any], *, runs: int, run_input: Any = documents.INPUT) -> Figures:
    """One run after the other by ``POST ...?wait=5`` on a kept connection; a worker is to be running.

    Returns:
        ``client``: what the caller saw; ``inside``: from the run's claim to its end, by the database's clock.
    """
    stack.database.execute("truncate runs_run, audit_entry cascade")
    client = asyncio.run(_one_by_one(stack, document, runs, run_input))
    inside = [float(str(seconds)) for (seconds,) in stack.database.execute(INSIDE).fetchall()]
    return {"client": latencies(client), "inside": latencies(inside)}


def _watch(stack: Stack, worker: psutil.Process, runs: int) -> tuple[float, int]:
    """Return the processor time from the first claim to the last end, and the most memory."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    at_first_claim = None
    rss = 0
    while time.monotonic() < deadline:
        completed, started = _count(stack)
        if at_first_claim is None:
            at_first_claim = _cpu_seconds(worker) if started else None
        rss = max(rss, worker.memory_info().rss)
        if completed >= runs:
            break
        time.sleep(0.01 if at_first_claim is None else 0.05)
    return _cpu_seconds(worker) - (at_first_claim or 0.0), rss


def _number(stack: Stack, question: LiteralString) -> float:
    row = stack.database.execute(question).fetchone()
    return float(str(row[0])) if row else 0.0


def _count(stack: Stack) -> tuple[int, int]:
    completed, started = stack.database.execute(PROGRESS).fetchone() or (0, 0)
    return int(str(completed)), int(str(started))


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def save(stack: Stack, document: dict[str, Any]) -> str:
    """Save a segment; return the path that starts it."""
    async with Caller(stack.base_url, stack.key) as caller:
        path = f"/api/v1/segments/{document['segment_id']}"
        status, content = await caller.call("PUT", path, document)
        if status not in {200, 201}:
            raise RuntimeError(f"the segment is refused: {content.decode()}")
        return f"{path}/runs"


async def _queue(stack: Stack, document: dict[str, Any], runs: int) -> float:
    path = await save(stack, document)
    numbers = iter(range(runs))

    async def start_some() -> None:
        async with Caller(stack.base_url, stack.key) as caller:
            for _ in numbers:
                await caller.expect(202, "POST", path, {"input": documents.INPUT})

    began = time.monotonic()
    await asyncio.gather(*(start_some() for _ in range(QUEUE_CONNECTIONS)))
    return time.monotonic() - began


async def _one_by_one(stack: Stack, document: dict[str, Any], runs: int, run_input: Any) -> list[float]:
    path = await save(stack, document)
    seconds = []
    clock: Callable[[], float] = time.perf_counter
    async with Caller(stack.base_url, stack.key) as caller:
        for number in range(runs + 1):
            began = clock()
            run = await caller.expect(200, "POST", f"{path}?wait={WAIT_SECONDS}", {"input": run_input})
            if run["status"] != "completed":
                raise RuntimeError(f"the run did not complete: {run['error']}")
            if number:  # the first compiles the plan
                seconds.append(clock() - began)
    return seconds
