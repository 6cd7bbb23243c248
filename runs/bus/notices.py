"""Notices to readers that a run has advanced. One may be lost: readers poll every few seconds anyway."""

import asyncio
import contextlib
import logging
from typing import Final, NamedTuple
from uuid import UUID

import orjson
import redis.asyncio
from django.conf import settings

from kernel.tasks import end_tasks

log = logging.getLogger(__name__)

CHANNEL: Final = "llmteam:advanced"
SEND_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 2.0
PACE_SECONDS: Final = 0.01
"""Least time between two messages: the first goes at once, what comes meanwhile goes together, an end hurries it."""


class Advance(NamedTuple):
    """A run has more events committed, or another status. ``status`` is None where it was not touched."""

    tenant_id: UUID
    run_id: UUID
    last_seq: int
    status: str | None


def write_notice(advances: list[Advance]) -> bytes:
    """Write a message."""
    return orjson.dumps([tuple(advance) for advance in advances])


def read_notice(message: bytes) -> list[Advance]:
    """Read a message; one that is none of ours says nothing."""
    try:
        return [
            Advance(UUID(tenant_id), UUID(run_id), int(last_seq), None if status is None else str(status))
            for tenant_id, run_id, last_seq, status in orjson.loads(message)
        ]
    except (ValueError, TypeError, AttributeError):
        log.warning("a notice cannot be read: %d bytes", len(message))
        return []


class Notices:
    """Publishes in the background what a host has committed. Telling costs a look into a dictionary and never fails."""

    def __init__(self) -> None:
        self.failures = 0
        self._pending: dict[UUID, Advance] = {}
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to publish, in the running event loop."""
        self._task = asyncio.create_task(self._publish_forever(), name="notices")

    async def stop(self) -> None:
        """End; what was not published yet is found by polls."""
        if self._task is not None:
            await end_tasks([self._task])

    def publish(self, advance: Advance) -> None:
        """Have it published soon, at once when it has a status; a later advance of the same run takes its place."""
        self._pending[advance.run_id] = advance
        self._wake.set()
        if advance.status is not None:
            self._hurry.set()

    async def _publish_forever(self) -> None:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=SEND_SECONDS, socket_connect_timeout=SEND_SECONDS
        )
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._hurry.clear()
                pending, self._pending = self._pending, {}
                if await self._publish(client, list(pending.values())):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(PACE_SECONDS):
                            await self._hurry.wait()
                else:
                    await asyncio.sleep(QUIET_SECONDS)
        finally:
            await client.aclose()

    async def _publish(self, client: "redis.asyncio.Redis", advances: list[Advance]) -> bool:
        """Publish once; return whether that worked."""
        try:
            await client.publish(CHANNEL, write_notice(advances))
        except (redis.RedisError, OSError) as error:
            self.failures += 1
            log.warning("readers were not told that runs advanced, they find it by polling: %s", error)
            return False
        return True
