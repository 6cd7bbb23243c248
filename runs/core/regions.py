"""Which gatherings a token may still come to: keys, regions and the counters that make both cheap.

Source: engine.md 5.4. D is the gather point's immediate dominator; the root stands above the entrypoint.
"""

from collections.abc import Iterator

from runs.core.state import Frame, Gathering, GatheringKey, Key, Members, Membership, Stack, State, Token
from segments.plan import SECOND_SEMANTICS, GatherPoint, Plan


def gathering_key(plan: Plan, point: GatherPoint, stack: Stack) -> tuple[Key, Stack]:
    """Return the key an arrival with this stack gathers under, and the stack the gathered token goes on with."""
    last = None
    cut = len(stack)
    for index, frame in enumerate(stack):
        if frame.step_id == point.dominator:
            last = index
        elif plan.dominates(point.dominator, frame.step_id):
            cut = index
            break
    if last is None:
        return stack[:cut], stack[:cut]
    return (*stack[:last], _mark(point, stack[last])), stack[:last]


def _mark(point: GatherPoint, frame: Frame) -> tuple[str, int] | tuple[str, int, int | None]:
    """Name the fan-out whose tokens gather here; where they gather item by item, the item too."""
    if point.by_item:
        return frame.step_id, frame.activation, frame.item
    return frame.step_id, frame.activation


def memberships(plan: Plan, step_id: str, stack: Stack) -> tuple[Membership, ...]:
    """Return every (gather point, key) whose region holds a token at this step with this stack.

    A token behind D whose stack is just the key counts, too: another gathering behind D may have ended its own fan-out
    and sent it on, while others are still in it::

        choice -> quick, fan      fan -> a, b, c      (a, b) -> m1      (quick, m1, c) -> m2

    D of m2 is the choice, which did not fan out; what m1 sends on has no frame, and m2 must wait for it.
    """
    if not plan.reaches[step_id]:
        return ()
    return tuple((point.index, key) for point in _reached(plan, step_id) for key in _keys(plan, point, step_id, stack))


def _reached(plan: Plan, step_id: str) -> Iterator[GatherPoint]:
    bits = plan.reaches[step_id]
    while bits:
        lowest = bits & -bits
        yield plan.points[lowest.bit_length() - 1]
        bits ^= lowest


def _keys(plan: Plan, point: GatherPoint, step_id: str, stack: Stack) -> Iterator[Key]:
    is_first = True
    for index, frame in enumerate(stack):
        is_own = frame.step_id == point.dominator
        is_below = not is_own and plan.dominates(point.dominator, frame.step_id)
        if is_first and (is_own or is_below):
            is_first = False
            yield stack[:index]
        if is_own:
            yield (*stack[:index], _mark(point, frame))
        if is_below:
            return
    if is_first and plan.semantics > SECOND_SEMANTICS and _is_behind(plan, point.dominator, step_id):
        yield stack


def _is_behind(plan: Plan, dominator: str | None, step_id: str) -> bool:
    return step_id == dominator or plan.dominates(dominator, step_id)


def enter(state: State, token: Token) -> None:
    """Count the token in every region that holds it; a gathering token does not keep its own gathering waiting."""
    plan = state.plan
    home = token.home
    found = memberships(plan, token.step_id, token.stack)
    if home is not None:
        found = tuple(one for one in found if not _is_own(plan.points[one[0]], one[1], home))
    token.memberships = found
    for one in found:
        members = state.members.get(one)
        if members is None:
            members = state.members[one] = Members()
        (members.running if home is None else members.waiting)[token.number] = token


def _is_own(point: GatherPoint, key: Key, home: GatheringKey) -> bool:
    """Whether a token that gathers at ``home`` would keep itself waiting; at its step's ports it keeps none waiting."""
    return point.step_id == home[0] and (point.keeps_shared or key == home[1])


def leave(state: State, token: Token) -> None:
    """Take the token out of every region; the gatherings it kept waiting are looked at again."""
    for one in token.memberships:
        members = state.members[one]
        members.running.pop(token.number, None)
        members.waiting.pop(token.number, None)
        if not members.running:
            _unsettle(state, one)
        if not members.running and not members.waiting:
            del state.members[one]
    token.memberships = ()


def _unsettle(state: State, one: Membership) -> None:
    key = (state.plan.points[one[0]].step_id, one[1])
    if key in state.gatherings:
        state.unsettled[key] = None


def is_closed(state: State, token: Token) -> bool:
    """Whether the token can only still reach a join that is certain to fail: nothing new is to be started for it."""
    if not state.failing:
        return False
    certain = state.plan.leads_only_to[token.step_id]
    points = state.plan.points
    return any(
        certain >> index & 1 and (points[index].step_id, key) in state.failing for index, key in token.memberships
    )


def expected(state: State, gathering: Gathering, point: int) -> Members | None:
    """Return the tokens that may still arrive at a point of the gathering; None when there are none."""
    return state.members.get((point, gathering.key))


def holders(state: State, gathering: Gathering) -> set[GatheringKey] | None:
    """Return the gatherings that alone keep this one waiting; None when a running token does."""
    found: set[GatheringKey] = set()
    for point in open_points(state, gathering):
        members = expected(state, gathering, point.index)
        if members is None:
            continue
        if members.running:
            return None
        found.update(token.home for token in members.waiting.values() if token.home is not None)
    return found


def open_points(state: State, gathering: Gathering) -> list[GatherPoint]:
    """Return the points the gathering waits at: a join's, or the ports that have nothing yet; all if it is to fail."""
    points = state.plan.steps[gathering.step_id].points
    if (gathering.step_id, gathering.key) in state.failing:
        return list(points)
    return [point for point in points if point.port is None or not gathering.queues.get(point.index)]
