"""Services that the runs of one host share."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from foundation.platform_faults import platform_fault
from kernel.tasks import end_tasks
from runs.bus.advances import Advance, AdvancePublisher
from runs.bus.deltas import Deltas
from runs.engine.clock import DatabaseClock
from runs.engine.context import TenantContexts
from runs.engine.delivery.deliverer import Deliverer
from runs.engine.delivery.event_feed import EventFeed
from runs.engine.journal.writer import Writer
from runs.engine.loop_scheduler import LoopScheduler
from runs.engine.middleware import build_middleware, close_middleware
from runs.engine.plans import Plans
from runs.engine.pricing import Pricing
from runs.engine.reservations import Reservations
from runs.engine.store import journals
from runs.engine.store.connection import Database
from runs.engine.store.threads import DatabaseThreads
from runs.engine.watchdog import Watchdog
from runs.step_api.base import Middleware

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
DATABASE_THREADS = 4
AGAIN_SECONDS = 0.5
AWAY = (psycopg.Error, OSError)
"""Errors of a database that is away, or not as it should be; and of others, so ask ``platform_fault``."""


@dataclass(slots=True)
class HostServices:
    """The connections, the writer, the clock and the caches of one host."""

    database: DatabaseThreads = field(
        default_factory=lambda: DatabaseThreads("host", DATABASE_THREADS, is_patient=True)
    )
    clock: DatabaseClock = field(default_factory=DatabaseClock)
    writer: Writer = field(default_factory=Writer)
    notices: AdvancePublisher = field(default_factory=AdvancePublisher)
    deliverer: Deliverer = field(default_factory=Deliverer)
    deltas: Deltas = field(default_factory=Deltas)
    event_feed: EventFeed = field(init=False)
    watchdog: Watchdog = field(default_factory=Watchdog)
    scheduler: LoopScheduler = field(init=False)
    pricing: Pricing = field(init=False)
    reservations: Reservations = field(init=False)
    contexts: TenantContexts = field(init=False)
    middleware: tuple[Middleware, ...] = field(init=False)
    plans: Plans = field(init=False)
    _background: set[asyncio.Task[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.scheduler = LoopScheduler(self.watchdog)
        self.pricing = Pricing(self.ask, self.clock)
        self.reservations = Reservations(self.ask)
        self.contexts = TenantContexts(self.ask_once, self.pricing)
        self.middleware = build_middleware()
        self.plans = Plans(self.ask, self.middleware)
        self.event_feed = EventFeed(self.ask_once, self.deliverer.ring)
        self.writer.publish = self._publish
        self.writer.ring_deliverer = self.deliverer.ring
        self.writer.is_shared = lambda: self.scheduler.is_shared

    async def ask(self, question: Callable[[Database], Answer]) -> Answer:
        """Ask the database, again and again while it is away or refuses everybody."""
        while True:
            try:
                return await self.ask_once(question)
            except AWAY as error:
                if isinstance(error, psycopg.Error) and platform_fault(error) is None:
                    raise
                log.warning("the database does not answer, asking again: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)

    async def ask_once(self, question: Callable[[Database], Answer]) -> Answer:
        """Ask the database; for attempts, whose time is the step's and who are put off when there is no answer."""
        return await self.database.ask(question)

    def _publish(self, advance: Advance) -> None:
        """Tell followers and webhook endpoints that a run has recorded more."""
        self.notices.publish(advance)
        self.event_feed.note(advance.tenant_id)

    async def recorded(self, run_id: UUID, *, last_seq: int) -> AsyncIterator[tuple[Any, ...]]:
        """Read a run's journal up to an event, some of it at a time."""
        seq = 0
        while seq < last_seq:
            rows = await self.ask(partial(journals.load_journal, run_id=run_id, after=seq))
            for row in rows:
                yield row
            seq = rows[-1][0]

    def in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something run that nobody waits for."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def open(self) -> None:
        """Begin; connections come up whenever the database does."""
        self.database.start()
        self.writer.start()
        self.notices.start()
        self.deliverer.start()
        self.event_feed.start()

    async def close(self) -> None:
        """Write what is recorded, and let go of everything."""
        await self.writer.stop()
        await self.event_feed.stop()
        await self.notices.stop()
        await self.deliverer.stop()
        await self.deltas.stop()
        await end_tasks(self._background)
        await self.reservations.stop()
        await close_middleware(self.middleware)
        await self.contexts.close()
        await self.database.stop()
