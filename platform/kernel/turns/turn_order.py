"""Order of those who are equal otherwise: whoever was served longest ago comes first, weight for weight."""

from collections.abc import Hashable, Mapping


class TurnOrder:
    """Places of owners in line (start-time fair queueing), kept in memory.

    Each service moves an owner back by what it got for its weight. Whoever has not been served for long, or never,
    stands where those stand who are served now: nobody saves up, nobody pays for room that was idle. Not for several
    threads at once.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._services = 0
        self._ends: dict[Hashable, tuple[float, int]] = {}

    def place_of(self, owner: Hashable) -> tuple[float, int]:
        """Tell an owner's place: the lower, the sooner. The second number is which service was its last."""
        end, service = self._ends.get(owner, (0.0, 0))
        return max(self._now, end), service

    def serve(self, served: Mapping[Hashable, float]) -> None:
        """Move those back who were served together, by how much each got for its weight."""
        if not served:
            return
        places = {owner: self.place_of(owner)[0] for owner in served}
        for owner, place in places.items():
            self._services += 1
            self._ends[owner] = place + served[owner], self._services
        now = min(places.values())
        if now > self._now:
            self._now = now
            self._ends = {owner: end for owner, end in self._ends.items() if end[0] >= now}
