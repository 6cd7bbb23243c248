"""Budget of memory for the runs of one worker: which runs go back to the queue, and which one fails."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from kernel.values import MAX_VALUE_BYTES
from runs.metrics import MEMORY_BUDGET, MEMORY_HELD, RUNS_RELEASED_FOR_MEMORY

log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
SHARE: Final = 0.5
EDGE: Final = 0.75
FULL: Final = 0.95
LOW: Final = 0.5
"""Of the budget: what one run may hold, from where on nothing is claimed of tenants that hold much, from where on
nothing of anybody, and down to where runs are released."""
STEP_BYTES: Final = 4 * MIB
"""By how much more than before is held runs are looked at again, beyond the edge."""
CLAIM_BYTES: Final = 2 * MAX_VALUE_BYTES
"""Most bytes that a run brings along when it is claimed: its input, twice for a moment."""
CAUTIOUS_ROOM: Final = 16
"""Runs claimed at once after memory was short: enough for several tenants to get their turn."""
PATIENT_TICKS: Final = 8
"""Ticks in a row over the budget after which a run fails for it; those that leave need a moment."""
WORTH_RETURNING_BYTES: Final = 16 * MIB


class ClaimRoom(NamedTuple):
    """Room for runs to be claimed.

    ``sure``: so many fit whatever they bring along; ``size``: bytes that more may bring along together; None where no
    more may be claimed at once. ``without``: the tenants of which none may be.
    """

    sure: int
    size: int | None = None
    without: tuple[UUID, ...] = ()


class Holder(Protocol):
    """A run of this worker, as far as its memory is concerned."""

    @property
    def tenant_id(self) -> UUID:
        """Its tenant."""

    @property
    def held_bytes(self) -> int:
        """About how much it holds."""

    @property
    def is_leaving(self) -> bool:
        """Whether it is released as soon as what is in flight has ended."""

    def shed(self) -> None:
        """Start nothing more, drop the pure work in flight, and release the run."""

    def refuse_more(self) -> None:
        """Have the run hold no more values than it does."""


class MemoryBudget:
    """Memory of the runs of one worker, held against its budget.

    From ``EDGE`` of the budget on nothing is claimed of tenants that hold more than their part, and runs are released
    down to ``LOW`` of it: they go on from their journals, here or on another worker, when there is room. Where those
    that cannot be released yet keep it over the budget even so, the largest run gets no more memory, and fails.

    Args:
        budget_bytes: For all runs together.
        holders: Gives the runs, those claimed first before others.
    """

    def __init__(self, budget_bytes: int, holders: Callable[[], Iterable[Holder]]) -> None:
        self.share_bytes = int(budget_bytes * SHARE)
        self.held = 0
        self._budget = budget_bytes
        self._edge = int(budget_bytes * EDGE)
        self._full = int(budget_bytes * FULL)
        self._low = int(budget_bytes * LOW)
        self._holders = holders
        self._next_look = self._edge
        self._most_held = 0
        self._is_short = False
        self._ticks_over = 0
        MEMORY_BUDGET.set(budget_bytes)
        MEMORY_HELD.set_function(lambda: self.held)

    def room(self) -> ClaimRoom:
        """Tell how many runs may be claimed at once, and whose may not: beyond the edge those of who holds much."""
        if self.held >= self._edge:
            room = max(0, (self._full - self.held) // CLAIM_BYTES)
            return ClaimRoom(min(room, CAUTIOUS_ROOM), without=tuple(self._holding_much()))
        size = self._edge - self.held
        room = max(1, size // CLAIM_BYTES)
        return ClaimRoom(min(room, CAUTIOUS_ROOM)) if self._is_short else ClaimRoom(room, size)

    def _holding_much(self) -> Iterator[UUID]:
        """Name the tenants that hold more than each would have if one more came; at the edge that is somebody."""
        sums = sums_by_tenant(self._holders())
        part = self._edge // (len(sums) + 1)
        return (tenant_id for tenant_id, held in sums.items() if held > part)

    def add(self, size: int) -> None:
        """Count what a run holds more, or less; beyond the edge runs are released at once."""
        self.held += size
        if self.held > self._next_look:
            self._is_short = True
            self._next_look = self.held + STEP_BYTES
            for holder in to_release(list(self._holders()), self._low):
                RUNS_RELEASED_FOR_MEMORY.inc()
                holder.shed()

    def tick(self) -> None:
        """Look after what takes time; to be called every moment."""
        self._next_look = max(self._edge, min(self._next_look, self.held + STEP_BYTES))
        if self.held < self._low // 2:
            self._is_short = False
        self._ticks_over = self._ticks_over + 1 if self.held > self._budget else 0
        if self._ticks_over >= PATIENT_TICKS:
            self._fail_largest()
        self._most_held = max(self._most_held, self.held)

    def take_surplus(self) -> bool:
        """Say, once, whether so much is held no more that it is worth returning to the system."""
        if self._most_held - self.held < WORTH_RETURNING_BYTES:
            return False
        self._most_held = self.held
        return True

    def _fail_largest(self) -> None:
        largest = max(self._holders(), key=lambda one: one.held_bytes, default=None)
        if largest is not None:
            log.warning("runs here hold %d bytes; the largest, with %d, gets no more", self.held, largest.held_bytes)
            largest.refuse_more()


def to_release(holders: Sequence[Holder], low_bytes: int) -> list[Holder]:
    """Choose runs so that those that stay hold no more than ``low_bytes``.

    The tenant whose runs hold most comes first. Of its runs so many stay, those claimed first, as would fit if each
    were as large as its largest: runs of one tenant often are alike and still grow. One of each tenant always stays.
    """
    staying = [holder for holder in holders if not holder.is_leaving]
    sums = sums_by_tenant(staying)
    left = sum(sums.values())
    chosen: list[Holder] = []
    for tenant_id in sorted(sums, key=lambda one: -sums[one]):
        if left <= low_bytes:
            break
        own = [holder for holder in staying if holder.tenant_id == tenant_id]
        fitting = (low_bytes - left + sums[tenant_id]) // max(one.held_bytes for one in own)
        released = own[max(1, fitting) :]
        left -= sum(one.held_bytes for one in released)
        chosen += released
    return chosen


def sums_by_tenant(holders: Iterable[Holder]) -> Counter[UUID]:
    """Add up how much each tenant's runs hold."""
    sums: Counter[UUID] = Counter()
    for holder in holders:
        sums[holder.tenant_id] += holder.held_bytes
    return sums
