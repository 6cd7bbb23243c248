"""Rate limits of what is no call of a step: counted in Redis for all processes, in this one while Redis is away."""

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from django.conf import settings
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

PREFIX: Final = "llmteam"
REDIS_SECONDS: Final = 0.5
T = TypeVar("T")


class RateLimits:
    """Counts in windows that begin with the first hit. Blocks for a moment; may be used from any thread."""

    def __init__(self, redis_url: str) -> None:
        shared = RedisStorage(
            redis_url, key_prefix=PREFIX, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        )
        self._shared, self._local = FixedWindowRateLimiter(shared), FixedWindowRateLimiter(MemoryStorage())

    def hit(self, limit: RateLimitItem, *whose: str) -> bool:
        """Count one; False where there is no room for it."""
        return self._ask(lambda limiter: limiter.hit(limit, *whose))

    def seconds_left(self, limit: RateLimitItem, *whose: str) -> int:
        """Tell in how many seconds there is room again; at least 1."""
        reset_at = self._ask(lambda limiter: limiter.get_window_stats(limit, *whose).reset_time)
        return max(1, round(reset_at - time.time()))

    def clear(self, limit: RateLimitItem, *whose: str) -> None:
        """Begin anew."""
        self._ask(lambda limiter: limiter.clear(limit, *whose))
        self._local.clear(limit, *whose)

    def forget_all(self) -> None:
        """Begin everything anew."""
        self._ask(lambda limiter: limiter.storage.reset())

    def _ask(self, question: Callable[[FixedWindowRateLimiter], T]) -> T:
        try:
            return question(self._shared)
        except (RedisError, OSError) as error:
            log.warning("limits are counted in this process only: %s", type(error).__name__)
            return question(self._local)


def per_seconds(name: str, amount: int, seconds: int) -> RateLimitItem:
    """Name a limit: so many in so many seconds."""
    return RateLimitItemPerSecond(amount, seconds, namespace=name)


def rate_limits() -> RateLimits:
    """Return the counts of this process."""
    return _rate_limits_at(settings.REDIS_URL)


@lru_cache(maxsize=4)
def _rate_limits_at(redis_url: str) -> RateLimits:
    return RateLimits(redis_url)
