"""Runs that wait for people: what 20,000 of them cost an idle worker, and how soon a decided one goes on."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psutil

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.figures import latencies
from benchmarks.stack import Stack
from benchmarks.workloads import Figures

PARKED = 20_000
REAL = 100
DECIDED = 50
IDLE_SECONDS = 60.0
MORE_PERCENT = 1.0
RESUMED_MS = 1_000
PATIENCE_SECONDS = 30.0

PARKED_NOW = "select count(*) from runs_run where status = 'waiting' and owner is null"
IDS = "select id::text from humantasks_humantask where status = 'open' order by created_at limit %s"
# The real ones over and over: the run, its journal, its task, all under new ids.
COPIES = """
create temporary table copies on commit drop as
select r.id as original, gen_random_uuid() as copy from (select id from runs_run where status = 'waiting' limit %s) r
cross join generate_series(1, %s)
"""
COPY = """
insert into {table} ({columns}) select {values} from {table} o join copies c on c.original = o.{key}
"""
# From the commit that decided to the transaction of the run's last event, by the database's clock.
RESUMED = """
select extract(epoch from r.ended_at - t.ended_at)::float8
from runs_run r join humantasks_humantask t on t.run_id = r.id
where r.status = 'completed'
"""


def parked(stack: Stack) -> Figures:
    """20,000 runs that wait for people: a worker's processor time and connections; a decision's way to the end."""
    stack.empty()
    with stack.idle_worker() as worker:
        # One run through all of it first: what a worker opens once it opens before anything is counted.
        asyncio.run(_start(stack, 1))
        _wait_until(lambda: _parked_now(stack) == 1, "the first run has not parked")
        asyncio.run(_decide(stack, 1))
        _wait_until(lambda: len(_resumed(stack)) == 1, "the first run did not go on")
        stack.database.execute("truncate runs_run, audit_entry cascade")
        idle, few = _processor_percent(worker), _connections(worker)
        asyncio.run(_start(stack, REAL))
        _wait_until(lambda: _parked_now(stack) == REAL, "not all runs have parked")
        _multiply(stack)
        busy, many = _processor_percent(worker), _connections(worker)
        rss = worker.memory_info().rss / 2**20
        asyncio.run(_decide(stack, DECIDED))
        _wait_until(lambda: len(_resumed(stack)) == DECIDED, "not all decided runs went on")
    found = latencies(_resumed(stack))
    return {
        "parked": PARKED,
        "idle_cpu_percent": round(idle, 2),
        "parked_cpu_percent": round(busy, 2),
        "worker_connections_idle": few,
        "worker_connections_parked": many,
        "worker_rss_mib": round(rss),
        "resumed": found,
        "target": "parked cpu <= idle + 1 %, no connection more, resumed p95 <= 1000 ms",
        "met": busy - idle <= MORE_PERCENT and many <= few and found["p95_ms"] <= RESUMED_MS,
    }


def _resumed(stack: Stack) -> list[float]:
    return [float(str(seconds)) for (seconds,) in stack.database.execute(RESUMED).fetchall()]


def _processor_percent(worker: psutil.Process) -> float:
    """Return the share of one core a process takes while nothing happens."""
    before, began = worker.cpu_times(), time.monotonic()
    time.sleep(IDLE_SECONDS)
    after = worker.cpu_times()
    used = after.user + after.system - before.user - before.system
    return 100 * used / (time.monotonic() - began)


def _connections(worker: psutil.Process) -> int:
    """Count the connections a process has open, to whatever server."""
    return sum(one.status == psutil.CONN_ESTABLISHED for one in worker.net_connections(kind="tcp"))


async def _start(stack: Stack, count: int) -> None:
    asking = {"segment": documents.asking(), "input": {"n": 1}}
    async with Caller(stack.base_url, stack.key) as caller:
        for _ in range(count):
            status, content = await caller.call("POST", "/api/v1/runs", asking)
            if status != 202:
                raise RuntimeError(f"a start is refused: {content.decode()}")


def _wait_until(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.1)


def _parked_now(stack: Stack) -> int:
    return int(str(stack.database.execute(PARKED_NOW).fetchone()[0]))  # type: ignore[index]  # as above


def _multiply(stack: Stack) -> None:
    """Copy the parked runs until there are enough."""
    with stack.database.transaction():
        stack.database.execute(COPIES, [REAL, PARKED // REAL - 1])
        for table, key, own_id in (
            ("runs_run", "id", None),
            ("runs_runevent", "run_id", None),
            ("humantasks_humantask", "run_id", "id"),
        ):
            columns = [name for name in _columns(stack, table) if name != "transaction"]
            values = [_value(name, key, own_id) for name in columns]
            statement = COPY.format(table=table, columns=", ".join(columns), values=", ".join(values), key=key)
            stack.database.execute(statement)  # type: ignore[call-overload]  # made of our own tables' names
    stack.database.execute("analyze")
    if _parked_now(stack) != PARKED:
        raise RuntimeError(f"{_parked_now(stack)} runs are parked, not {PARKED}")


def _value(name: str, key: str, own_id: str | None) -> str:
    if name == key:
        return "c.copy"
    return "gen_random_uuid()" if name == own_id else f'o."{name}"'


def _columns(stack: Stack, table: str) -> list[str]:
    asked = "select column_name from information_schema.columns where table_name = %s order by ordinal_position"
    return [str(name) for (name,) in stack.database.execute(asked, [table]).fetchall()]


async def _decide(stack: Stack, count: int) -> None:
    task_ids: list[Any] = [task_id for (task_id,) in stack.database.execute(IDS, [count]).fetchall()]
    async with Caller(stack.base_url, stack.key) as caller:
        for task_id in task_ids:
            path = f"/api/v1/human-tasks/{task_id}/complete"
            status, content = await caller.call("POST", path, {"decision": "approved"})
            if status != 200:
                raise RuntimeError(f"a decision is refused: {content.decode()}")
            await asyncio.sleep(0.1)
