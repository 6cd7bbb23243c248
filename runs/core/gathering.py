"""Joins and steps with several input ports: tokens arrive, the gathering fires once, or its step fails."""

from collections.abc import Mapping

from kernel.values import Json
from runs.core.regions import enter, expected, gathering_key, holders, leave
from runs.core.state import Arrival, Gathering, GatheringKey, Key, Place, Stack, State, Token
from segments.plan import GatherPoint, JoinPolicy, PlanStep, Strategy

BRANCH_FAILED = "BRANCH_FAILED"


def arrive(state: State, point: GatherPoint, arrival: Arrival) -> None:
    """Add a token to the gathering it belongs to; a join that one arrival can decide fires at once."""
    token = arrival.token
    key, below = gathering_key(state.plan, point, token.stack)
    deliver(state, point, arrival, key, below)


def deliver(state: State, point: GatherPoint, arrival: Arrival, key: Key, below: Stack) -> None:
    """Add a token to the gathering of this point under this key."""
    home = (point.step_id, key)
    gathering = state.gatherings.get(home)
    if gathering is None:
        gathering = state.gatherings[home] = Gathering(point.step_id, key, below)
    gathering.queues.setdefault(point.index, []).append(arrival)
    arrival.token.place = Place.GATHERING
    arrival.token.home = home
    enter(state, arrival.token)
    gathering.succeeded += arrival.error is None
    if _is_decided(state, gathering):
        _fire(state, gathering, cancels=True)
    else:
        state.unsettled[home] = None


def settle(state: State) -> None:
    """Fire every gathering nobody can still come to, then, in plan order, those that wait only for each other."""
    while True:
        while state.unsettled:
            home = next(iter(state.unsettled))
            del state.unsettled[home]
            state.stuck.pop(home, None)
            gathering = state.gatherings.get(home)
            waits_for = None if gathering is None else holders(state, gathering)
            if gathering is None or waits_for is None:
                continue
            if waits_for:
                state.stuck[home] = None
            else:
                _fire(state, gathering)
        chosen = _deadlocked(state)
        if chosen is None:
            return
        del state.stuck[chosen]
        _fire(state, state.gatherings[chosen])


def _deadlocked(state: State) -> GatheringKey | None:
    """Return the first gathering, in plan order, of a set that only its own tokens keep waiting."""
    state.stuck = {home: None for home in state.stuck if home in state.gatherings}
    found: list[tuple[int, int, GatheringKey]] = []
    for number, home in enumerate(state.stuck):
        closure = _closure(state, home)
        if closure is not None and all(home in (_closure(state, other) or ()) for other in closure):
            found.append((state.plan.steps[home[0]].order, number, home))
    return min(found)[2] if found else None


def _closure(state: State, home: GatheringKey) -> set[GatheringKey] | None:
    """Return all gatherings this one waits for, directly or not; None when a running token is among the reasons."""
    seen: set[GatheringKey] = set()
    work = [home]
    while work:
        waits_for = holders(state, state.gatherings[work.pop()])
        if waits_for is None:
            return None
        work.extend(waits_for - seen)
        seen |= waits_for
    return seen


def _is_decided(state: State, gathering: Gathering) -> bool:
    """Whether what has arrived at a join decides it, whoever may still come."""
    policy = state.plan.steps[gathering.step_id].join
    if policy is None or policy.strategy is Strategy.ALL:
        return False
    return policy.strategy is Strategy.FIRST or gathering.succeeded >= _needed(policy)


def _needed(policy: JoinPolicy) -> int:
    """How many successes make a join of this policy succeed, if all who can come have come."""
    return policy.count or 1 if policy.strategy is Strategy.QUORUM else 1


def _fire(state: State, gathering: Gathering, *, cancels: bool = False) -> None:
    """End a gathering: its tokens become one that may start the step, or whose step fails by rule."""
    step = state.plan.steps[gathering.step_id]
    if step.join is None:
        _fire_ports(state, gathering, step)
        return
    arrivals = _arrivals(state, gathering)
    _dissolve(state, gathering, cancels=cancels)
    lineage = merged([arrival.token.lineage for arrival in arrivals])
    error = _join_error(step, step.join, arrivals)
    if error is not None:
        add_ready(state, step.step_id, gathering.below, lineage, {}, error=error)
        return
    refs: list[Json] = [arrival.ref.to_dict() for arrival in arrivals if arrival.ref is not None]
    add_ready(state, step.step_id, gathering.below, lineage, {"branches": refs})


def _join_error(step: PlanStep, policy: JoinPolicy, arrivals: list[Arrival]) -> Mapping[str, Json] | None:
    failed = [arrival.error for arrival in arrivals if arrival.error is not None]
    if policy.strategy in (Strategy.ALL, Strategy.FIRST):
        return _error(step, failed, "a branch failed") if failed else None
    succeeded, needed = len(arrivals) - len(failed), _needed(policy)
    if succeeded >= needed:
        return None
    return _error(step, failed, f"{succeeded} of {needed} needed branches succeeded and no more can arrive")


def _fire_ports(state: State, gathering: Gathering, step: PlanStep) -> None:
    """Take one token from each port; a port that got nothing new in a loop keeps its last value."""
    taken: list[Arrival] = []
    inputs: dict[str, Json] = {}
    lineages: list[Mapping[str, int]] = []
    for point in step.points:
        kept_under = (point.index, _outside(gathering.below, point))
        queue = gathering.queues.get(point.index)
        if queue:
            arrival = queue.pop(0)
            taken.append(arrival)
            if arrival.ref is not None:
                state.kept[kept_under] = (arrival.ref, arrival.token.lineage)
        if kept_under in state.kept:
            ref, lineage = state.kept[kept_under]
            inputs[str(point.port)] = ref.to_dict()
            lineages.append(lineage)
    for arrival in taken:
        _remove(state, arrival.token)
    if any(gathering.queues.values()):
        state.unsettled[step.step_id, gathering.key] = None
    else:
        del state.gatherings[step.step_id, gathering.key]
    failed = [arrival.error for arrival in taken if arrival.error is not None]
    error = _error(step, failed, "a branch failed") if failed else None
    add_ready(state, step.step_id, gathering.below, merged(lineages), {} if error else inputs, error=error)


def _outside(stack: Stack, point: GatherPoint) -> Stack:
    """Leave out the frames inside the loop the step stands in: all passes of the loop share what is left."""
    return tuple(frame for frame in stack if frame.step_id not in point.loop)


def _arrivals(state: State, gathering: Gathering) -> list[Arrival]:
    """Return a join's arrivals in (edge, item) order."""
    depth = len(gathering.below)
    arrivals = [arrival for queue in gathering.queues.values() for arrival in queue]
    return sorted(
        arrivals,
        key=lambda one: (
            one.edge,
            [(frame.branch, -1 if frame.item is None else frame.item) for frame in one.token.stack[depth:]],
        ),
    )


def _dissolve(state: State, gathering: Gathering, *, cancels: bool) -> None:
    """End a join's gathering; ``cancels`` ends as well whoever could still have come."""
    home = (gathering.step_id, gathering.key)
    del state.gatherings[home]
    for queue in gathering.queues.values():
        for arrival in queue:
            _remove(state, arrival.token)
    for point in state.plan.steps[gathering.step_id].points if cancels else ():
        members = expected(state, gathering, point.index)
        for token in [*members.running.values(), *members.waiting.values()] if members else ():
            cancel(state, token, "join_decided")


def cancel(state: State, token: Token, reason: str) -> None:
    """End a token: an activation in flight is to be skipped, a gathering loses it."""
    if token.place is Place.ACTIVE:
        state.doomed[token.step_id, token.activation] = reason
    if token.home is not None and token.home in state.gatherings:
        _withdraw(state, state.gatherings[token.home], token)
    _remove(state, token)


def _withdraw(state: State, gathering: Gathering, token: Token) -> None:
    for index, queue in gathering.queues.items():
        gathering.queues[index] = [arrival for arrival in queue if arrival.token is not token]
    if not any(gathering.queues.values()):
        del state.gatherings[gathering.step_id, gathering.key]


def _remove(state: State, token: Token) -> None:
    leave(state, token)
    token.place = Place.GONE
    token.home = None


def add_ready(
    state: State,
    step_id: str,
    stack: Stack,
    lineage: Mapping[str, int],
    inputs: Mapping[str, Json],
    *,
    error: Mapping[str, Json] | None = None,
) -> None:
    """Add a token that may start its step, or whose step is to fail by rule."""
    token = Token(state.tokens_made, step_id, stack, lineage, inputs, error)
    state.tokens_made += 1
    state.ready.append(token)
    enter(state, token)


def merged(lineages: list[Mapping[str, int]]) -> Mapping[str, int]:
    """Return the latest activation of each step over several lineages."""
    if len(lineages) == 1:
        return lineages[0]
    latest: dict[str, int] = {}
    for lineage in lineages:
        for step_id, seq in lineage.items():
            latest[step_id] = max(seq, latest.get(step_id, 0))
    return latest


def _error(step: PlanStep, failed: list[Mapping[str, Json]], why: str) -> Mapping[str, Json]:
    named = ", ".join(str(error["step_id"]) for error in failed)
    return {
        "code": BRANCH_FAILED,
        "message": f"Step {step.step_id} cannot go on: {why}" + (f" ({named})." if named else "."),
        "step_id": step.step_id,
        "attempts": 0,
        "details": {"branches": [dict(error) for error in failed]},
    }
