"""The gatherings of a run: the arrivals under each key, and what follows (docs/reference/gathering.md)."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from tests.reference.graph import Graph
from tests.reference.tokens import (
    Arrival,
    Failure,
    Frame,
    Key,
    Stack,
    Token,
    gathering_key,
    in_order,
    in_turn,
    is_under,
    latest_seen,
    of_other_items,
    oldest,
    stack_behind,
    through_behind,
)

Place = tuple[str, Key]
"""A gathering step and the key of one gathering at it."""


class Gatherings:
    """All gatherings of one run that have not fired."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.arrived: dict[Place, list[Arrival]] = {}
        self._kept: dict[Place, dict[str, Token]] = defaultdict(dict)
        self._empty: dict[Place, Token] = {}
        self._turns: dict[Place, tuple[int, Stack]] = {}
        self._starts = 0

    def strategy(self, step: str) -> str:
        """How a gathering is decided; a step with several ports is an ``all``."""
        config = self.graph.config(step)
        return str(config.get("merge_strategy", "all")) if step in self.graph.joins else "all"

    def arrive(self, arrival: Arrival) -> None:
        """Take an arrival up under its key."""
        step = arrival.token.step
        self.arrived.setdefault((step, gathering_key(self.graph, step, arrival.token)), []).append(arrival)

    def open_empty(self, place: Place, token: Token) -> None:
        """Have a join gather an empty list of items."""
        self._empty[place] = token

    def can_reach(self, place: Place, token: Token) -> bool:
        """Whether a token of the place's region can still reach it."""
        step, key = place
        return self.graph.reaches(token.step, step) and is_under(self.graph, step, key, token)

    def cancel(self, place: Place) -> None:
        """Drop what could have reached a gathering that is decided."""
        self._keep(lambda other, arrival: other == place or not self.can_reach(place, arrival.token))

    def drop_pointless(self) -> None:
        """Drop what could only add to a gathering that is to fail."""
        self._keep(lambda _, arrival: not self.is_pointless(arrival.token))
        self._empty = {place: token for place, token in self._empty.items() if not self.is_pointless(token)}

    def is_pointless(self, token: Token) -> bool:
        """Whether a token can only still reach a gathering that is certain to fail."""
        return any(
            token.step != step
            and self._fails_early(place)
            and is_under(self.graph, step, key, token)
            and self.graph.only_reaches(token.step, step)
            for place in self.arrived
            for step, key in [place]
        )

    def ready(self, live: Sequence[Token]) -> list[tuple[Place, bool]]:
        """The gatherings that are decided, with whether they succeed, in plan order.

        Gatherings that wait for nothing but each other are decided one at a time, the first in plan order.
        """
        places = sorted([*self.arrived, *self._empty], key=lambda place: self.graph.order[place[0]])
        blockers = {place: self._blockers(place, live) for place in places}
        found = [
            (place, succeeds)
            for place in places
            if (succeeds := self._decided(place, blocked=bool(blockers[place]))) is not None
        ]
        if not found and (stuck := self._stuck(blockers)):
            succeeds = self._decided(stuck, blocked=False)
            assert succeeds is not None
            found = [(stuck, succeeds)]
        return found

    def take(self, place: Place) -> Token:
        """Remove what a gathering takes; the token that starts its step."""
        if place in self._empty:
            return self._empty.pop(place)
        if place[0] in self.graph.joins:
            return self._take_for_join(place)
        return self._take_for_ports(place)

    def give_up(self, place: Place) -> tuple[Token, Failure | None]:
        """Remove a gathering that fails; the token with which its failure goes on, and its first cause."""
        step, key = place
        if place in self._empty:
            return self._empty.pop(place), None
        arrivals = self.arrived.pop(place)
        tokens = [arrival.token for arrival in arrivals]
        causes = [arrival.failure for arrival in arrivals if arrival.failure is not None]
        stack = stack_behind(self.graph, step, key, tokens)
        token = Token(
            step, "", None, stack, latest_seen(tokens), age=oldest(tokens), through=through_behind(key, tokens)
        )
        passed = frozenset().union(*(cause.passed for cause in causes))
        return token, (Failure(causes[0].code, causes[0].step, causes[0].activation, passed) if causes else None)

    def _decided(self, place: Place, *, blocked: bool) -> bool | None:
        """Whether a gathering succeeds; None while that is open."""
        step, _ = place
        strategy = self.strategy(step)
        if place in self._empty:
            return strategy not in {"any", "quorum"}
        arrivals = self.arrived[place]
        successes = [arrival for arrival in arrivals if arrival.failure is None]
        if strategy == "first":
            return arrivals[0].failure is None
        if strategy != "all":
            met = len(successes) >= self._needed(step)
            return True if met else None if blocked else False
        return None if blocked else len(successes) == len(arrivals)

    def _needed(self, step: str) -> int:
        return int(self.graph.config(step).get("count", 1)) if self.strategy(step) == "quorum" else 1

    def _fails_early(self, place: Place) -> bool:
        step, _ = place
        waits = self.graph.config(step).get("on_branch_failure") == "wait"
        failed = any(arrival.failure is not None for arrival in self.arrived[place])
        return failed and self.strategy(step) == "all" and not waits

    def _blockers(self, place: Place, live: Sequence[Token]) -> set[Place | None]:
        """What a gathering waits for: other gatherings whose tokens can reach it, None for tokens on their way."""
        found: set[Place | None] = {None for token in live if self.can_reach(place, token)}
        for other, arrivals in self.arrived.items():
            own_step = other[0] == place[0] and place[0] not in self.graph.joins
            if other != place and not own_step and any(self.can_reach(place, one.token) for one in arrivals):
                found.add(other)
        return found

    def _stuck(self, blockers: dict[Place, set[Place | None]]) -> Place | None:
        """The first gathering in plan order among some that wait only for each other; one that lacks nothing first."""
        for place in sorted(blockers, key=self._lacks):
            waited_for = _closure(place, blockers)
            if None not in waited_for and all(
                place in _closure(other, blockers) for other in waited_for if other is not None
            ):
                return place
        return None

    def _lacks(self, place: Place) -> bool:
        """Whether a gathering is a join, or has a port to which nothing has come."""
        step, _ = place
        if step in self.graph.joins:
            return True
        filled = {arrival.token.port for arrival in self.arrived[place]}
        return any(edge.target_port not in filled for edge in self.graph.into[step])

    def _take_for_join(self, place: Place) -> Token:
        step, key = place
        arrivals = [arrival.token for arrival in self.arrived.pop(place) if arrival.failure is None]
        strategy = self.strategy(step)
        taken = arrivals if strategy == "all" else arrivals[: self._needed(step)]
        values = [token.value for token in in_order(self.graph, key, taken)]
        return Token(
            step,
            "",
            values,
            stack_behind(self.graph, step, key, taken),
            latest_seen(taken),
            age=oldest(taken),
            through=through_behind(key, taken),
        )

    def _take_for_ports(self, place: Place) -> Token:
        step, key = place
        arrivals = self.arrived.pop(place)
        first: dict[str, Token] = {}
        for port in self.graph.ports(step):
            at_port = [arrival.token for arrival in arrivals if arrival.token.port == port]
            fitting = [token for token in at_port if not of_other_items(token, first.values())]
            if fitting:
                first[port] = in_order(self.graph, key, fitting)[0]
        before = self._turns.pop(place, None)
        if left := [arrival for arrival in arrivals if first.get(arrival.token.port) is not arrival.token]:
            self.arrived[place] = left
        taken = list(first.values())
        kept = self._kept[self._kept_under(step, key)]
        kept |= first
        inputs = {port: token.value for port, token in kept.items() if not of_other_items(token, taken)}
        stack = stack_behind(self.graph, step, key, taken)
        if before or left:
            turn, first_stack = before or (0, stack)
            self._starts += 1
            start = Frame(step, -self._starts, turn, through=through_behind(key, taken))
            stack = in_turn(stack, first_stack, start, key)
            if left:
                self._turns[place] = turn + 1, first_stack
        through = through_behind(key, taken)
        return Token(step, "", inputs, stack, latest_seen(taken), age=oldest(taken), through=through)

    def _kept_under(self, step: str, key: Key) -> Place:
        """Where ports keep their last values: the key; in a loop what is below without its frames, and an item."""
        loops = self.graph.on_a_loop_with

        def outside(stack: Stack) -> Stack:
            return tuple(frame for frame in stack if not loops(frame.step, step))

        if not loops(step, step):
            return step, key
        if key.item is None:
            return step, Key(outside(key.base), None)
        return step, Key(outside(key.base), key.fan_out, key.item)

    def _keep(self, wanted: Callable[[Place, Arrival], bool]) -> None:
        for place, arrivals in list(self.arrived.items()):
            left = [arrival for arrival in arrivals if wanted(place, arrival)]
            if left:
                self.arrived[place] = left
            else:
                del self.arrived[place]


def _closure(place: Place, blockers: dict[Place, set[Place | None]]) -> set[Place | None]:
    found: set[Place | None] = set()
    todo: list[Place | None] = [place]
    while todo:
        one = todo.pop()
        for other in blockers[one] if one is not None else ():
            if other not in found:
                found.add(other)
                todo.append(other)
    return found
