"""Prices and spending caps of tenants, cached by one host."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from kernel.bounded_cache import BoundedCache
from kernel.tasks import ended_without_result
from runs.engine.clock import DatabaseClock
from runs.engine.store import prices
from runs.engine.store.connection import Database
from runs.engine.store.prices import Caps
from runs.step_api.resources import Price
from runs.usage.prices import LIST_PRICES, find_price

PRICE_SECONDS = 60.0
CAPS_SECONDS = 5.0
"""Time for which what was read is believed; a new price or cap holds everywhere after that."""
KEPT_TENANTS = 2_000

Fact = TypeVar("Fact")


class AskDatabase(Protocol):
    """Asks the database, again and again while it is away (``HostServices.ask``)."""

    def __call__(self, question: Callable[[Database], Fact], /) -> Awaitable[Fact]:
        """Ask."""


class Pricing:
    """Prices and caps of the tenants a host works for."""

    def __init__(self, ask: AskDatabase, clock: DatabaseClock) -> None:
        self._clock = clock
        self._rates = TenantFactCache(ask, prices.read_rates, seconds=PRICE_SECONDS)
        self._caps = TenantFactCache(ask, prices.read_caps, seconds=CAPS_SECONDS)

    async def price(self, tenant_id: UUID, provider: str, model: str) -> Price | None:
        """Say what a model's tokens cost a tenant now; None where nobody says."""
        rates = await self._rates.get(tenant_id)
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        return find_price([*rates, *LIST_PRICES], provider=provider, model=model, at=now)

    async def caps(self, tenant_id: UUID) -> Caps:
        """Say what a tenant's runs and days may take."""
        return await self._caps.get(tenant_id)


class TenantFactCache(Generic[Fact]):
    """A fact of each tenant, read when it is asked for and too old; those who ask at the same time share a reading."""

    def __init__(self, ask: AskDatabase, read: Callable[[Database, UUID], Fact], *, seconds: float) -> None:
        self._ask = ask
        self._read = read
        self._seconds = seconds
        self._known: BoundedCache[UUID, asyncio.Task[Fact]] = BoundedCache(KEPT_TENANTS)

    async def get(self, tenant_id: UUID) -> Fact:
        """Return the fact, at most ``seconds`` old."""
        known = self._known.get(tenant_id)
        if known is None or ended_without_result(known):
            until = time.monotonic() + self._seconds
            known = asyncio.create_task(self._look_up(tenant_id))
            self._known.put(tenant_id, known, until=until)
        return await asyncio.shield(known)

    async def get_newer(self, tenant_id: UUID) -> Fact:
        """Read the fact now: for those who miss something in what is believed."""
        self._known.pop(tenant_id)
        return await self.get(tenant_id)

    async def _look_up(self, tenant_id: UUID) -> Fact:
        return await self._ask(lambda connection: self._read(connection, tenant_id))
