"""Limits of tenants at a web process's door: read in request threads, known here a moment later."""

import asyncio
import logging
from contextlib import suppress
from typing import Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.exceptions import ObjectDoesNotExist
from django.db import Error

from kernel.bounded_cache import BoundedCache
from tenants.entitlements.effective import Entitlements
from tenants.entitlements.kept import fresh_entitlements
from tenants.limits.selectors import entitlements_of

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 0.25
"""Time a request waits for its tenant's limits to be read; then those that were read last hold."""
MAX_KNOWN: Final = 10_000


class KnownCaps:
    """Limits of tenants as this process read them last: at most 4 s ago while the database answers in time."""

    def __init__(self) -> None:
        self._known: BoundedCache[UUID, Entitlements] = BoundedCache(MAX_KNOWN)
        self._readings: dict[UUID, asyncio.Task[None]] = {}

    def cap(self, tenant_id: UUID, limit: str) -> int | None:
        """Return a limit's number as it was read last; None where there is none, or nothing was read yet."""
        known = fresh_entitlements(tenant_id) or self._known.get(tenant_id)
        return None if known is None else known.limit(limit)

    def is_known(self, tenant_id: UUID) -> bool:
        """Whether a tenant's limits were ever read here."""
        return self._known.get(tenant_id) is not None

    def learn(self, tenant_id: UUID) -> None:
        """Read a tenant's limits unless that was a moment ago. Where the database is away the last ones hold."""
        try:
            self._known.put(tenant_id, entitlements_of(tenant_id))
        except (Error, ObjectDoesNotExist) as error:
            log.warning("limits of tenant %s are those read last: %s", tenant_id, type(error).__name__)

    async def refresh(self, tenant_id: UUID) -> None:
        """Read a tenant's limits in a request thread unless that was a moment ago; many who ask are one reading."""
        if fresh_entitlements(tenant_id) is not None:
            return
        reading = self._readings.get(tenant_id)
        if reading is None:
            reading = self._readings[tenant_id] = asyncio.create_task(self._read(tenant_id), name="limits of a tenant")
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(reading)

    async def _read(self, tenant_id: UUID) -> None:
        try:
            await sync_to_async(self.learn)(tenant_id)
        finally:
            del self._readings[tenant_id]
