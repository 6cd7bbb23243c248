"""Attacks by much that is kept: open tasks, runs without end, cursors and filters over them."""

import asyncio
from typing import Any

from benchmarks.chaos.neighbours.attack import Attack, per_item, segment, step
from benchmarks.chaos.neighbours.attacker import Attacker
from benchmarks.chaos.neighbours.requests import RATES

SIDE_BY_SIDE = 8
TASKS = 1_000
RUNS = 10
WORDS = [f"{number:04d}" for number in range(2_000)]


async def open_tasks(attacker: Attacker) -> None:
    """10,000 tasks opened by ten runs, and all lists of them read meanwhile."""
    path = await attacker.save(per_item("tasks", f"list(range({TASKS}))", "human_task", title="Task {{ item }}"))
    attacker.begin()
    for _ in range(RUNS):
        await attacker.call("POST", path, {"input": {"text": "x" * 1_000}})
    await asyncio.gather(
        attacker.repeat(SIDE_BY_SIDE, "GET", "human-tasks?limit=100&overdue=true"),
        attacker.repeat(SIDE_BY_SIDE, "GET", "human-tasks?limit=100&box=all"),
        attacker.repeat(2, "GET", "human-tasks/report"),
    )


async def cursors(attacker: Attacker) -> None:
    """Pages of runs and events by cursors and filters that find little, over runs with much metadata."""
    path = await attacker.save(segment("small", [step("s", "transform", expression="1")]))
    attacker.begin()
    metadata = dict.fromkeys(WORDS[:50], "x")

    async def follow(caller: Any, number: int) -> int:
        if number % 3 == 0:
            body = {"input": {}, "metadata": metadata, "client_reference": WORDS[number % len(WORDS)]}
            return int((await caller.call("POST", f"/api/v1/{path}", body))[0])
        if number % 3 == 1:
            query = (
                f"client_reference=none-{number}&status=failed,cancelled&limit=100&created_before=2100-01-01T00:00:00Z"
            )
            return int((await caller.call("GET", f"/api/v1/runs?{query}"))[0])
        query = "event_type=segment.cancelled&segment=none&limit=250"
        return int((await caller.call("GET", f"/api/v1/events?{query}"))[0])

    await attacker.flat_out(2 * SIDE_BY_SIDE, follow)


async def small_runs(attacker: Attacker) -> None:
    """Small runs, as many as may be started."""
    path = await attacker.save(segment("small", [step("s", "transform", expression="1")]))
    attacker.begin()
    await attacker.repeat(4 * SIDE_BY_SIDE, "POST", path, {"input": {}})


ATTACKS = {
    "open_tasks": Attack("10,000 tasks opened, and their lists read", open_tasks, RATES),
    "cursors": Attack("pages by filters that find nothing", cursors, RATES),
    "small_runs": Attack("as many small runs as may be started", small_runs, RATES),
}
