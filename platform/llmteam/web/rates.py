"""Requests a minute by owner: counted in Redis for all web processes together, in this process while Redis is away."""

import asyncio
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from django.conf import settings
from limits.aio.storage import MemoryStorage, RedisStorage

from kernel.bounded_cache import BoundedCache
from kernel.errors import LimitReached, limit_facts
from runs.bus.shared_state import SharedState, SharedStateAway
from runs.limits.request_counts import PREFIX, REQUESTS_PER_MINUTE, WINDOW_SECONDS, key_of_requests

BLOCKS_A_MINUTE: Final = 300
"""A process takes the 300th part of an owner's minute at once, so that most requests ask nobody."""
BLOCK_SECONDS: Final = 5.0
"""Time for which a part that was taken and not used is kept; then it lapses."""
REFUSED_SECONDS: Final = 1.0
"""Time for which a refusal is told again without asking."""
MAX_OWNERS: Final = 10_000
NEVER: Final = 0.0


class TooManyRequestsAMinute(LimitReached):
    """The owner's requests of this minute are used up."""

    code = "TOO_MANY_REQUESTS"
    title = "Too many requests in a minute"


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests a minute of one owner.

    Attributes:
        owner: Whose they are.
        most: How many.
        whose: Who it is, for people.
    """

    owner: str
    most: int
    whose: str = "tenant"


@dataclass(frozen=True, slots=True)
class Standing:
    """An owner's minute as this process knows it: its bound, what is left of it, in how many seconds it begins anew."""

    most: int
    remaining: int
    seconds: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Write the fields of draft-ietf-httpapi-ratelimit-headers-10."""
        policy = f'"{REQUESTS_PER_MINUTE}";q={self.most};w={WINDOW_SECONDS}'
        limit = f'"{REQUESTS_PER_MINUTE}";r={self.remaining};t={self.seconds}'
        return [(b"RateLimit-Policy", policy.encode()), (b"RateLimit", limit.encode())]


class _Counts(Protocol):
    """Counts by key, each for a time from its first."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count and return it."""

    async def get_expiry(self, key: str) -> float:
        """Tell when it ends."""


class _Block:
    """Block of requests that an owner may still send without asking Redis."""

    def __init__(self) -> None:
        self.left = 0
        self.until = NEVER
        self.refused_until = NEVER
        self.counted = 0
        self.resets_at = NEVER
        self.asking = asyncio.Lock()

    @property
    def is_refused(self) -> bool:
        """Whether a refusal is still fresh."""
        return self.refused_until > time.monotonic()


class RequestRates:
    """Counts requests against a fixed window of a minute for each owner."""

    def __init__(self) -> None:
        self._state = SharedState("request_rate")
        self._shared = RedisStorage(
            settings.REDIS_URL,
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=self._state.pool,  # type: ignore[arg-type]  # typed without what it documents
        )
        self._local = MemoryStorage()
        self._blocks: BoundedCache[str, _Block] = BoundedCache(MAX_OWNERS)

    async def take(self, quota: Quota) -> None:
        """Count one request.

        Raises:
            TooManyRequestsAMinute: It is one too many.
        """
        await self.count(quota)
        if self._block(quota).is_refused:
            raise self.refusal(quota)

    async def count(self, quota: Quota) -> None:
        """Count one request that is served whatever its owner's minute says."""
        block = self._block(quota)
        if not _take_from(block):
            async with block.asking:
                if not _take_from(block):
                    await self._refill(block, quota)

    def give_back(self, quota: Quota) -> None:
        """Take back what was counted for an owner that it turned out not to be."""
        self._block(quota).left += 1

    def standing(self, quota: Quota) -> Standing:
        """Tell how an owner stands."""
        block = self._block(quota)
        seconds = math.ceil(block.resets_at - time.time())
        if block.is_refused:
            return Standing(quota.most, 0, max(1, seconds))
        if seconds <= 0:
            return Standing(quota.most, quota.most, WINDOW_SECONDS)
        left = quota.most - block.counted + max(0, block.left)
        return Standing(quota.most, min(quota.most, max(0, left)), seconds)

    def refusal(self, quota: Quota) -> TooManyRequestsAMinute:
        """Make the refusal of what is over an owner's minute."""
        most, seconds = quota.most, self.standing(quota).seconds
        resets_at = datetime.fromtimestamp(math.ceil(time.time()) + seconds, UTC)
        facts = limit_facts(REQUESTS_PER_MINUTE, unit="requests", used=most, cap=most, resets_at=resets_at)
        return TooManyRequestsAMinute(
            f"One {quota.whose} may send {most} requests a minute; there is room again in {seconds} s.",
            extra={**facts, "retry_after": seconds},
        )

    def is_refused(self, quota: Quota) -> bool:
        """Whether the owner was refused a moment ago; asks nobody."""
        return self._block(quota).is_refused

    def _block(self, quota: Quota) -> _Block:
        block = self._blocks.get(quota.owner)
        if block is None:
            block = _Block()
            self._blocks.put(quota.owner, block)
        return block

    async def _refill(self, block: _Block, quota: Quota) -> None:
        """Take a block, and one request of it; or note that there is none."""
        cost = max(1, quota.most // BLOCKS_A_MINUTE)
        counted = await self._add(block, key_of_requests(quota.owner), cost)
        granted = min(cost, quota.most - (counted - cost))
        now = time.monotonic()
        block.counted = min(counted, quota.most)
        if granted > 0:
            block.left, block.until, block.refused_until = granted - 1, now + BLOCK_SECONDS, NEVER
        else:
            block.left, block.refused_until = 0, now + REFUSED_SECONDS

    async def _add(self, block: _Block, key: str, cost: int) -> int:
        """Count several requests in Redis, or here; return how many there were in this window."""

        async def counted(counts: _Counts) -> int:
            count = await counts.incr(key, WINDOW_SECONDS, amount=cost)
            if count == cost or block.resets_at <= time.time():
                block.resets_at = await counts.get_expiry(key)
            return count

        try:
            return await self._state.ask(lambda: counted(self._shared))
        except SharedStateAway:
            return await counted(self._local)


def _take_from(block: _Block) -> bool:
    """Whether nobody has to be asked: something is left, or a refusal is still fresh."""
    if block.is_refused:
        return True
    if block.left > 0 and block.until > time.monotonic():
        block.left -= 1
        return True
    return False
