"""Notices to readers that a run has advanced. One may be lost: readers poll every few seconds anyway."""

import logging
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from runs.bus.publisher import Publisher

log = logging.getLogger(__name__)

CHANNEL: Final = "llmteam:advanced"
PACE_SECONDS: Final = 0.01
"""Least time between two messages: the first goes at once, what comes meanwhile goes together, an end hurries it."""


class Advance(NamedTuple):
    """A run has more events committed, or another status. ``status`` is None where it was not touched."""

    tenant_id: UUID
    run_id: UUID
    last_seq: int
    status: str | None


def write_advance(advances: list[Advance]) -> bytes:
    """Write a message."""
    return orjson.dumps([tuple(advance) for advance in advances])


def read_advance(message: bytes) -> list[Advance]:
    """Read a message; one that is none of ours says nothing."""
    try:
        return [
            Advance(UUID(tenant_id), UUID(run_id), int(last_seq), None if status is None else str(status))
            for tenant_id, run_id, last_seq, status in orjson.loads(message)
        ]
    except (ValueError, TypeError, AttributeError):
        log.warning("a notice cannot be read: %d bytes", len(message))
        return []


class AdvancePublisher:
    """Publishes in the background what a host has committed. Telling costs a look into a dictionary and never fails."""

    def __init__(self) -> None:
        self.failures = 0
        self._pending: dict[UUID, Advance] = {}
        self._publisher = Publisher(CHANNEL, take=self._take, lost=self._note_lost, pace_seconds=PACE_SECONDS)

    def start(self) -> None:
        """Begin to publish, in the running event loop."""
        self._publisher.start()

    async def stop(self) -> None:
        """End; what was not published yet is found by polls."""
        await self._publisher.stop()

    def publish(self, advance: Advance) -> None:
        """Have it published soon, at once when it has a status; a later advance of the same run takes its place."""
        self._pending[advance.run_id] = advance
        self._publisher.ask(at_once=advance.status is not None)

    def _take(self) -> bytes:
        pending, self._pending = self._pending, {}
        return write_advance(list(pending.values()))

    def _note_lost(self, error: Exception) -> None:
        self.failures += 1
        log.warning("readers were not told that runs advanced, they find it by polling: %s", error)
