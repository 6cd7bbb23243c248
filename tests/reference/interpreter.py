"""An interpreter of docs/reference/gathering.md for pure segments: no journal, no commands, one choice after the other.

It shares no code with the core it judges. Tokens without a gathering start in turn; a schedule chooses how soon they do
and what finishes next. What schedules disagree about is not determined by the specification.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.reference.gatherings import Gatherings, Place
from tests.reference.graph import ERROR, SPLIT, Graph
from tests.reference.handlers import Emitted, Failed, firing_edges, names_of, run_handler
from tests.reference.model import WAIT
from tests.reference.schedules import AtRandom, Label, Schedule
from tests.reference.tokens import Arrival, Failure, Frame, Key, Token

MOST_SIDE_BY_SIDE = 64
"""More steps in flight wait for room in the engine, and then its order is another."""


class TooLarge(Exception):
    """The run is larger than what is compared."""


class RunFailed(Exception):
    """Nobody takes a failure."""

    def __init__(self, code: str, step: str) -> None:
        super().__init__(code, step)
        self.code, self.step = code, step


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    Attributes:
        status: ``completed`` or ``failed``.
        output: Of a completed run.
        error: A code and a step.
        activations: How many outcomes each step had.
        cancelled: How many of each step were in flight when a decision ended them; an engine that had got an outcome by
            then records it, too.
    """

    status: str
    output: Any
    error: tuple[str, str] | None
    activations: Mapping[str, int]
    cancelled: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(slots=True)
class _InFlight:
    token: Token
    activation: int


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A token that may start its step; or whose step is to fail, with the gatherings its failure has been through."""

    token: Token
    passed: frozenset[str] | None = None


@dataclass
class Interpreter:
    """One run of a graph under one schedule."""

    graph: Graph
    schedule: Schedule
    most_activations: int = 400
    in_flight: list[_InFlight] = field(default_factory=list)
    fresh: list[_Fresh] = field(default_factory=list)
    started: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    last: dict[str, Any] = field(default_factory=dict)

    def run(self, run_input: Any) -> Result:
        """Run to the end.

        Raises:
            TooLarge: There are more activations than are compared.
        """
        self.run_input = run_input
        self.gatherings = Gatherings(self.graph)
        self.fresh = [_Fresh(Token(self.graph.entry, "input", run_input, (), {}))]
        try:
            while self._go_on():
                self._finish(self.in_flight.pop(self.schedule.next_to_finish(self._labels())))
        except RunFailed as failure:
            self.cancelled.update(one.token.step for one in self.in_flight)
            return Result("failed", None, (failure.code, failure.step), dict(self.ended), self.cancelled)
        return Result("completed", self._output(), None, dict(self.ended), self.cancelled)

    def live(self) -> Iterator[Token]:
        """The tokens that are not gathering."""
        yield from (one.token for one in self.fresh)
        yield from (one.token for one in self.in_flight)

    def _output(self) -> Any:
        ends = self.graph.ends
        if len(ends) == 1:
            return self.last.get(ends[0])
        return {step: self.last[step] for step in ends if step in self.last}

    def _go_on(self) -> bool:
        """Let gatherings fire and tokens start; whether anything is in flight then."""
        self._settle()
        while self._start_some():
            self._settle()
        return bool(self.in_flight)

    def _start_some(self) -> bool:
        """Start steps, up to the first that is to fail; whether there was one: what is behind it is looked at again."""
        if len(self.in_flight) + len(self.fresh) + len(self.gatherings.arrived) > MOST_SIDE_BY_SIDE:
            raise TooLarge
        for _ in range(self.schedule.number_to_start(self._labels(), self._fresh_labels())):
            one = self.fresh.pop(0)
            step = one.token.step
            activation = self._activation(step)
            if one.passed is not None:
                self.ended[step] += 1
                self._fail(one.token, Failure("BRANCH_FAILED", step, activation, one.passed))
                return True
            self.in_flight.append(_InFlight(one.token, activation))
        return False

    def _labels(self) -> list[Label]:
        return [(one.token.step, one.activation) for one in self.in_flight]

    def _fresh_labels(self) -> list[Label]:
        """What the tokens that may start will be called."""
        counts = self.started.copy()
        labels = []
        for one in self.fresh:
            step = one.token.step
            counts[step] += 1
            labels.append((step, counts[step]))
        return labels

    def _settle(self) -> None:
        while True:
            self.fresh = [one for one in self.fresh if not self.gatherings.is_pointless(one.token)]
            self.gatherings.drop_pointless()
            self._close_parked()
            ready = self.gatherings.ready(list(self.live()))
            if not ready:
                return
            place, succeeds = self.schedule.next_to_fire(ready)
            if succeeds:
                self._fire(place)
            else:
                self._fail_gathering(place)

    def _close_parked(self) -> None:
        """Close waits on which nothing depends any more; one of them may have come to its end in time."""
        closed = [
            one
            for one in self.in_flight
            if self.graph.kind(one.token.step) == WAIT and self.gatherings.is_pointless(one.token)
        ]
        self.cancelled.update(one.token.step for one in closed)
        self.in_flight = [one for one in self.in_flight if one not in closed]

    def _fire(self, place: Place) -> None:
        step, _ = place
        token = self.gatherings.take(place)
        if step in self.graph.joins and self.gatherings.strategy(step) != "all":
            self._cancel(place)
        self.fresh.append(_Fresh(token))

    def _fail_gathering(self, place: Place) -> None:
        """Have a gathering's step fail, before or behind what may start already."""
        step, _ = place
        token, cause = self.gatherings.give_up(place)
        if self.gatherings.strategy(step) != "all":
            self._cancel(place)
        failed = _Fresh(token, (cause.passed if cause else frozenset()) | {step})
        self.fresh.insert(0 if self.schedule.fails_at_once else len(self.fresh), failed)

    def _cancel(self, place: Place) -> None:
        """End what could still reach a gathering that is decided."""
        self.fresh = [one for one in self.fresh if not self.gatherings.can_reach(place, one.token)]
        ended = [one for one in self.in_flight if self.gatherings.can_reach(place, one.token)]
        self.cancelled.update(one.token.step for one in ended)
        self.in_flight = [one for one in self.in_flight if one not in ended]
        self.gatherings.cancel(place)

    def _activation(self, step: str) -> int:
        self.started[step] += 1
        if self.started[step] > self.graph.most_activations:
            raise RunFailed("ACTIVATION_LIMIT", step)
        if self.started.total() > self.most_activations:
            raise TooLarge
        return self.started[step]

    def _finish(self, one: _InFlight) -> None:
        token, step = one.token, one.token.step
        self.ended[step] += 1
        try:
            names = names_of(self.graph, token, self.run_input)
            emitted = run_handler(self.graph, step, names, self.gatherings.strategy(step))
        except Failed as failure:
            self._fail(token, Failure(failure.code, step, one.activation))
            return
        self.last[step] = emitted.value
        self._leave(token, one.activation, emitted)

    def _leave(self, token: Token, activation: int, emitted: Emitted) -> None:
        """Send tokens along the edges that fire; the failure of an edge goes where a step's own would."""
        step = token.step
        fired = firing_edges(self.graph, step, emitted.ports)
        firing = fired.edges
        seen = {**token.seen, step: (activation, emitted.value)}
        through = {**token.through, step: activation}
        if emitted.items == []:
            self._send_empty_list(token, activation, seen, through)
        for edge, value in firing:
            if emitted.items is None:
                is_fan_out = len(firing) > 1 or self.graph.kind(step) == SPLIT
                frames = (Frame(step, activation, edge.number, through=through),) if is_fan_out else ()
                self._send(
                    Token(
                        edge.target,
                        edge.target_port,
                        value,
                        token.stack + frames,
                        seen,
                        edge.number,
                        token.age + 1,
                        through,
                    )
                )
            for number, item in enumerate(emitted.items or []):
                frame = Frame(step, activation, edge.number, number, item, through=through)
                self._send(
                    Token(
                        edge.target,
                        edge.target_port,
                        item,
                        (*token.stack, frame),
                        seen,
                        edge.number,
                        token.age + 1,
                        through,
                    )
                )
        if fired.failure is not None:
            self._fail_unrouted(token, Failure(fired.failure, step, activation))

    def _send_empty_list(
        self, token: Token, activation: int, seen: Mapping[str, Any], through: Mapping[str, int]
    ) -> None:
        for join in self.graph.joins_of_empty_list(token.step):
            key = Key(token.stack, (token.step, activation))
            empty = Token(join, "", [], token.stack, seen, age=token.age + 1, through=through)
            self.gatherings.open_empty((join, key), empty)

    def _send(self, token: Token) -> None:
        if token.step in self.graph.opener:
            self.gatherings.arrive(Arrival(token))
        else:
            self.fresh.append(_Fresh(token))

    def _fail(self, token: Token, failure: Failure) -> None:
        """Send a failure by the error port, or on unrouted."""
        if any(ERROR in edge.ports for edge in self.graph.out[token.step]):
            error = {"code": failure.code, "step_id": failure.step, "activation": failure.activation}
            self._leave(token, failure.activation, Emitted(error, {ERROR: error}))
        else:
            self._fail_unrouted(token, failure)

    def _fail_unrouted(self, token: Token, failure: Failure) -> None:
        """Send a failure to the nearest gathering, else end the run."""
        gathering = self.graph.nearest_gathering(token.step, failure.passed)
        if gathering is None:
            raise RunFailed(failure.code, failure.step)
        through = {one: number for one, number in token.through.items() if self.graph.dominates(one, token.step)}
        through[token.step] = failure.activation
        at_gathering = Token(gathering, "", None, token.stack, token.seen, age=token.age + 1, through=through)
        self.gatherings.arrive(Arrival(at_gathering, failure))


def interpret(segment: Mapping[str, Any], run_input: Any, schedule: Schedule | None = None) -> Result:
    """Run a segment under one schedule.

    Raises:
        TooLarge: There are more activations, or more of them side by side, than are compared.
    """
    return Interpreter(Graph(segment), schedule or AtRandom(1)).run(run_input)
