"""Streams and waiting requests of tenants in all web processes: each tells the others by Redis, once a second."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
import redis.asyncio

from kernel.admission import Admission, Held, RequestKind, house_context
from kernel.ids import new_id
from runs.bus.shared_state import SharedState, SharedStateAway

KEY: Final = "llmteam:held_requests"
TELL_SECONDS: Final = 1.0
GONE_SECONDS: Final = 5.0
"""Time without news after which a process counts as gone."""
FORGOTTEN_SECONDS: Final = 60.0
"""Time after which its last news is removed."""


@dataclass(slots=True)
class _News:
    """Last words of a process, and when they changed here; clocks of machines are not compared."""

    text: bytes
    heard_at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.heard_at


class Holdings:
    """Tells what tenants hold here, and hears what they hold elsewhere; while Redis is away each process is alone."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._state = SharedState("held_requests")
        self._redis = redis.asyncio.Redis(connection_pool=self._state.pool)
        self._name = str(new_id()).encode()
        self._beat = 0
        self._heard: dict[bytes, _News] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop, if that is still to be done."""
        if self._task is None:
            self._task = asyncio.create_task(self._tell_forever(), name="held requests", context=house_context())

    async def exchange(self) -> None:
        """Tell and hear once."""
        try:
            told = await self._state.ask(self._ask)
        except SharedStateAway:
            self._admission.elsewhere = {}
            return
        self._admission.elsewhere = self._hear(told)

    async def _tell_forever(self) -> None:
        while True:
            await self.exchange()
            await asyncio.sleep(TELL_SECONDS)

    async def _ask(self) -> dict[bytes, bytes]:
        self._beat += 1
        held = {f"{kind.name}/{tenant_id}": number for (kind, tenant_id), number in self._admission.held().items()}
        forgotten = [name for name, news in self._heard.items() if news.age > FORGOTTEN_SECONDS]
        async with self._redis.pipeline(transaction=False) as pipeline:
            if forgotten:
                pipeline.hdel(KEY, *forgotten)
            pipeline.hset(KEY, self._name, orjson.dumps({"beat": self._beat, "held": held}))
            pipeline.hgetall(KEY)
            *_, told = await pipeline.execute()
        return dict(told)

    def _hear(self, told: dict[bytes, bytes]) -> Held:
        """Add up what the other processes told that are still there."""
        for name, text in told.items():
            if name not in self._heard or self._heard[name].text != text:
                self._heard[name] = _News(text, time.monotonic())
        self._heard = {name: news for name, news in self._heard.items() if name in told}
        elsewhere: Counter[tuple[RequestKind, UUID]] = Counter()
        for name, news in self._heard.items():
            if name != self._name and news.age <= GONE_SECONDS:
                for key, number in orjson.loads(news.text)["held"].items():
                    kind, _, tenant_id = key.partition("/")
                    elsewhere[RequestKind[kind], UUID(tenant_id)] += number
        return dict(elsewhere)
