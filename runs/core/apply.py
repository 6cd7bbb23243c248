"""Application of events to the state. The same events give the same state; nothing else changes it."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from kernel.types import Json
from runs.core.events import Event, EventType, Ref
from runs.core.failures import branch_failed, nearest_gathering
from runs.core.frames import Frame, Stack
from runs.core.gathering import CLOSED, add_ready, arrive, cancel, deliver, settle
from runs.core.regions import is_closed, leave
from runs.core.state import Activation, Arrival, GatheringKey, Phase, State, Token, TokenHistory, TokenPlace, remember
from segments.catalog import Role
from segments.plan import FIRST_SEMANTICS, GatherPoint, PlanEdge, PlanStep, Strategy

MAX_EDGE_ERRORS = 20
"""Most failures of error edges that a run's end tells."""
UNKNOWN_EDGE = 1 << 31
"""Sorts a failed branch behind the edges by which others arrived."""
PIECE_TOKENS = 100
"""Tokens placed in one piece of the work for an event, some 1 ms."""


def apply(state: State, event: Event) -> None:
    """Take one event into account, in place.

    Events of types the core knows nothing of (actions, what people do about a task) change nothing.

    Raises:
        LookupError: The event speaks of an activation that cannot be.
        TypeError: The payload has not the shape of its type.
    """
    for _ in apply_in_pieces(state, event):
        pass


def apply_in_pieces(state: State, event: Event) -> Iterator[None]:
    """Take one event into account as ``apply`` does; yield where others may go first.

    Between two pieces the state is neither what it was nor what it will be: nothing is decided on, and no other event
    applied, before the last piece.
    """
    handle = _HANDLERS.get(event.type)
    if handle is not None:
        handle(state, event)
    elif event.type is EventType.STEP_COMPLETED:
        yield from _step_completed(state, event)
    elif event.type is EventType.STEP_FAILED:
        yield from _step_failed(state, event)
    else:
        return
    settle(state)


def _segment_started(state: State, event: Event) -> None:
    plan = state.plan
    state.run_input = event.payload["input"]
    state.values[event.seq] = {"input": state.run_input}
    edge = PlanEdge(-1, "", ("input",), plan.entrypoint, plan.entry_port)
    arrival = _place(state, edge, state.root, TokenHistory(), Ref(event.seq, "input"))
    if arrival is not None:
        arrive(state, [arrival])


def _step_started(state: State, event: Event) -> None:
    key = _key(event)
    activation = state.active.get(key)
    if activation is None:
        token = _take_ready(state, event)
        if token is None:
            token = Token(state.tokens_made, key[0], state.root, TokenHistory())
            state.tokens_made += 1
            state.to_cancel[key] = "cancelled"
        token.place = TokenPlace.ACTIVE
        token.activation = key[1]
        activation = state.active[key] = Activation(*key, token, 0, event.seq, event.at)
        state.counts[key[0]] = key[1]
        state.activations += 1
    state.running += 1
    activation.phase = Phase.RUNNING
    activation.attempt = event.attempt or activation.attempt + 1
    activation.started_seq = event.seq


def _take_ready(state: State, event: Event) -> Token | None:
    """Take the token that the event begins, or fails, with.

    None in a journal of the first semantics that tells of a token an event before it cancelled: its engine began such a
    step once, before it stalled.

    Raises:
        LookupError: Another step is to be gone on with.
    """
    while state.ready and state.ready[0].place is not TokenPlace.READY:
        state.ready.popleft()
    if state.ready and state.ready[0].step_id == event.step_id:
        return state.ready.popleft()
    if state.plan.semantics == FIRST_SEMANTICS:
        return None
    raise LookupError(f"{event.step_id} is not the step to go on with")


def _step_retrying(state: State, event: Event) -> None:
    activation = state.active[_key(event)]
    activation.consumed += bool(event.payload["consumed"])
    _land(state, activation, Phase.RETRYING)


def _parked(state: State, event: Event) -> None:
    _land(state, state.active[_key(event)], Phase.PARKED)


def _land(state: State, activation: Activation, phase: Phase) -> None:
    """Have an activation be in flight no more; where all it leads to is certain to fail, it is not gone on with."""
    state.running -= activation.phase is Phase.RUNNING
    activation.phase = phase
    if is_closed(state, activation.token):
        cancel(state, activation.token, CLOSED)


def _step_completed(state: State, event: Event) -> Iterator[None]:
    token = _close(state, event)
    if token is None:
        return
    step = state.plan.steps[token.step_id]
    remember(state, step.step_id, event.seq, event.payload)
    past = _past_behind(state, token, event)
    items = state.items.get(event.seq)
    decided: AbstractSet[GatheringKey] = frozenset()
    if items is not None and not items:
        _skip_to_joins(state, step, token, past, event.seq)
    else:
        decided = yield from _spread(state, step, token, event, past)
    if "edge_error" in event.payload:
        _fail_outwards(state, token, event, _error_of(event, "edge_error"), decided)


def _step_failed(state: State, event: Event) -> Iterator[None]:
    token = _close(state, event)
    if token is None:
        return
    error = _error_of(event, "error")
    if event.payload["edges"]:
        state.values[event.seq] = {"error": error}
        if token.step_id in state.plan.referenced:
            before = token.past.lineage.get(token.step_id)
            state.routed_failures[event.seq] = before if before is None else state.routed_failures.get(before, before)
        yield from _spread(state, state.plan.steps[token.step_id], token, event, _past_behind(state, token, event))
    else:
        _fail_outwards(state, token, event, _with_edge_error(state, event, error))


def _with_edge_error(state: State, event: Event, error: dict[str, Json]) -> dict[str, Json]:
    """Have a failure that no edge took tell which edge was kept from it, and why, wherever it is told."""
    if "edge_error" not in event.payload:
        return error
    edge_error = _error_of(event, "edge_error")
    if len(state.edge_errors) < MAX_EDGE_ERRORS:
        state.edge_errors.append(edge_error)
    details = error.get("details")
    return {**error, "details": {**(details if isinstance(details, dict) else {}), "edge_error": edge_error}}


def _past_behind(state: State, token: Token, event: Event) -> TokenHistory:
    """Return what lies behind the tokens that an activation sends; of a routed failure, too."""
    lineage = token.past.lineage
    if token.step_id in state.plan.referenced:
        lineage = {**lineage, token.step_id: event.seq}
    return TokenHistory(lineage, _through(state, token, event), token.past.age + 1)


def _through(state: State, token: Token, event: Event) -> Mapping[str, int]:
    if token.step_id not in state.plan.dominators:
        return token.past.through
    return {**token.past.through, token.step_id: _key(event)[1]}


def _error_of(event: Event, member: str) -> dict[str, Json]:
    error = event.payload[member]
    if not isinstance(error, dict):
        raise TypeError("a failure is told as an error")
    return error


def _step_skipped(state: State, event: Event) -> None:
    _close(state, event)


def _segment_over(state: State, event: Event) -> None:
    state.over = True


def _close(state: State, event: Event) -> Token | None:
    """Take an activation's outcome; return its token, or None when it was cancelled before."""
    key = _key(event)
    activation = state.active.pop(key, None)
    if activation is None:
        token = _take_ready(state, event)
        state.counts[key[0]] = key[1]
        state.activations += 1
        if token is None:
            return None
    else:
        token = activation.token
        state.running -= activation.phase is Phase.RUNNING
        if state.to_cancel.pop(key, None) is not None:
            return None
    leave(state, token)
    token.place = TokenPlace.GONE
    return token


def _key(event: Event) -> tuple[str, int]:
    if event.step_id is None or event.activation is None:
        raise LookupError(f"{event.type} names its activation")
    return event.step_id, event.activation


def _spread(
    state: State, step: PlanStep, token: Token, event: Event, past: TokenHistory
) -> Generator[None, None, AbstractSet[GatheringKey]]:
    """Send a token along each edge that fired; more than one, or a split, pushes a frame.

    Returns the joins that this decides.
    """
    fired = event.payload["edges"]
    if not isinstance(fired, Sequence):
        raise TypeError("an outcome tells the edges that fired")
    edges = step.edges if len(fired) == len(step.edges) else _edges_of(step, set(fired))
    ports = state.values[event.seq]
    is_split = step.role is Role.SPLIT and event.type is EventType.STEP_COMPLETED
    arrivals: list[tuple[GatherPoint, Arrival]] = []
    first = state.tokens_made
    for item in _items(state, event.seq):
        if state.tokens_made >= first + PIECE_TOKENS:
            first = state.tokens_made
            yield
        for edge in edges:
            stack = token.stack
            if is_split or len(edges) > 1:
                stack = stack.push(Frame(step.step_id, token.activation, edge.index, item, event.seq), past.through)
            port = next(port for port in edge.source_ports if port in ports)
            arrival = _place(state, edge, stack, past, Ref(event.seq, port, item))
            if arrival is not None:
                arrivals.append(arrival)
    return arrive(state, arrivals) if arrivals else frozenset()


def _edges_of(step: PlanStep, indexes: AbstractSet[Json]) -> tuple[PlanEdge, ...]:
    return tuple(edge for edge in step.edges if edge.index in indexes)


def _items(state: State, seq: int) -> Sequence[int | None]:
    items = state.items.get(seq)
    return [None] if items is None else range(len(items))


def _place(
    state: State, edge: PlanEdge, stack: Stack, past: TokenHistory, ref: Ref
) -> tuple[GatherPoint, Arrival] | None:
    """Put a token at the end of its edge; return it where it is to be gathered."""
    step = state.plan.steps[edge.target]
    point = None
    if step.points:
        point = next((point for point in step.points if point.port in (None, edge.target_port)), None)
    if point is None:
        add_ready(state, step.step_id, stack, past, {edge.target_port: ref.to_dict()})
        return None
    token = Token(state.tokens_made, step.step_id, stack, past)
    state.tokens_made += 1
    return point, Arrival(token, edge.index, ref)


def _skip_to_joins(state: State, step: PlanStep, token: Token, past: TokenHistory, seq: int) -> None:
    """Send an empty list straight to the joins it has, which then have nothing to gather.

    Of nothing ``all`` and ``first`` make the empty list; ``any`` and ``quorum`` cannot be met.
    """
    for number, join_id in enumerate(state.plan.empty_joins[step.step_id]):
        join = state.plan.steps[join_id]
        stack = token.stack
        if not join.points[0].closes:
            stack = stack.push(Frame(step.step_id, token.activation, number, None, seq), past.through)
        is_met = join.join is None or join.join.strategy in (Strategy.ALL, Strategy.FIRST)
        if is_met or state.plan.semantics == FIRST_SEMANTICS:
            add_ready(state, join_id, stack, past, {"branches": []})
        else:
            error = branch_failed(join_id, (), "there was no item, so no branch succeeded")
            failed_at = frozenset({join_id})
            add_ready(state, join_id, stack, past, {}, error=error, failed_at=failed_at)


def _fail_outwards(
    state: State,
    token: Token,
    event: Event,
    error: Mapping[str, Json],
    decided: AbstractSet[GatheringKey] = frozenset(),
) -> None:
    """Give an unrouted failure to the nearest gathering; without one the run fails.

    What one step sends out is there at once: the failure of its edge is counted with the success that decided a join::

        step -> join(any)      step -[fails]-> other
    """
    past = token.past._replace(through=_through_failure(state, token, event), age=token.past.age + 1)
    place = nearest_gathering(state, token, past.through)
    if place is None:
        state.failure = error
        return
    point, key = place
    if (point.step_id, key) in decided:
        return
    failed = Token(state.tokens_made, point.step_id, token.stack, past, failed_at=token.failed_at)
    state.tokens_made += 1
    deliver(state, point, Arrival(failed, UNKNOWN_EDGE, None, error), key)


def _through_failure(state: State, token: Token, event: Event) -> Mapping[str, int]:
    """Leave out the steps that a failure, on its way outwards, passes without having come through them."""
    plan, step_id = state.plan, token.step_id
    through = _through(state, token, event)
    return {one: through[one] for one in through if one == step_id or plan.dominates(one, step_id)}


_HANDLERS: Mapping[EventType, Callable[[State, Event], None]] = {
    EventType.SEGMENT_STARTED: _segment_started,
    EventType.SEGMENT_COMPLETED: _segment_over,
    EventType.SEGMENT_FAILED: _segment_over,
    EventType.SEGMENT_CANCELLED: _segment_over,
    EventType.STEP_STARTED: _step_started,
    EventType.STEP_SKIPPED: _step_skipped,
    EventType.STEP_RETRYING: _step_retrying,
    EventType.STEP_WAITING: _parked,
    EventType.HUMAN_TASK_CREATED: _parked,
}
