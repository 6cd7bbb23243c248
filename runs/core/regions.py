"""Which gatherings a token may still come to: keys, and regions, which make finding out cheap.

A region holds the tokens that may still come to the gatherings of one group under one key: the group's steps share D,
so a token is counted once for all of them. Source: engine.md 5.4. D is the gathering's immediate dominator; the root
stands above the entrypoint.
"""

from collections.abc import Iterator

from runs.core.state import Frame, Gathering, GatheringKey, Key, Region, RegionKey, Stack, State, Token
from segments.plan import SECOND_SEMANTICS, THIRD_SEMANTICS, GatherGroup, GatherPoint, Plan


def gathering_key(plan: Plan, point: GatherPoint, stack: Stack) -> tuple[Key, Stack]:
    """Return the key an arrival with this stack gathers under, and the stack the gathered token goes on with."""
    group = plan.groups[point.group]
    last = None
    cut = len(stack)
    for index, frame in enumerate(stack):
        if frame.step_id == group.dominator:
            last = index
        elif plan.dominates(group.dominator, frame.step_id):
            cut = index
            break
    if last is None:
        return stack[:cut], stack[:cut]
    return (*stack[:last], _mark(group, stack[last])), stack[:last]


def _mark(group: GatherGroup, frame: Frame) -> tuple[str, int] | tuple[str, int, int | None]:
    """Name the fan-out whose tokens gather here; where they gather item by item, the item too."""
    if group.by_item:
        return frame.step_id, frame.activation, frame.item
    return frame.step_id, frame.activation


def regions_of(plan: Plan, step_id: str, stack: Stack) -> tuple[RegionKey, ...]:
    """Return every region that holds a token at this step with this stack.

    A token behind D whose stack is just the key counts, too: another gathering behind D may have ended its own fan-out
    and sent it on, while others are still in it::

        choice -> quick, fan      fan -> a, b, c      (a, b) -> m1      (quick, m1, c) -> m2

    D of m2 is the choice, which did not fan out; what m1 sends on has no frame, and m2 must wait for it.
    """
    numbers = plan.groups_reached[step_id]
    if not numbers:
        return ()
    around = plan.groups_around[step_id]
    for frame in stack:
        around |= plan.groups_around[frame.step_id]
    return tuple(
        (group.index, key) for group in _chosen(plan, numbers & around) for key in _keys(plan, group, step_id, stack)
    )


def _chosen(plan: Plan, numbers: int) -> Iterator[GatherGroup]:
    while numbers:
        lowest = numbers & -numbers
        yield plan.groups[lowest.bit_length() - 1]
        numbers ^= lowest


def _keys(plan: Plan, group: GatherGroup, step_id: str, stack: Stack) -> Iterator[Key]:
    is_first = True
    for index, frame in enumerate(stack):
        is_own = frame.step_id == group.dominator
        is_below = not is_own and plan.dominates(group.dominator, frame.step_id)
        if is_first and (is_own or is_below):
            is_first = False
            yield stack[:index]
        if is_own:
            yield (*stack[:index], _mark(group, frame))
        if is_below:
            return
    if is_first and plan.semantics > SECOND_SEMANTICS and _is_behind(plan, group.dominator, step_id):
        yield stack


def _is_behind(plan: Plan, dominator: str | None, step_id: str) -> bool:
    return step_id == dominator or plan.dominates(dominator, step_id)


def enter(state: State, token: Token) -> None:
    """Count the token in every region that holds it."""
    token.regions = regions_of(state.plan, token.step_id, token.stack)
    for one in token.regions:
        region = state.regions.get(one)
        if region is None:
            region = state.regions[one] = Region()
        if token.home is None:
            region.running.setdefault(token.step_id, {})[token.number] = token
        else:
            region.waiting.setdefault(token.home, {})[token.number] = token


def leave(state: State, token: Token) -> None:
    """Take the token out of every region; the gatherings it kept waiting are looked at again."""
    for one in token.regions:
        region = state.regions[one]
        if token.home is None:
            alike = region.running[token.step_id]
            del alike[token.number]
            if not alike:
                del region.running[token.step_id]
        else:
            alike = region.waiting[token.home]
            del alike[token.number]
            if not alike:
                del region.waiting[token.home]
        if not alike:
            _unsettle(state, one)
        if not region.running and not region.waiting:
            del state.regions[one]
    token.regions = ()


def _unsettle(state: State, one: RegionKey) -> None:
    """Have the gatherings that wait for the tokens of a region looked at again."""
    number, key = one
    steps = state.plan.groups[number].steps
    if len(steps) <= len(state.gatherings):
        homes = [(step_id, key) for step_id in steps]
        state.unsettled.update((home, None) for home in homes if home in state.gatherings)
    else:
        state.unsettled.update((home, None) for home in state.gatherings if home[0] in steps and home[1] == key)


def is_closed(state: State, token: Token) -> bool:
    """Whether the token can only still reach a gathering that is certain to fail: nothing new is to start for it."""
    if not state.failing:
        return False
    plan = state.plan
    certain = plan.leads_only_to[token.step_id] & plan.reaches[token.step_id]
    return any(
        (point.step_id, key) in state.failing and not _is_own(point, key, token.home)
        for number, key in token.regions
        for point in points_of(plan, certain & plan.groups[number].points)
    )


def points_of(plan: Plan, bits: int) -> Iterator[GatherPoint]:
    """Give the gather points of these bits."""
    while bits:
        lowest = bits & -bits
        yield plan.points[lowest.bit_length() - 1]
        bits ^= lowest


def holders(state: State, gathering: Gathering) -> set[GatheringKey] | None:
    """Return the gatherings that alone keep this one waiting; None when a running token does."""
    region = _region(state, gathering)
    if region is None:
        return set()
    reaches = state.plan.reaches
    awaited = _awaited(state, gathering)
    if any(reaches[step_id] & awaited for step_id in region.running):
        return None
    point = state.plan.steps[gathering.step_id].points[0]
    return {home for home in region.waiting if reaches[home[0]] & awaited and not _is_own(point, gathering.key, home)}


def comers(state: State, gathering: Gathering) -> list[Token]:
    """Return the tokens that may still come to a gathering, its own left out."""
    region = _region(state, gathering)
    if region is None:
        return []
    step = state.plan.steps[gathering.step_id]
    reaches = state.plan.reaches
    running = [tokens for at, tokens in region.running.items() if reaches[at] & step.gathers]
    waiting = [
        tokens
        for home, tokens in region.waiting.items()
        if reaches[home[0]] & step.gathers and not _is_own(step.points[0], gathering.key, home)
    ]
    return [token for tokens in (*running, *waiting) for token in tokens.values()]


def _region(state: State, gathering: Gathering) -> Region | None:
    return state.regions.get((state.plan.steps[gathering.step_id].points[0].group, gathering.key))


def _is_own(point: GatherPoint, key: Key, home: GatheringKey | None) -> bool:
    """Whether a token that gathers at ``home`` would keep itself waiting; at its step's ports it keeps none waiting."""
    return home is not None and point.step_id == home[0] and (point.keeps_shared or key == home[1])


def _awaited(state: State, gathering: Gathering) -> int:
    """Return the bits of the points at which somebody may still come in before the gathering fires.

    By the rules before the fourth semantics a port that has a token waits for no other.
    """
    step = state.plan.steps[gathering.step_id]
    if state.plan.semantics > THIRD_SEMANTICS or (gathering.step_id, gathering.key) in state.failing:
        return step.gathers
    return sum(1 << point.index for point in step.points if point.port is None or not gathering.queues.get(point.index))


def is_complete(state: State, gathering: Gathering) -> bool:
    """Whether something has come to each port of a step with several."""
    points = state.plan.steps[gathering.step_id].points
    return all(point.port is not None and gathering.queues.get(point.index) for point in points)
