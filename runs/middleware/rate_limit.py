"""Rate limits of connections: calls a minute for a tenant and connection, over all workers together."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from kernel.bounded_cache import BoundedCache
from runs.bus.shared_state import SharedState, SharedStateAway
from runs.step_api.base import Defer, Emit, Endpoint, Next, StepCall, StepType, Wait
from segments.catalog import Effect

PREFIX: Final = "llmteam"
KEPT_QUEUES: Final = 1_000


class RateLimit:
    """A moving window for each tenant and connection, in Redis; in this process while Redis is away.

    What is over the limit is deferred to when there is room again. Those who are deferred are told times as far apart
    as the limit wants them: woken all at once, each but the first would be deferred again.
    """

    def __init__(self) -> None:
        self._state = SharedState("rate_limit")
        self._shared = MovingWindowRateLimiter(
            RedisStorage(
                settings.REDIS_URL,
                implementation="redispy",
                key_prefix=PREFIX,
                connection_pool=self._state.pool,  # type: ignore[arg-type]  # typed without what it documents
            )
        )
        self._local = MovingWindowRateLimiter(MemoryStorage())
        self._turns: BoundedCache[tuple[str, str], float] = BoundedCache(KEPT_QUEUES)

    def wants(self, step_type: StepType) -> bool:
        """Pure steps call nobody."""
        return step_type.effect is not Effect.PURE

    def __call__(self, call: StepCall, run: Next) -> Awaitable[Emit | Wait]:
        """Have every call to the outside counted."""
        call.gates.append(self.gate)
        return run(call)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._state.close()

    @asynccontextmanager
    async def gate(self, call: StepCall, endpoint: Endpoint) -> AsyncIterator[None]:
        """Count one call.

        Raises:
            Defer: The minute is full.
        """
        if endpoint.requests_per_minute is not None and endpoint.connection is not None:
            owner = str(call.context.tenant_id), endpoint.connection
            limit = _limit(endpoint.requests_per_minute)
            free_at = await self._hit(limit, owner)
            if free_at is not None:
                raise Defer(datetime.fromtimestamp(self._in_turn(owner, limit, free_at), UTC), "rate_limit")
        yield

    async def _hit(self, limit: RateLimitItem, owner: tuple[str, str]) -> float | None:
        """Count a call; return when there is room again if there is none now."""
        try:
            return await self._state.ask(lambda: _hit(self._shared, limit, owner))
        except SharedStateAway:
            return await _hit(self._local, limit, owner)

    def _in_turn(self, owner: tuple[str, str], limit: RateLimitItem, free_at: float) -> float:
        at = max(free_at, (self._turns.get(owner) or 0.0) + limit.get_expiry() / limit.amount)
        self._turns.put(owner, at)
        return at


async def _hit(limiter: MovingWindowRateLimiter, limit: RateLimitItem, owner: tuple[str, str]) -> float | None:
    if await limiter.hit(limit, *owner):
        return None
    window = await limiter.get_window_stats(limit, *owner)
    return window.reset_time


@lru_cache(maxsize=256)
def _limit(per_minute: int) -> RateLimitItem:
    return RateLimitItemPerMinute(per_minute, namespace="rate")
