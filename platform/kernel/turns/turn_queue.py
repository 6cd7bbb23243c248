"""Queue of owners' items: the owner goes first whose last turn is longest ago."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")
Owner = TypeVar("Owner", bound=Hashable)


class TurnQueue(Generic[Owner, Item]):
    """Items of several owners. An owner has one place in line, however many items it has.

    To add and to take cost the logarithm of the number of owners, and one more for each that is passed over. Of owners
    that had no turn yet the one whose item came first goes first. Not thread-safe.

    Args:
        kept: Number of owners whose last turns are remembered; those whose turns are longest ago are forgotten first.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._items: dict[Owner, deque[Item]] = {}
        self._line: list[tuple[int, int, Owner]] = []
        self._last_turns: OrderedDict[Owner, int] = OrderedDict()
        self._turns = 0
        self._arrivals = count()

    def __bool__(self) -> bool:
        return bool(self._items)

    def __contains__(self, owner: Owner) -> bool:
        return owner in self._items

    @property
    def owners(self) -> Iterable[Owner]:
        """Those with items."""
        return self._items

    def add(self, owner: Owner, item: Item, *, first: bool = False) -> None:
        """Add an item behind the owner's others, or before them."""
        items = self._items.get(owner)
        if items is None:
            items = self._items[owner] = deque()
            self._line_up(owner)
        if first:
            items.appendleft(item)
        else:
            items.append(item)

    def take(self, passes: Callable[[Owner], bool]) -> Item | None:
        """Give a turn; None where all owners pass, or none has items."""
        passing: list[tuple[int, int, Owner]] = []
        item: Item | None = None
        while self._line:
            place = heappop(self._line)
            if not passes(place[2]):
                item = self._serve(place[2])
                break
            passing.append(place)
        for place in passing:
            heappush(self._line, place)
        return item

    def _serve(self, owner: Owner) -> Item:
        self._turns += 1
        self._last_turns[owner] = self._turns
        self._last_turns.move_to_end(owner)
        if len(self._last_turns) > self._kept:
            self._last_turns.popitem(last=False)
        items = self._items[owner]
        item = items.popleft()
        if items:
            self._line_up(owner)
        else:
            del self._items[owner]
        return item

    def _line_up(self, owner: Owner) -> None:
        heappush(self._line, (self._last_turns.get(owner, 0), next(self._arrivals), owner))
