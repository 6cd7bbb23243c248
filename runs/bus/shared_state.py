"""Redis client of the middleware: short timeouts, and a pause after an error."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from runs.metrics import SHARED_STATE_LOCAL

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 1.0
"""A worker that is busy may take half of it to hear the answer; less would have it judge by itself for nothing."""
QUIET_SECONDS: Final = 3.0
CONNECTIONS: Final = 4

Answer = TypeVar("Answer")


class SharedStateAway(Exception):
    """Redis does not answer; whoever asked keeps to bounds of its own process.

    Attributes:
        was_asked: Whether the question was sent; then it may have taken effect.
    """

    def __init__(self, *, was_asked: bool) -> None:
        super().__init__("Redis does not answer")
        self.was_asked = was_asked


class SharedState:
    """State in Redis that all workers share, for one middleware of one host.

    After an error nobody asks for a while, so that a dead Redis costs a call in flight a second or two now and
    then, and the others nothing. The next answer ends that.
    """

    def __init__(self, part: str) -> None:
        self.pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.REDIS_URL,
            max_connections=CONNECTIONS,
            timeout=PATIENCE_SECONDS,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._part = part
        self._gauge = SHARED_STATE_LOCAL.labels(part)
        self._gauge.set(0)
        self._is_away = False
        self._quiet_until = 0.0

    async def ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask once.

        Raises:
            SharedStateAway: There is no answer, or was none a moment ago.
        """
        if time.monotonic() < self._quiet_until:
            raise SharedStateAway(was_asked=False)
        try:
            async with asyncio.timeout(2 * PATIENCE_SECONDS):
                answer = await question()
        except (redis.RedisError, OSError) as error:
            self._note_away(error)
            raise SharedStateAway(was_asked=True) from error
        if self._is_away:
            self._is_away = False
            self._gauge.set(0)
            log.info("Redis answers again: the %s is shared by all workers", self._part)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.disconnect()

    def _note_away(self, error: Exception) -> None:
        self._quiet_until = time.monotonic() + QUIET_SECONDS
        self._gauge.set(1)
        if not self._is_away:
            self._is_away = True
            log.warning("Redis does not answer: the %s is this process's own for now: %s", self._part, error)
