"""Fold events into the state. The same events give the same state; nothing else changes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from kernel.values import Json
from runs.core.events import Event, EventType, Ref
from runs.core.gathering import add_ready, arrive, deliver, settle
from runs.core.regions import leave, memberships
from runs.core.state import Activation, Arrival, Frame, Key, Phase, Place, Stack, State, Token, remember
from segments.catalog import Role
from segments.plan import GatherPoint, PlanEdge, PlanStep

UNKNOWN_EDGE = 1 << 31
"""Sorts a failed branch behind the edges by which others arrived."""


def apply(state: State, event: Event) -> None:
    """Take one event into account, in place.

    Events of types the core knows nothing of (actions, what people do about a task) change nothing.

    Raises:
        LookupError: The event speaks of an activation that cannot be.
        TypeError: The payload has not the shape of its type.
    """
    handle = _HANDLERS.get(event.type)
    if handle is not None:
        handle(state, event)
        settle(state)


def _segment_started(state: State, event: Event) -> None:
    plan = state.plan
    state.run_input = event.payload["input"]
    state.values[event.seq] = {"input": state.run_input}
    edge = PlanEdge(-1, "", ("input",), plan.entrypoint, plan.entry_port)
    _place(state, edge, (), {}, Ref(event.seq, "input"))


def _step_started(state: State, event: Event) -> None:
    key = _key(event)
    activation = state.active.get(key)
    if activation is None:
        token = _take_ready(state, event)
        token.place = Place.ACTIVE
        token.activation = key[1]
        activation = state.active[key] = Activation(*key, token, 0, event.seq)
        state.counts[key[0]] = key[1]
        state.activations += 1
    state.running += 1
    activation.phase = Phase.RUNNING
    activation.attempt = event.attempt or activation.attempt + 1
    activation.started_seq = event.seq


def _take_ready(state: State, event: Event) -> Token:
    while state.ready:
        token = state.ready.popleft()
        if token.place is Place.READY:
            if token.step_id != event.step_id:
                raise LookupError(f"{event.step_id} is not the step to go on with")
            return token
    raise LookupError(f"{event.step_id} has nothing to start with")


def _step_retrying(state: State, event: Event) -> None:
    activation = state.active[_key(event)]
    activation.consumed += bool(event.payload["consumed"])
    _land(state, activation, Phase.RETRYING)


def _task_created(state: State, event: Event) -> None:
    _land(state, state.active[_key(event)], Phase.PARKED)


def _land(state: State, activation: Activation, phase: Phase) -> None:
    """Have an activation be in flight no more."""
    state.running -= activation.phase is Phase.RUNNING
    activation.phase = phase


def _step_completed(state: State, event: Event) -> None:
    token = _close(state, event)
    if token is None:
        return
    step = state.plan.steps[token.step_id]
    remember(state, step.step_id, event.seq, event.payload)
    lineage = token.lineage
    if step.step_id in state.plan.referenced:
        lineage = {**lineage, step.step_id: event.seq}
    items = state.items.get(event.seq)
    if items is not None and not items:
        _skip_to_join(state, step, token, lineage)
    else:
        _spread(state, step, token, event, lineage)


def _step_failed(state: State, event: Event) -> None:
    token = _close(state, event)
    if token is None:
        return
    error = event.payload["error"]
    if not isinstance(error, dict):
        raise TypeError("a failed step tells its error")
    if event.payload["edges"]:
        state.values[event.seq] = {"error": error}
        _spread(state, state.plan.steps[token.step_id], token, event, token.lineage)
    else:
        _fail_outwards(state, token, error)


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
    else:
        token = activation.token
        state.running -= activation.phase is Phase.RUNNING
        if state.doomed.pop(key, None) is not None:
            return None
    leave(state, token)
    token.place = Place.GONE
    return token


def _key(event: Event) -> tuple[str, int]:
    if event.step_id is None or event.activation is None:
        raise LookupError(f"{event.type} names its activation")
    return event.step_id, event.activation


def _spread(state: State, step: PlanStep, token: Token, event: Event, lineage: Mapping[str, int]) -> None:
    """Send a token along each edge that fired; more than one, or a split, pushes a frame."""
    fired = event.payload["edges"]
    if not isinstance(fired, Sequence):
        raise TypeError("an outcome tells the edges that fired")
    by_index = {edge.index: edge for edge in step.edges}
    edges = [by_index[index] for index in fired if isinstance(index, int)]
    ports = state.values[event.seq]
    is_split = step.role is Role.SPLIT and event.type is EventType.STEP_COMPLETED
    for item in _items(state, event.seq):
        for edge in edges:
            stack = token.stack
            if is_split or len(edges) > 1:
                stack = (*stack, Frame(step.step_id, token.activation, edge.index, item, event.seq))
            port = next(port for port in edge.source_ports if port in ports)
            _place(state, edge, stack, lineage, Ref(event.seq, port, item))


def _items(state: State, seq: int) -> Sequence[int | None]:
    items = state.items.get(seq)
    return [None] if items is None else range(len(items))


def _place(state: State, edge: PlanEdge, stack: Stack, lineage: Mapping[str, int], ref: Ref) -> None:
    step = state.plan.steps[edge.target]
    point = next((point for point in step.points if point.port in (None, edge.target_port)), None)
    if point is None:
        add_ready(state, step.step_id, stack, lineage, {edge.target_port: ref.to_dict()})
        return
    token = Token(state.tokens_made, step.step_id, stack, lineage)
    state.tokens_made += 1
    arrive(state, point, Arrival(token, edge.index, ref))


def _skip_to_join(state: State, step: PlanStep, token: Token, lineage: Mapping[str, int]) -> None:
    """A split over an empty list goes straight to its join, which then has nothing to gather."""
    join = next((point for point in state.plan.points if point.port is None and point.dominator == step.step_id), None)
    if join is not None:
        add_ready(state, join.step_id, token.stack, lineage, {"branches": []})


def _fail_outwards(state: State, token: Token, error: Mapping[str, Json]) -> None:
    """Give an unrouted failure to the nearest gathering the token could still reach; without one the run fails."""
    found = list(_gatherings_in_reach(state, token))
    if not found:
        state.failure = error
        return
    point, key, below = min(
        found, key=lambda one: (-len(one[1]), _distance(state, token.step_id, one[0]), one[0].index)
    )
    failed = Token(state.tokens_made, point.step_id, token.stack, token.lineage)
    state.tokens_made += 1
    deliver(state, point, Arrival(failed, UNKNOWN_EDGE, None, error), key, below)


def _gatherings_in_reach(state: State, token: Token) -> Iterator[tuple[GatherPoint, Key, Stack]]:
    for index, key in memberships(state.plan, token.step_id, token.stack):
        below = tuple(part for part in key if isinstance(part, Frame))
        yield state.plan.points[index], key, below


def _distance(state: State, step_id: str, point: GatherPoint) -> int:
    """Count the edges of the shortest way from a step to a gather point."""
    level, seen, hops = [step_id], {step_id}, 0
    while level:
        hops += 1
        edges = [edge for at in level for edge in state.plan.steps[at].edges]
        if any(edge.target == point.step_id and point.port in (None, edge.target_port) for edge in edges):
            return hops
        level = list(dict.fromkeys(edge.target for edge in edges if edge.target not in seen))
        seen.update(level)
    return hops


_HANDLERS: Mapping[EventType, Callable[[State, Event], None]] = {
    EventType.SEGMENT_STARTED: _segment_started,
    EventType.SEGMENT_COMPLETED: _segment_over,
    EventType.SEGMENT_FAILED: _segment_over,
    EventType.SEGMENT_CANCELLED: _segment_over,
    EventType.STEP_STARTED: _step_started,
    EventType.STEP_COMPLETED: _step_completed,
    EventType.STEP_FAILED: _step_failed,
    EventType.STEP_SKIPPED: _step_skipped,
    EventType.STEP_RETRYING: _step_retrying,
    EventType.HUMAN_TASK_CREATED: _task_created,
}
