"""The loop that publishes on a channel of Redis what has piled up since the last message. Any message may be lost."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import redis.asyncio
from django.conf import settings

from kernel.tasks import end_tasks

SEND_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 2.0
"""Time for which nothing is sent after a failure."""


class Publisher:
    """Publishes in the background, at a pace. Asking it never waits and never fails.

    Args:
        channel: Where.
        take: Gives the message, of all that is pending; called when one may be sent, never while nothing was asked for.
        lost: Called with the error where a message was not sent.
        pace_seconds: Least time between two messages: the first goes at once, what comes meanwhile goes together.
    """

    def __init__(
        self, channel: str, *, take: Callable[[], bytes], lost: Callable[[Exception], None], pace_seconds: float
    ) -> None:
        self._channel = channel
        self._take = take
        self._lost = lost
        self._pace_seconds = pace_seconds
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop; nothing where it has begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._publish_forever(), name=self._channel)

    async def stop(self) -> None:
        """End; what was not published yet is lost."""
        if self._task is not None:
            await end_tasks([self._task])

    def ask(self, *, at_once: bool = False) -> None:
        """Have what is pending published soon; without keeping to the pace where it is wanted at once."""
        self._wake.set()
        if at_once:
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
                await self._publish(client)
        finally:
            await client.aclose()

    async def _publish(self, client: "redis.asyncio.Redis") -> None:
        try:
            await client.publish(self._channel, self._take())
        except (redis.RedisError, OSError) as error:
            self._lost(error)
            await asyncio.sleep(QUIET_SECONDS)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace_seconds):
                    await self._hurry.wait()
