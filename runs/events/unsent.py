"""Bytes that callers have not taken yet, added up over this process by tenant and address.

An answer that nobody reads stays in the server's memory. So each tenant, and each address without one, has a share of
it, and a caller that takes next to nothing is cut off.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from django.conf import settings
from prometheus_client import Gauge

from kernel.errors import LimitReached
from kernel.process_memory import release_free_memory
from runs.metrics import SLOW_READERS_CUT

WINDOW_SECONDS: Final = 15.0
MIN_TAKEN: Final = 64 * 1024
"""Bytes in 15 seconds below which a caller who has more to take counts as not reading."""
LOOK_SECONDS: Final = 1.0


class TooMuchUnread(LimitReached):
    """The caller's tenant leaves too many answers unread."""

    code = "TOO_MUCH_UNREAD"
    title = "Answers to other requests of yours wait to be read"


class SendWay(Protocol):
    """A connection to a caller."""

    owner: str
    paces_itself: bool
    handed: int

    @property
    def transport(self) -> object:
        """The transport it is sent by; the same for all requests of a connection."""

    @property
    def unsent(self) -> int:
        """Bytes handed over and not yet taken."""

    def cut(self) -> None:
        """End the connection."""


@dataclass(slots=True)
class _UnsentReader:
    """A caller with something to take.

    ``way`` is the newest answer's, ``earlier`` what was handed over with those before it on the same connection;
    ``mark`` is how much had been taken when the window began.
    """

    way: SendWay
    since: float
    earlier: int = 0
    mark: int = 0

    @property
    def taken(self) -> int:
        return self.earlier + self.way.handed - self.way.unsent


class UnsentBytes:
    """The ledger of one event loop. Its task lives while somebody has something to take."""

    def __init__(self) -> None:
        self._readers: dict[object, _UnsentReader] = {}
        self._task: asyncio.Task[None] | None = None

    def note(self, way: SendWay) -> None:
        """Take into account that a caller was handed something."""
        found = self._readers.get(way.transport)
        if not way.unsent:
            self._readers.pop(way.transport, None)
        elif found is None:
            found = self._readers[way.transport] = _UnsentReader(way, time.monotonic())
            found.mark = found.taken
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._watch(), name="slow readers")
        elif found.way is not way:
            found.earlier += found.way.handed
            found.way = way

    def of(self, owner: str) -> int:
        """Add up what an owner's callers have not taken."""
        return sum(reader.way.unsent for reader in list(self._readers.values()) if reader.way.owner == owner)

    def total(self) -> int:
        """Add up what nobody has taken yet."""
        return sum(reader.way.unsent for reader in list(self._readers.values()))

    def has_room(self, owner: str, size: int = 0) -> bool:
        """Whether an owner's callers may be handed so much more."""
        return self.of(owner) + size <= settings.UNSENT_MIB_PER_TENANT * 2**20

    async def _watch(self) -> None:
        while self._readers:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            for transport, reader in list(self._readers.items()):
                if not reader.way.unsent:
                    del self._readers[transport]
                elif now - reader.since >= WINDOW_SECONDS:
                    self._judge(reader, now)
        await asyncio.to_thread(release_free_memory)

    def _judge(self, reader: _UnsentReader, now: float) -> None:
        """Cut off who took next to nothing in a whole window; what waits for its caller does that itself."""
        if reader.taken - reader.mark < MIN_TAKEN and not reader.way.paces_itself:
            SLOW_READERS_CUT.inc()
            reader.way.cut()
        reader.mark, reader.since = reader.taken, now


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, UnsentBytes] = WeakKeyDictionary()


def current_unsent() -> UnsentBytes:
    """Return the ledger of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _by_loop.get(loop)
    if found is None:
        found = _by_loop[loop] = UnsentBytes()
    return found


def total_unsent() -> int:
    """Add up what callers of this process have not taken, in whatever thread."""
    return sum(ledger.total() for ledger in list(_by_loop.values()))


Gauge("llmteam_unsent_bytes", "Bytes of answers that callers have not taken yet.").set_function(total_unsent)
