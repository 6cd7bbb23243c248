"""Loop in every host that hands tenants' events to their webhook endpoints; it needs nothing but Postgres."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol, TypeVar
from uuid import UUID

import psycopg
from django.conf import settings

from kernel.tasks import end_tasks
from runs.engine.delivery.handing_out import HandOut, hand_out
from runs.engine.store.connection import Database, transaction
from runs.engine.store.hand_outs import SubscribedTenant, read_feeds

log = logging.getLogger(__name__)

PACE_SECONDS: Final = 0.02
"""Least time between two passes, so that what several commits wrote goes together."""
HELD_BACK_SECONDS: Final = 0.05
AWAY_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0

Answer = TypeVar("Answer")


class AskDatabaseOnce(Protocol):
    """Asks the database in a thread."""

    def __call__(self, question: Callable[[Database], Answer]) -> Awaitable[Answer]:
        """Ask."""


class EventFeed:
    """Hands out what tenants' runs have recorded, to those of them that have endpoints.

    Looks at each sweep which tenants have any, and which of those have news. In between it is told what this host has
    committed (``note``): of a tenant without endpoints that costs a look into a set.

    Args:
        ask: Asks the database.
        ring_deliverer: Called once there is something to deliver.
    """

    def __init__(self, ask: AskDatabaseOnce, ring_deliverer: Callable[[], None]) -> None:
        self._ask = ask
        self._ring_deliverer = ring_deliverer
        self._subscribed: frozenset[UUID] = frozenset()
        self._due: set[UUID] = set()
        self._bell = asyncio.Event()
        self._next_sweep = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.create_task(self._feed_forever(), name="event feed")

    def note(self, tenant_id: UUID) -> None:
        """Say that a run of a tenant has recorded something."""
        if tenant_id in self._subscribed:
            self._due.add(tenant_id)
            self._bell.set()

    async def stop(self) -> None:
        """End; a pass under way is written whole or not at all, and the rest is another host's."""
        if self._task is not None:
            await end_tasks([self._task])

    async def _feed_forever(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._bell.clear()
            try:
                if clock() >= self._next_sweep:
                    self._next_sweep = clock() + settings.SWEEP_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
                    await self._sweep()
                pause = await self._pass()
            except (psycopg.Error, OSError) as error:
                log.warning("events cannot be handed to webhook endpoints now: %s", error)
                pause = AWAY_SECONDS
            await asyncio.sleep(PACE_SECONDS)
            wait = self._next_sweep - clock() if pause is None else pause
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    await self._bell.wait()
            except TimeoutError:
                pass

    async def _sweep(self) -> None:
        feeds = await self._ask(_read_feeds)
        self._subscribed = frozenset(feed.tenant_id for feed in feeds)
        self._due |= {feed.tenant_id for feed in feeds if feed.has_news}

    async def _pass(self) -> float | None:
        """Hand out a part of what is due for each tenant; return the pause before the next, None for none."""
        due, self._due = self._due, set()
        pause: float | None = None
        for tenant_id in due:
            try:
                result: HandOut = await self._ask(partial(hand_out, tenant_id=tenant_id))
            except BaseException:
                self._due |= due
                raise
            if result.deliveries:
                self._ring_deliverer()
            if result.has_more or result.is_held_back:
                self._due.add(tenant_id)
                again = 0.0 if result.has_more else HELD_BACK_SECONDS
                pause = again if pause is None else min(pause, again)
        return pause


def _read_feeds(connection: Database) -> list[SubscribedTenant]:
    with transaction(connection):
        return read_feeds(connection)
