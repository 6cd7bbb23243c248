"""Concurrency limit: bounds the calls of this worker that are in flight to one host; more wait their turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from runs.step_api.base import Emit, Endpoint, Next, StepCall, StepType, Wait
from segments.catalog import Effect

Place = tuple[UUID, str, int]


@dataclass(slots=True)
class _Door:
    """A place, and how many are in it or wait at it."""

    slots: asyncio.Semaphore
    users: int = field(default=0)


class Concurrency:
    """So many calls at a time for a tenant and connection, or host, where the endpoint says how many.

    Who waits does so within the time of its attempt; an attempt that is cut off gives its place up.
    """

    def __init__(self) -> None:
        self._doors: dict[Place, _Door] = {}

    def wants(self, step_type: StepType) -> bool:
        """Pure steps call nobody."""
        return step_type.effect is not Effect.PURE

    def __call__(self, call: StepCall, run: Next) -> Awaitable[Emit | Wait]:
        """Have every call to the outside take a place."""
        call.gates.append(self.gate)
        return run(call)

    @asynccontextmanager
    async def gate(self, call: StepCall, endpoint: Endpoint) -> AsyncIterator[None]:
        """Wait for a place, and leave it behind the call."""
        most = endpoint.max_concurrency
        if most is None:
            yield
            return
        place = call.context.tenant_id, endpoint.connection or endpoint.host, most
        door = self._doors.setdefault(place, _Door(asyncio.Semaphore(most)))
        door.users += 1
        try:
            async with door.slots:
                yield
        finally:
            door.users -= 1
            if not door.users:
                del self._doors[place]
