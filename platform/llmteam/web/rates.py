"""Requests a minute by share: counted in Redis for all web processes together, in this process while Redis is away."""

import asyncio
import math
import time
from functools import lru_cache
from typing import Final

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter

from kernel.admission import Share
from kernel.bounded_cache import BoundedCache
from kernel.errors import LimitReached
from runs.bus.shared_state import SharedState, SharedStateAway

PREFIX: Final = "llmteam"
BLOCKS_A_MINUTE: Final = 300
"""A process takes the 300th part of a share's minute at once, so that most requests ask nobody."""
BLOCK_SECONDS: Final = 5.0
"""Time for which a share that was taken and not used is kept; then it lapses."""
REFUSED_SECONDS: Final = 1.0
"""Time for which a refusal is told again without asking."""
MAX_SHARES: Final = 10_000


class TooManyRequestsAMinute(LimitReached):
    """The share's requests of this minute are used up."""

    code = "TOO_MANY_REQUESTS"
    title = "Too many requests in a minute"


class _Block:
    """Block of requests that a share may still send without asking Redis."""

    def __init__(self) -> None:
        self.left = 0
        self.until = 0.0
        self.refused_until = 0.0
        self.free_at = 0.0
        self.asking = asyncio.Lock()


class RequestRates:
    """Counts requests against a fixed window of a minute for each share."""

    def __init__(self, *, per_tenant: int, per_address: int) -> None:
        self._per_tenant = per_tenant
        self._per_address = per_address
        self._state = SharedState("request_rate")
        self._shared = FixedWindowRateLimiter(
            RedisStorage(
                settings.REDIS_URL,
                implementation="redispy",
                key_prefix=PREFIX,
                connection_pool=self._state.pool,  # type: ignore[arg-type]  # typed without what it documents
            )
        )
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._blocks: BoundedCache[Share, _Block] = BoundedCache(MAX_SHARES)

    async def take(self, share: Share) -> None:
        """Count one request.

        Raises:
            TooManyRequestsAMinute: It is one too many.
        """
        block = self._block(share)
        if not self._take_from(block):
            async with block.asking:
                if not self._take_from(block):
                    await self._refill(block, share)
                    block.left -= 1
        if block.refused_until > time.monotonic():
            raise self._refusal(share, block)

    def move(self, before: Share, after: Share) -> None:
        """Count a request that was taken for one share for another; it is not refused any more."""
        self._block(before).left += 1
        self._block(after).left -= 1

    def _block(self, share: Share) -> _Block:
        block = self._blocks.get(share)
        if block is None:
            block = _Block()
            self._blocks.put(share, block)
        return block

    def _take_from(self, block: _Block) -> bool:
        """Whether nobody has to be asked: something is left, or a refusal is still fresh."""
        now = time.monotonic()
        if block.refused_until > now:
            return True
        if block.left > 0 and block.until > now:
            block.left -= 1
            return True
        return False

    async def _refill(self, block: _Block, share: Share) -> None:
        per_minute = self._per_address if share.tenant_id is None else self._per_tenant
        cost, debt = max(1, per_minute // BLOCKS_A_MINUTE), max(0, -block.left)
        block.left += debt
        free_at = await self._hit(_limit(per_minute), str(share), cost + debt)
        now = time.monotonic()
        if free_at is None:
            block.left, block.until = cost + min(0, block.left), now + BLOCK_SECONDS
        else:
            block.left, block.refused_until, block.free_at = 0, now + REFUSED_SECONDS, free_at

    async def _hit(self, limit: RateLimitItem, share: str, cost: int) -> float | None:
        """Count several requests; return when there is room again if there is none now."""
        try:
            return await self._state.ask(lambda: _hit(self._shared, limit, share, cost))
        except SharedStateAway:
            return await _hit(self._local, limit, share, cost)

    def _refusal(self, share: Share, block: _Block) -> TooManyRequestsAMinute:
        most, whose = (self._per_address, "address") if share.tenant_id is None else (self._per_tenant, "tenant")
        seconds = max(1, math.ceil(block.free_at - time.time()))
        return TooManyRequestsAMinute(
            f"One {whose} may send {most} requests a minute; there is room again in {seconds} s.",
            extra={"limit": most, "retry_after": seconds},
        )


async def _hit(limiter: FixedWindowRateLimiter, limit: RateLimitItem, share: str, cost: int) -> float | None:
    if await limiter.hit(limit, share, cost=cost):
        return None
    window = await limiter.get_window_stats(limit, share)
    return window.reset_time


@lru_cache(maxsize=8)
def _limit(per_minute: int) -> RateLimitItem:
    return RateLimitItemPerMinute(per_minute, namespace="requests")
