"""Cost of the wall between tenants: hot reads and starts with row-level security and without it, in turns."""

import asyncio
import time
from statistics import median
from typing import Any, Final

from psycopg import sql

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.documents import INPUT
from benchmarks.figures import against, percentile
from benchmarks.stack import Stack
from benchmarks.workloads import save

ROUNDS: Final = 15
CALLS: Final = 60
"""Calls of each kind in a round; the first ones, which plan anew, are left out."""
WARMING: Final = 5
RUNS: Final = 300
"""Runs there are when it begins, so that a page of them is a page."""
MOST: Final = 1.15
WALLED: Final = "select oid::regclass::text from pg_class where relforcerowsecurity order by 1"


def cost(stack: Stack) -> dict[str, Any]:
    """Measure rounds with and without in turns; each figure is the median of the rounds' ratios of median times."""
    stack.empty()
    path = asyncio.run(save(stack, documents.chain("transform", 1)))
    tables = [str(table) for (table,) in stack.database.execute(WALLED).fetchall()]
    ratios: dict[str, list[float]] = {}
    try:
        run_id = asyncio.run(_fill(stack, path))
        for number in range(ROUNDS):
            taken = {}
            for is_on in (True, False) if number % 2 else (False, True):
                _switch(stack, tables, on=is_on)
                taken[is_on] = asyncio.run(_round(stack, path, run_id))
            for kind, seconds in taken[True].items():
                ratios.setdefault(kind, []).append(seconds / taken[False][kind])
    finally:
        _switch(stack, tables, on=True)
    found = {kind: round(median(each), 3) for kind, each in ratios.items()}
    return {"tables": len(tables), "rounds": ROUNDS, "calls": CALLS, **found, **against(max(found.values()), most=MOST)}


def _switch(stack: Stack, tables: list[str], *, on: bool) -> None:
    for table in tables:
        statement = sql.SQL("alter table {} {} row level security")
        stack.database.execute(statement.format(sql.Identifier(table), sql.SQL("enable" if on else "disable")))


async def _fill(stack: Stack, path: str) -> str:
    async with Caller(stack.base_url, stack.key) as caller:
        for _ in range(RUNS):
            run = await caller.expect(202, "POST", path, {"input": INPUT})
        return str(run["run_id"])


async def _round(stack: Stack, path: str, run_id: str) -> dict[str, float]:
    kinds: dict[str, tuple[str, str, Any]] = {
        "read_run": ("GET", f"/api/v1/runs/{run_id}", None),
        "list_runs": ("GET", "/api/v1/runs?limit=20", None),
        "list_segments": ("GET", "/api/v1/segments", None),
        "start": ("POST", path, {"input": INPUT}),
    }
    async with Caller(stack.base_url, stack.key) as caller:
        return {kind: await _median_of(caller, *call) for kind, call in kinds.items()}


async def _median_of(caller: Caller, method: str, path: str, body: Any) -> float:
    taken = []
    for _ in range(WARMING + CALLS):
        began = time.perf_counter()
        await caller.expect(202 if method == "POST" else 200, method, path, body)
        taken.append(time.perf_counter() - began)
    return percentile(taken[WARMING:], 50)
