"""Measure what callers cost who only wait: 300 in ``?wait=30`` on one web process.

    python -m benchmarks.followers.waiters [--waiters 300]

Each waits for a run of its own, which naps in a real worker. Meanwhile threads and connections of the web process are
counted and ``GET /me`` is timed. Then the same with Valkey stopped while they wait. Prints one JSON line each.
"""

import argparse
import asyncio
import json
import os
import time
from datetime import datetime
from typing import Any

from benchmarks.caller import Caller
from benchmarks.figures import latencies, line
from benchmarks.stack import running_stack
from benchmarks.web import Web, running_web

NAP_SECONDS = 14.0
ASKS = 100
STARTERS = 8
MOST_THREADS, MOST_CONNECTIONS, MOST_ME_MS, MOST_LATE_SECONDS = 30, 8, 200, 2.5

DOCUMENT = {
    "version": "1.0",
    "segment_id": "nap",
    "name": "Nap",
    "entrypoint": "nap",
    "steps": [{"step_id": "nap", "type": "nap", "name": "Nap", "config": {"seconds": NAP_SECONDS}}],
    "edges": [],
}


async def start_runs(web: Web, count: int) -> list[str]:
    """Start the runs over a few connections."""
    left = list(range(count))
    found: list[str] = []

    async def start_some() -> None:
        async with Caller(web.stack.base_url, web.stack.key) as caller:
            while left:
                left.pop()
                run = await caller.expect(202, "POST", "/api/v1/runs", {"segment": DOCUMENT, "input": {}})
                found.append(run["run_id"])

    await asyncio.gather(*(start_some() for _ in range(STARTERS)))
    return found


async def wait(web: Web, run_id: str) -> tuple[int, float]:
    """Wait for a run; return the status and how long after the run's end the answer came."""
    async with Caller(web.stack.base_url, web.stack.key) as caller:
        status, body = await caller.call("GET", f"/api/v1/runs/{run_id}?wait=30")
        back = time.time()
    ended_at = json.loads(body)["ended_at"]
    return status, back - datetime.fromisoformat(ended_at).timestamp() if ended_at else -1.0


async def ask_me(web: Web) -> list[float]:
    """Time a short call."""
    found = []
    async with Caller(web.stack.base_url, web.stack.key) as caller:
        for _ in range(ASKS):
            began = time.perf_counter()
            await caller.expect(200, "GET", "/api/v1/me")
            found.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
    return found


async def measure(web: Web, waiters: int, *, without_valkey: bool) -> dict[str, Any]:
    """One repeat."""
    run_ids = await start_runs(web, waiters)
    waiting = [asyncio.create_task(wait(web, run_id)) for run_id in run_ids]
    await asyncio.sleep(3)
    threads, connections = web.process.num_threads(), web.database_connections()
    if without_valkey:
        web.valkey.stop()
    asked = latencies(await ask_me(web))
    held = sum(not one.done() for one in waiting)
    threads = max(threads, web.process.num_threads())
    answers = await asyncio.gather(*waiting)
    late = [seconds for status, seconds in answers if status == 200]
    after_end = latencies(late)
    return {
        "waiters": waiters,
        "waiting_while_counted": held,
        "answered_200": len(late),
        "threads": threads,
        "database_connections": connections,
        "me": asked,
        "answer_after_end": after_end,
        "met": {
            "threads": threads < MOST_THREADS,
            "connections": connections <= MOST_CONNECTIONS,
            "me": asked["p95_ms"] <= MOST_ME_MS,
            "late": after_end["max_ms"] <= MOST_LATE_SECONDS * 1000,
        },
    }


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiters", type=int, default=300)
    arguments = parser.parse_args()
    os.environ.setdefault("LLMTEAM_DEVELOPMENT", "1")
    with running_stack() as stack, running_web(stack) as web:
        for without_valkey in (False, True):
            workload = "waiters: Valkey " + ("stopped while they wait" if without_valkey else "there")
            with web.stack.idle_worker():
                figures = asyncio.run(measure(web, arguments.waiters, without_valkey=without_valkey))
            print(json.dumps(line(workload, **figures)), flush=True)


if __name__ == "__main__":
    main()
