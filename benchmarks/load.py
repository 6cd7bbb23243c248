"""Starts through the API: as many as one web process takes, or at a fixed rate whatever it takes.

    python -m benchmarks.load BASE_URL PATH --seconds 8 (--connections 16 | --rate 50)

The key stands in LLMTEAM_KEY. Prints one JSON object. With ``--rate`` each start has its time; what is late because
an earlier one was slow counts from the time it should have been sent (open loop).
"""

import argparse
import asyncio
import json
import os
import time

from benchmarks.caller import Caller
from benchmarks.documents import INPUT
from benchmarks.figures import latencies

OPEN_CONNECTIONS = 32


class Load:
    """Sends starts and keeps their times."""

    def __init__(self, base_url: str, path: str) -> None:
        self._base_url = base_url
        self._path = path
        self.seconds: list[float] = []
        self.refused = 0

    def caller(self) -> Caller:
        """Open another connection."""
        return Caller(self._base_url, os.environ["LLMTEAM_KEY"])

    async def start(self, caller: Caller, due: float) -> None:
        """Start one run; its time counts from when it was due."""
        status, _ = await caller.call("POST", self._path, {"input": INPUT})
        self.seconds.append(time.perf_counter() - due)
        self.refused += status != 202

    async def closed(self, connections: int, seconds: float) -> None:
        """Keep every connection busy."""
        until = time.perf_counter() + seconds

        async def keep_busy() -> None:
            async with self.caller() as caller:
                while time.perf_counter() < until:
                    await self.start(caller, time.perf_counter())

        await asyncio.gather(*(keep_busy() for _ in range(connections)))

    async def open(self, rate: float, seconds: float) -> None:
        """Send at a rate, over whichever connection is free."""
        free: asyncio.Queue[Caller] = asyncio.Queue()
        callers = [self.caller() for _ in range(OPEN_CONNECTIONS)]
        for caller in callers:
            free.put_nowait(await caller.__aenter__())
        began = time.perf_counter()

        async def send(due: float) -> None:
            caller = await free.get()
            try:
                await self.start(caller, due)
            finally:
                free.put_nowait(caller)

        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(send(due))
        for caller in callers:
            await caller.__aexit__()


def main() -> None:
    """Send, then print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base_url")
    parser.add_argument("path")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0)
    arguments = parser.parse_args()
    load = Load(arguments.base_url, arguments.path)
    began, cpu_before = time.perf_counter(), time.process_time()
    if arguments.rate:
        asyncio.run(load.open(arguments.rate, arguments.seconds))
    else:
        asyncio.run(load.closed(arguments.connections, arguments.seconds))
    took = time.perf_counter() - began
    figures = {
        "starts_per_second": round(len(load.seconds) / took, 1),
        "refused": load.refused,
        "client_cpu_share": round((time.process_time() - cpu_before) / took, 2),
        **latencies(load.seconds),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
