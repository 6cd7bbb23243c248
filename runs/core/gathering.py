"""Joins and steps with several input ports: tokens arrive, the gathering fires once, or its step fails."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from kernel.types import Json
from runs.core.failures import branch_failed
from runs.core.frames import Key, Stack
from runs.core.gathering_keys import gathering_key
from runs.core.regions import (
    WaitReason,
    awaits,
    enter,
    is_awaited,
    is_closed,
    is_complete,
    leave,
    next_unsettled,
    tokens_still_to_come,
)
from runs.core.stacks import (
    as_branch,
    in_order,
    key_of_kept_values,
    of_other_items,
    stack_behind_join,
    stack_behind_ports,
)
from runs.core.state import Arrival, Gathering, GatheringKey, Phase, State, Token, TokenHistory, TokenPlace, latest_of
from segments.plan import (
    FIRST_SEMANTICS,
    FOURTH_SEMANTICS,
    THIRD_SEMANTICS,
    GatherPoint,
    JoinPolicy,
    Plan,
    PlanStep,
    Strategy,
    fails_early,
)

CLOSED = "branch_failed"
"""Reason of an activation that is skipped because the gathering it leads to is certain to fail."""


def arrive(state: State, arrivals: Sequence[tuple[GatherPoint, Arrival]]) -> set[GatheringKey]:
    """Add what one step sent out to the gatherings it belongs to; return the joins that decides.

    All of it is there at once: where the first token decides a join, the others that could reach it are cancelled with
    the rest of the region, also those that would have arrived by the same step::

        fan -> join(any)      fan -> work -> join
    """
    if len(arrivals) > 1:
        for _, arrival in arrivals:
            enter(state, arrival.token)
    decided: set[GatheringKey] = set()
    for point, arrival in arrivals:
        token = arrival.token
        if token.place is TokenPlace.GONE:
            continue
        leave(state, token)
        key = gathering_key(state.plan, point, token.stack, token.past.through)
        home = (point.step_id, key)
        if home in decided:
            _remove(state, token)
        elif deliver(state, point, arrival, key) and state.plan.semantics > FIRST_SEMANTICS:
            decided.add(home)
    return decided


def deliver(state: State, point: GatherPoint, arrival: Arrival, key: Key) -> bool:
    """Add a token to the gathering of this point under this key; return whether that decides the join."""
    home = (point.step_id, key)
    gathering = state.gatherings.get(home)
    if gathering is None:
        gathering = state.gatherings[home] = Gathering(point.step_id, key)
    gathering.queues.setdefault(point.index, []).append(arrival)
    arrival.token.place = TokenPlace.GATHERING
    arrival.token.home = home
    enter(state, arrival.token)
    gathering.succeeded += arrival.error is None
    if is_closed(state, arrival.token):
        cancel(state, arrival.token, CLOSED)
        return False
    if _is_decided(state, gathering):
        _fire(state, gathering, cancels=True)
        return True
    state.unsettled[home] = None
    join = state.plan.steps[point.step_id].join
    if arrival.error is not None and fails_early(join) and state.plan.semantics > FIRST_SEMANTICS:
        _close_branches(state, gathering)
    return False


def settle(state: State) -> None:
    """Fire every gathering nobody can still come to, then, in plan order, those that wait only for each other."""
    while True:
        while home := next_unsettled(state):
            state.stuck.pop(home, None)
            gathering = state.gatherings.get(home)
            match None if gathering is None else awaits(state, gathering):
                case WaitReason.GATHERINGS:
                    state.stuck[home] = None
                case WaitReason.NOTHING:
                    _fire(state, state.gatherings[home])
        chosen = _deadlocked(state)
        if chosen is None:
            return
        del state.stuck[chosen]
        _fire(state, state.gatherings[chosen])


def _deadlocked(state: State) -> GatheringKey | None:
    """Return the first gathering, in plan order, of a set that only its own tokens keep waiting.

    Steps with several ports to each of which something has come go before all others: these lack nothing. Of one step's
    gatherings that to which the oldest token has come is the first.
    """
    if not state.stuck:
        return None
    state.stuck = {home: None for home in state.stuck if home in state.gatherings}
    moving: set[GatheringKey] = set()
    ranked = sorted((_rank(state, home), home) for home in state.stuck)
    return next((home for _, home in ranked if _is_deadlocked(state, home, moving)), None)


def _rank(state: State, home: GatheringKey) -> tuple[bool, int, int]:
    gathering = state.gatherings[home]
    oldest = min(arrival.token.number for queue in gathering.queues.values() for arrival in queue)
    return not is_complete(state, gathering), state.plan.steps[home[0]].order, oldest


def _is_deadlocked(state: State, home: GatheringKey, moving: set[GatheringKey]) -> bool:
    """Whether all that a gathering waits for, directly or not, waits for it, too, and for no token on its way.

    ``moving`` has the gatherings of which the last is known to be otherwise; this one is added where it is.
    """
    first = state.gatherings[home]
    closure = [first]
    left = [other for other in state.gatherings.values() if other is not first]
    for one in closure:
        if (one.step_id, one.key) in moving or awaits(state, one) is WaitReason.RUNNING:
            moving.add(home)
            return False
        left = _move(left, closure, [is_awaited(state, one, other) for other in left])
    waiting = [first]
    left = closure[1:]
    for one in waiting:
        left = _move(left, waiting, [is_awaited(state, other, one) for other in left])
    return not left


def _move(left: list[Gathering], found: list[Gathering], chosen: list[bool]) -> list[Gathering]:
    """Put those chosen of what is left behind what is found; return the others."""
    found += [other for other, is_chosen in zip(left, chosen, strict=True) if is_chosen]
    return [other for other, is_chosen in zip(left, chosen, strict=True) if not is_chosen]


def _is_decided(state: State, gathering: Gathering) -> bool:
    """Whether what has arrived at a join decides it, whoever may still come."""
    policy = state.plan.steps[gathering.step_id].join
    if policy is None or policy.strategy is Strategy.ALL:
        return False
    return policy.strategy is Strategy.FIRST or gathering.succeeded >= _needed(policy)


def _close_branches(state: State, gathering: Gathering) -> None:
    """Start nothing more on the branches that lead only to a gathering that is certain to fail.

    Attempts in flight end and are recorded; tokens that wait, for a retry, a person or others, are ended. The
    gathering's step fails when nobody can come any more. Tokens that can reach something else go on.
    """
    state.failing.add((gathering.step_id, gathering.key))
    for token in tokens_still_to_come(state, gathering):
        if is_closed(state, token) and not _is_in_flight(state, token):
            cancel(state, token, CLOSED)


def _is_in_flight(state: State, token: Token) -> bool:
    return token.place is TokenPlace.ACTIVE and state.active[token.step_id, token.activation].phase is Phase.RUNNING


def _needed(policy: JoinPolicy) -> int:
    """Return how many successes make a join of this policy succeed, if all who can come have come."""
    return policy.count or 1 if policy.strategy is Strategy.QUORUM else 1


def _fire(state: State, gathering: Gathering, *, cancels: bool = False) -> None:
    """End a gathering: its tokens become one that may start the step, or whose step fails by rule."""
    step = state.plan.steps[gathering.step_id]
    if step.join is None:
        _fire_ports(state, gathering, step)
        return
    arrivals = _arrivals(state.plan, gathering)
    _dissolve(state, gathering, cancels=cancels)
    tokens = [arrival.token for arrival in arrivals]
    past = _past_behind(gathering, tokens)
    stack = stack_behind_join(state.plan, step.points[0], gathering, tokens)
    error = _join_error(step, step.join, arrivals)
    if error is not None:
        add_ready(state, step.step_id, stack, past, {}, error=error, failed_at=_passed(step, tokens))
        return
    refs: list[Json] = [arrival.ref.to_dict() for arrival in arrivals if arrival.ref is not None]
    add_ready(state, step.step_id, stack, past, {"branches": refs})


def _past_behind(gathering: Gathering, tokens: Sequence[Token]) -> TokenHistory:
    """Return what lies behind a gathered token: of each step the latest, of D the key's, and the longest way.

    By the latest of D the next gathering of the same D would be apart, where a loop gathers in an earlier pass of D.
    """
    pasts = [token.past for token in tokens]
    past = pasts[0]
    if len(pasts) > 1:
        lineage, through = latest_of([past.lineage for past in pasts]), latest_of([past.through for past in pasts])
        past = TokenHistory(lineage, through, max(past.age for past in pasts))
    if gathering.key.mark is None or past.through.get(gathering.key.mark[0]) in {None, gathering.key.mark[1]}:
        return past
    return past._replace(through={**past.through, gathering.key.mark[0]: gathering.key.mark[1]})


def _passed(step: PlanStep, tokens: Iterable[Token]) -> frozenset[str]:
    """Name the gatherings a failure has been through once this step fails by it."""
    return frozenset({step.step_id}.union(*(token.failed_at for token in tokens)))


def _join_error(step: PlanStep, policy: JoinPolicy, arrivals: list[Arrival]) -> Mapping[str, Json] | None:
    failed = [arrival.error for arrival in arrivals if arrival.error is not None]
    if policy.strategy in (Strategy.ALL, Strategy.FIRST):
        return branch_failed(step.step_id, failed, "a branch failed") if failed else None
    succeeded, needed = len(arrivals) - len(failed), _needed(policy)
    if succeeded >= needed:
        return None
    why = f"{succeeded} of {needed} needed branches succeeded and no more can arrive"
    return branch_failed(step.step_id, failed, why)


def _fire_ports(state: State, gathering: Gathering, step: PlanStep) -> None:
    """Take the first token of each port; a port that got nothing new keeps its last value.

    First is who comes first in (edge, branch, item) order, and is of no other item than the tokens taken before; by the
    rules before the fourth semantics, who arrived first.
    """
    if (gathering.step_id, gathering.key) in state.failing:
        _fail_ports(state, gathering, step)
        return
    taken = _take_from_ports(state, gathering, step)
    inputs, lineages = _kept_values(state, gathering, step, taken)
    tokens = [arrival.token for arrival in taken]
    for token in tokens:
        _remove(state, token)
    past = _past_behind(gathering, tokens)._replace(lineage=latest_of(lineages))
    stack = stack_behind_ports(state.plan, step.points[0], gathering, tokens)
    is_last = not any(gathering.queues.values())
    if state.plan.semantics > THIRD_SEMANTICS and (gathering.fired or not is_last):
        stack = as_branch(stack, gathering, state.tokens_made, past.through)
        gathering.fired += 1
    if is_last:
        del state.gatherings[step.step_id, gathering.key]
    else:
        state.unsettled[step.step_id, gathering.key] = None
    # By the first semantics a failure counted as its port's token.
    failed = [arrival.error for arrival in taken if arrival.error is not None]
    error = branch_failed(step.step_id, failed, "a branch failed") if failed else None
    add_ready(state, step.step_id, stack, past, {} if error else inputs, error=error)


def _take_from_ports(state: State, gathering: Gathering, step: PlanStep) -> list[Arrival]:
    """Take the first arrival of each port, and keep what they brought as the ports' last values."""
    taken: list[Arrival] = []
    for point in step.points:
        queue = gathering.queues.get(point.index, [])
        arrival = _first(state.plan, gathering, queue, taken)
        if arrival is not None:
            queue.remove(arrival)
            taken.append(arrival)
            if arrival.ref is not None:
                state.kept[key_of_kept_values(point, gathering)] = arrival.ref, arrival.token
    return taken


def _first(plan: Plan, gathering: Gathering, queue: Sequence[Arrival], taken: Sequence[Arrival]) -> Arrival | None:
    """Choose who is taken from a port, beside those that are taken already."""
    if plan.semantics <= THIRD_SEMANTICS:
        return queue[0] if queue else None
    stacks = [arrival.token.stack for arrival in taken]
    fitting = [arrival for arrival in queue if not of_other_items(arrival.token.stack, stacks)]
    return min(fitting, key=_order(plan, gathering), default=None)


def _kept_values(
    state: State, gathering: Gathering, step: PlanStep, taken: Sequence[Arrival]
) -> tuple[dict[str, Json], list[Mapping[str, int]]]:
    """Return the last value of each port that has one of no other item than the tokens taken, and their lineages."""
    stacks = [arrival.token.stack for arrival in taken] if state.plan.semantics > THIRD_SEMANTICS else []
    inputs: dict[str, Json] = {}
    lineages: list[Mapping[str, int]] = []
    for point in step.points:
        kept = state.kept.get(key_of_kept_values(point, gathering))
        if kept is not None and not of_other_items(kept[1].stack, stacks):
            ref, token = kept
            inputs[str(point.port)] = ref.to_dict()
            lineages.append(token.past.lineage)
    return inputs, lineages


def _fail_ports(state: State, gathering: Gathering, step: PlanStep) -> None:
    """Fail a step with several ports, as a join of ALL does: with all that arrived."""
    arrivals = _arrivals(state.plan, gathering)
    _dissolve(state, gathering, cancels=False)
    tokens = [arrival.token for arrival in arrivals]
    failed = [arrival.error for arrival in arrivals if arrival.error is not None]
    add_ready(
        state,
        step.step_id,
        stack_behind_ports(state.plan, step.points[0], gathering, tokens),
        _past_behind(gathering, tokens),
        {},
        error=branch_failed(step.step_id, failed, "a branch failed"),
        failed_at=_passed(step, tokens),
    )


def _arrivals(plan: Plan, gathering: Gathering) -> list[Arrival]:
    """Return a gathering's arrivals in (edge, branch, item) order, then in that of the passes of a loop."""
    return sorted((one for queue in gathering.queues.values() for one in queue), key=_order(plan, gathering))


def _order(plan: Plan, gathering: Gathering) -> Callable[[Arrival], tuple[int, list[tuple[int, int]], int]]:
    depth = gathering.key.below.depth
    has_ages = plan.semantics > FOURTH_SEMANTICS
    return lambda one: (one.edge, in_order(one.token.stack, depth), one.token.past.age if has_ages else 0)


def _dissolve(state: State, gathering: Gathering, *, cancels: bool) -> None:
    """End a join's gathering; ``cancels`` ends as well whoever could still have come."""
    home = (gathering.step_id, gathering.key)
    del state.gatherings[home]
    state.failing.discard(home)
    for queue in gathering.queues.values():
        for arrival in queue:
            _remove(state, arrival.token)
    for token in tokens_still_to_come(state, gathering) if cancels else ():
        cancel(state, token, "join_decided")


def cancel(state: State, token: Token, reason: str) -> None:
    """End a token: an activation in flight is to be skipped, a gathering loses it."""
    if token.place is TokenPlace.ACTIVE:
        state.to_cancel[token.step_id, token.activation] = reason
    if token.home is not None and token.home in state.gatherings:
        _withdraw(state, state.gatherings[token.home], token)
    _remove(state, token)


def _withdraw(state: State, gathering: Gathering, token: Token) -> None:
    for index, queue in gathering.queues.items():
        gathering.queues[index] = [arrival for arrival in queue if arrival.token is not token]
    gathering.succeeded = sum(arrival.error is None for queue in gathering.queues.values() for arrival in queue)
    if not any(gathering.queues.values()):
        del state.gatherings[gathering.step_id, gathering.key]
        state.failing.discard((gathering.step_id, gathering.key))


def _remove(state: State, token: Token) -> None:
    leave(state, token)
    token.place = TokenPlace.GONE
    token.home = None


def add_ready(
    state: State,
    step_id: str,
    stack: Stack,
    past: TokenHistory,
    inputs: Mapping[str, Json],
    *,
    error: Mapping[str, Json] | None = None,
    failed_at: frozenset[str] = frozenset(),
) -> None:
    """Add a token that may start its step, or whose step is to fail by rule.

    Where all it leads to is certain to fail, it is gone at once.
    """
    token = Token(state.tokens_made, step_id, stack, past, inputs, error)
    if failed_at:
        token.failed_at = failed_at
    state.tokens_made += 1
    enter(state, token)
    if state.failing and is_closed(state, token):
        cancel(state, token, CLOSED)
    else:
        state.ready.append(token)
