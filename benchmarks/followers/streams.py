"""Measure how streams are delivered: 200 WebSockets and 200 server-sent event streams on one web process.

    python -m benchmarks.followers.streams [--clients 200] [--seconds 25]

Ten runs in a real worker write about 50 events a second. One tenth of the callers follows the whole tenant, the others
a run each. Valkey is flushed twice, half of the callers are cut off twice and come again with their cursor. Then what
each has seen is held against the pages of the journal. At last as many streams are opened, killed all at once, and the
web process is watched until it is back to where it was. Prints one JSON line a fact.
"""

import argparse
import asyncio
import json
import os
import random
import time
from collections import Counter
from typing import Any

import redis

from benchmarks.caller import Caller
from benchmarks.figures import against, latencies, line
from benchmarks.followers.stream_clients import EventFollower, Follower, WebSocketFollower
from benchmarks.stack import running_stack
from benchmarks.web import Web, running_web

RUNS = 10
EVENTS_A_SECOND = 50
NAP_SECONDS = RUNS * 2 / EVENTS_A_SECOND
PATIENCE_SECONDS = 60
BASELINE_SECONDS = 30


def document(steps: int) -> dict[str, Any]:
    """A chain of naps: two events each."""
    return {
        "version": "1.0",
        "segment_id": "naps",
        "name": "Naps",
        "entrypoint": "s0",
        "steps": [
            {"step_id": f"s{n}", "type": "nap", "name": f"s{n}", "config": {"seconds": NAP_SECONDS}}
            for n in range(steps)
        ],
        "edges": [{"from": f"s{n}", "to": f"s{n + 1}"} for n in range(steps - 1)],
    }


def followers_of(web: Web, run_ids: list[str], clients: int, start: str) -> list[Follower]:
    """Callers of both kinds; one tenth of each follows the tenant."""
    found: list[Follower] = []
    for kind in (WebSocketFollower, EventFollower):
        for number in range(clients):
            run_id = "" if number % 10 == 0 else run_ids[number % len(run_ids)]
            found.append(kind(web.stack.base_url, web.stack.key, run_id, "" if run_id else start))
    return found


async def journal_of(caller: Caller, run_id: str) -> list[str]:
    """The event_ids of a run, by pages."""
    found: list[str] = []
    after: str | None = "0"
    while after is not None:
        page = await caller.expect(200, "GET", f"/api/v1/runs/{run_id}/events?limit=250&after={after}")
        found += [record["event_id"] for record in page["data"]]
        after = page["next_cursor"]
    return found


def judge(followers: list[Follower], journals: dict[str, list[str]]) -> Counter[str]:
    """Count what callers missed, had twice, or had out of order."""
    faults: Counter[str] = Counter(missing=0, twice=0, out_of_order=0)
    for follower in followers:
        wanted = journals if not follower.run_id else {follower.run_id: journals[follower.run_id]}
        seen: dict[str, list[str]] = {}
        for event_id in follower.seen:
            seen.setdefault(event_id.partition(":")[0], []).append(event_id)
        for run_id, journal in wanted.items():
            own = seen.get(run_id, [])
            faults["missing"] += len(set(journal) - set(own))
            faults["twice"] += len(own) - len(set(own))
            faults["out_of_order"] += list(dict.fromkeys(own)) != [one for one in journal if one in set(own)]
    return faults


async def disturb(web: Web, followers: list[Follower], seconds: float) -> None:
    """Flush Valkey and cut half of the callers off, twice."""
    for _ in range(2):
        await asyncio.sleep(seconds / 4)
        with redis.Redis.from_url(web.valkey.url) as client:
            client.flushall()
        await asyncio.sleep(seconds / 8)
        unlucky = random.sample(followers, len(followers) // 2)
        await asyncio.gather(*(follower.cut() for follower in unlucky))


async def deliver(web: Web, clients: int, seconds: float) -> None:
    """Measure delivery."""
    async with Caller(web.stack.base_url, web.stack.key) as caller:
        start = (await caller.expect(200, "GET", "/api/v1/events?cursor=now"))["next_cursor"]
        body = {"segment": document(round(seconds / NAP_SECONDS)), "input": {"n": 1}}
        run_ids = [(await caller.expect(202, "POST", "/api/v1/runs", body))["run_id"] for _ in range(RUNS)]
        followers = followers_of(web, run_ids, clients, start)
        for follower in followers:
            follower.start()
        await asyncio.gather(*(follower.opened.wait() for follower in followers))
        with web.stack.worker() as worker:
            await disturb(web, followers, seconds)
            of_runs = [follower.finished() for follower in followers if follower.run_id]
            done = await asyncio.wait_for(asyncio.gather(*of_runs, return_exceptions=True), PATIENCE_SECONDS)
            journals = {run_id: await journal_of(caller, run_id) for run_id in run_ids}
            total = sum(map(len, journals.values()))
            deadline = time.monotonic() + 10
            of_tenant = [follower for follower in followers if not follower.run_id]
            while any(len(one.seen) < total for one in of_tenant) and time.monotonic() < deadline:  # noqa: ASYNC110 - looks at many
                await asyncio.sleep(0.1)
            cpu = {"web": sum(web.process.cpu_times()[:2]), "worker": sum(worker.cpu_times()[:2])}
        for follower in followers:
            await follower.stop()
    report(followers, journals, [str(error) for error in done if error is not None], cpu)


def report(followers: list[Follower], journals: dict[str, list[str]], broken: list[str], cpu: dict[str, float]) -> None:
    """Print what was delivered, and how late."""
    faults = judge(followers, journals)
    delays = latencies([delay for follower in followers for delay in follower.delays])
    print_line(
        "streams: delivery",
        websockets=len(followers) // 2,
        event_streams=len(followers) // 2,
        records=sum(map(len, journals.values())),
        delivered=sum(len(follower.seen) for follower in followers),
        cut_and_back=sum(follower.cuts for follower in followers),
        valkey_flushes=2,
        broken=len(broken),
        **faults,
        delivery=delays,
        of_what_was_written_while_cut_off=latencies([one for each in followers for one in each.delays_of_missed]),
        cpu_seconds={name: round(used, 1) for name, used in cpu.items()},
        **against(delays["p95_ms"], most=1000),
        nothing_lost=not any(faults.values()),
    )
    for text in broken[:3]:
        print_line("streams: broken", error=text)


async def leave(web: Web, clients: int) -> None:
    """Kill as many callers at once, and watch what they leave behind."""
    async with Caller(web.stack.base_url, web.stack.key) as caller:
        await asyncio.gather(*(me(web) for _ in range(50)))
        await caller.expect(200, "GET", "/api/v1/me")
    await asyncio.sleep(12)
    before = await web.counts()
    followers = followers_of(web, [""], clients, "")
    for follower in followers:
        follower.start()
    await asyncio.gather(*(follower.opened.wait() for follower in followers))
    await asyncio.sleep(2)
    during = await web.counts()
    began = time.monotonic()
    await asyncio.gather(*(follower.stop() for follower in followers))
    while True:
        after = await web.counts()
        seconds = time.monotonic() - began
        if all(after[name] <= before[name] for name in before) or seconds > BASELINE_SECONDS * 2:
            break
        await asyncio.sleep(0.5)
    print_line(
        "streams: back to baseline after all callers were killed",
        before=before,
        during=during,
        after=after,
        seconds=round(seconds, 1),
        **against(seconds, most=BASELINE_SECONDS),
    )


async def me(web: Web) -> None:
    """Ask who calls."""
    async with Caller(web.stack.base_url, web.stack.key) as caller:
        await caller.expect(200, "GET", "/api/v1/me")


def print_line(workload: str, **figures: Any) -> None:
    """Print one fact."""
    print(json.dumps(line(workload, **figures)), flush=True)


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200, help="of each kind")
    parser.add_argument("--seconds", type=float, default=25)
    arguments = parser.parse_args()
    os.environ.setdefault("LLMTEAM_DEVELOPMENT", "1")
    with running_stack() as stack, running_web(stack) as web:
        asyncio.run(deliver(web, arguments.clients, arguments.seconds))
        asyncio.run(leave(web, arguments.clients))


if __name__ == "__main__":
    main()
