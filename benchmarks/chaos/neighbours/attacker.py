"""One attack of one tenant, flat out, in a process of its own.

    CHAOS_KEY=... python -m benchmarks.chaos.neighbours.attacker mapping http://127.0.0.1:8000 30

Prints ``ready`` when what it needs is there and the attack begins; at the end what its calls were answered with.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from benchmarks.caller import Caller, CallFailed

KEY_VARIABLE = "CHAOS_KEY"
SOURCE = "127.0.0.2"
"""Another machine's address than the neighbour's."""
PATIENCE_SECONDS = 60.0
BROKEN = (OSError, TimeoutError, EOFError, CallFailed)


class Attacker:
    """Client of the attacking tenant, at an address of its own."""

    def __init__(self, base_url: str, key: str, seconds: float) -> None:
        self.base_url = base_url
        self.key = key
        self.address = urlsplit(base_url)
        self.answers: Counter[str] = Counter()
        self._seconds = seconds
        self._ends = float("inf")

    async def put(self, path: str, body: Any) -> None:
        """Save something the attack needs; raises CallFailed where it is refused."""
        async with self.caller() as caller:
            status, content = await caller.call("PUT", f"/api/v1/{path}", body)
        if status not in {200, 201}:
            raise CallFailed(f"{path} is refused: {content[:500]!r}")

    async def save(self, document: dict[str, Any]) -> str:
        """Save a segment; return the path that starts it."""
        await self.put(f"segments/{document['segment_id']}", document)
        return f"segments/{document['segment_id']}/runs"

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call once, and return the status and the value."""
        async with self.caller() as caller:
            status, content = await caller.call(method, f"/api/v1/{path}", body)
        return status, json.loads(content)

    def caller(self) -> Caller:
        """A connection from the attacker's address."""
        return Caller(self.base_url, self.key, source=SOURCE)

    def begin(self) -> None:
        """The attack begins now."""
        self._ends = asyncio.get_running_loop().time() + self._seconds
        print("ready", flush=True)

    @property
    def left(self) -> float:
        """Seconds it still lasts."""
        return max(0.0, self._ends - asyncio.get_running_loop().time())

    async def repeat(self, side_by_side: int, method: str, path: str, body: Any = None, **headers: str) -> None:
        """Send one request over and over, on so many connections, until the end."""
        content = b"" if body is None else json.dumps(body).encode()

        async def once(caller: Caller, _number: int) -> int:
            return (await caller.call(method, f"/api/v1/{path}", content or None, headers))[0]

        await self.flat_out(side_by_side, once)

    async def flat_out(self, side_by_side: int, act: Callable[[Caller, int], Awaitable[int]]) -> None:
        """Do something over and over, on so many connections, until the end; it returns a status."""
        numbers = count()

        async def one() -> None:
            while self.left:
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS), self.caller() as caller:
                        while self.left:
                            self.answers[str(await act(caller, next(numbers)))] += 1
                except BROKEN as error:
                    self.answers[type(error).__name__] += 1
                    await asyncio.sleep(0.01)

        await self._until_the_end(*(one() for _ in range(side_by_side)))

    async def _until_the_end(self, *work: Awaitable[None]) -> None:
        tasks = [asyncio.ensure_future(one) for one in work]
        await asyncio.wait(tasks, timeout=self.left)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def attack(name: str, base_url: str, seconds: float) -> Counter[str]:
    """Attack, and return what it was answered."""
    from benchmarks.chaos.neighbours.attacks import ATTACKS  # noqa: PLC0415 - they name this module

    attacker = Attacker(base_url, os.environ[KEY_VARIABLE], seconds)
    await ATTACKS[name].go(attacker)
    return attacker.answers


if __name__ == "__main__":
    os.nice(15)  # a real attacker has processors of its own
    print(json.dumps(asyncio.run(attack(sys.argv[1], sys.argv[2], float(sys.argv[3])))), flush=True)
