"""Requests of a tenant in its present minute, as all web processes count them in Redis."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import redis
from django.conf import settings

from kernel.admission import Share
from kernel.clock import utc_now

PREFIX: Final = "llmteam"
REQUESTS_PER_MINUTE: Final = "requests_per_minute"
WINDOW_SECONDS: Final = 60
REDIS_SECONDS: Final = 0.5


def key_of_requests(owner: str) -> str:
    """Name the count of an owner's requests, without the prefix."""
    return f"requests/{owner}"


def requests_of_minute(tenant_id: UUID) -> tuple[int | None, datetime | None]:
    """Tell how many requests of a tenant are counted, and when its minute is over.

    Processes take some at once, so it may be some more than were sent. None while Redis is away.
    """
    key = f"{PREFIX}:{key_of_requests(str(Share(tenant_id)))}"
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS) as client:
            counted, milliseconds = client.pipeline().get(key).pttl(key).execute()
    except redis.RedisError:
        return None, None
    if counted is None:
        return 0, None
    return int(counted), utc_now() + timedelta(milliseconds=max(0, milliseconds))
