"""Redis listener for commands to the host's runs; a lost message costs one heartbeat."""

import asyncio
import logging
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.ids import parse_id
from runs.bus.doorbell import SIGNALS_CHANNEL

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
CONNECT_SECONDS = 2.0


async def listen_for_signals(signal: Callable[[UUID], None]) -> None:
    """Call ``signal`` with the id of every run somebody poked, until cancelled; connects again and again."""
    while True:
        try:
            await _listen(signal)
        except (RedisError, OSError) as error:
            log.warning("commands arrive with the next heartbeat only: %s", error)
            await asyncio.sleep(AGAIN_SECONDS)


async def _listen(signal: Callable[[UUID], None]) -> None:
    async with (
        Redis.from_url(settings.REDIS_URL, socket_connect_timeout=CONNECT_SECONDS) as redis,
        redis.pubsub(ignore_subscribe_messages=True) as subscription,
    ):
        await subscription.subscribe(SIGNALS_CHANNEL)
        async for message in subscription.listen():
            run_id = parse_id(message["data"].decode(errors="replace"))
            if run_id is not None:
                signal(run_id)
