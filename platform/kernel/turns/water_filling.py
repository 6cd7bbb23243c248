"""Water-filling: free room to whoever has least for their weight, until it is used up. Pure."""

from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple


class RoomAsker(NamedTuple):
    """Somebody who can use room: how much they have, how much more they can take, and their place among equals."""

    weight: float
    has: int
    most: int
    place: tuple[float, int] = (0.0, 0)


def fill(room: int, askers: Sequence[RoomAsker]) -> list[int]:
    """Give room away, one place after the other, each to whoever then has least for their weight.

    What everybody has afterwards is max-min fair: nobody could have more but by taking from one who has no more for
    their weight. Nobody gets a second place before all with nothing have had a first. Equals come by their ``place``.

    Returns:
        How much each gets, in the order of ``askers``; together never more than ``room``.
    """
    given = [0] * len(askers)
    heap = [(one.has / one.weight, one.place, number) for number, one in enumerate(askers) if one.most > 0]
    heapify(heap)
    while heap and room > 0:
        room -= 1
        _, place, number = heap[0]
        given[number] += 1
        asker = askers[number]
        if given[number] < asker.most:
            heapreplace(heap, ((asker.has + given[number]) / asker.weight, place, number))
        else:
            heappop(heap)
    return given
