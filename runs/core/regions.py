"""Regions: the tokens that may still come to the gatherings of a group under one key.

A region holds the tokens that may still come to the gatherings of one group under one key: the group's steps share D,
so a token is counted once for all of them. Where D fans out within its own fan-out, the regions of the longer keys lie
within that of the shorter one, and a token is counted in the innermost alone: what a step costs does not grow with the
depth. D: its immediate dominator. The root stands above the entrypoint. See docs/reference/gathering.md.
"""

from collections.abc import Iterator
from enum import Enum, auto
from itertools import chain

from runs.core.frames import Key, Level
from runs.core.gathering_keys import innermost_levels
from runs.core.state import Gathering, GatheringKey, Region, State, Token
from segments.plan import THIRD_SEMANTICS, GatherGroup, GatherPoint, Plan


class WaitReason(Enum):
    """Reasons why a gathering waits: tokens on their way, or only tokens that gather elsewhere."""

    NOTHING = auto()
    GATHERINGS = auto()
    RUNNING = auto()


def enter(state: State, token: Token) -> None:
    """Count the token in every region that holds it."""
    regions = []
    step_id = token.step_id
    for group, level in innermost_levels(state.plan, token):
        region = _region_at(state, group, level)
        if token.home is None:
            if step_id not in region.running:
                region.running[step_id] = {}
                region.reached |= state.plan.reaches[step_id] & group.points
            region.running[step_id][token.number] = token
        else:
            if step_id not in region.waiting:
                region.waiting[step_id] = {}
                _gathers_here(state, region, step_id)
            region.waiting[step_id].setdefault(token.home, {})[token.number] = token
        state.changed[region] = None
        regions.append(region)
    token.regions = tuple(regions)


def _region_at(state: State, group: GatherGroup, level: Level) -> Region:
    return state.regions.get((group.index, level.key)) or _new_region(state, group, level)


def _new_region(state: State, group: GatherGroup, level: Level) -> Region:
    """Make the region of a level, and those around it that are missing, too."""
    missing = [level.key]
    at = level.outer
    while at is not None and (group.index, at.key) not in state.regions:
        missing.append(at.key)
        at = at.outer
    outer = None if at is None else state.regions[group.index, at.key]
    while missing:
        key = missing.pop()
        region = state.regions[group.index, key] = Region(group, key, outer)
        if outer is not None:
            outer.inner[region] = None
        outer = region
    return region


def leave(state: State, token: Token) -> None:
    """Take the token out of every region; the gatherings it kept waiting are looked at again."""
    step_id = token.step_id
    for region in token.regions:
        if token.home is None:
            alike = region.running[step_id]
            del alike[token.number]
            if not alike:
                del region.running[step_id]
                region.is_stale = True
        else:
            homes = region.waiting[step_id]
            alike = homes[token.home]
            del alike[token.number]
            if not alike:
                del homes[token.home]
            if not homes:
                del region.waiting[step_id]
                _gathers_no_more(state, region, step_id)
        state.changed[region] = None
    token.regions = ()


def _gathers_here(state: State, region: Region, step_id: str) -> None:
    bit = 1 << state.plan.steps[step_id].order
    for one in _outwards(region):
        one.gather_at[step_id] = one.gather_at.get(step_id, 0) + 1
        if one.gather_at[step_id] > 1:
            return
        one.gathering |= bit


def _gathers_no_more(state: State, region: Region, step_id: str) -> None:
    for one in _outwards(region):
        one.gather_at[step_id] -= 1
        if one.gather_at[step_id]:
            return
        del one.gather_at[step_id]
        one.gathering ^= 1 << state.plan.steps[step_id].order
        _unsettle(state, one)


def next_unsettled(state: State) -> GatheringKey | None:
    """Take a gathering to be looked at, as something has come to it or one it waited for has gone.

    Those that lost somebody go before those to which somebody came, the outer before the inner.
    """
    if state.changed:
        lost = [one for region in state.changed for one in reversed([*_propagate_outwards(state, region)])]
        state.changed.clear()
        if lost:
            came, state.unsettled = state.unsettled, {}
            for region in lost:
                _unsettle(state, region)
            state.unsettled.update(came)
    if not state.unsettled:
        return None
    home = next(iter(state.unsettled))
    del state.unsettled[home]
    return home


def _propagate_outwards(state: State, changed: Region) -> Iterator[Region]:
    """Have the regions around one know what its tokens reach now, as far as that changes what theirs do.

    Yields those that reach less now.
    """
    region: Region | None = changed
    while region is not None:
        before, now = region.propagated, _reached(state.plan, region)
        if now == before and not region.is_empty:
            return
        region.propagated = now
        if before & ~now:
            yield region
        outer = region.outer
        if outer is not None and now != before:
            _recount(outer, before, now)
        if region.is_empty:
            state.regions.pop((region.group.index, region.key), None)
            if outer is not None:
                outer.inner.pop(region, None)
        region = outer


def _reached(plan: Plan, region: Region) -> int:
    """Return the points that tokens on their way in a region may still come to; most often they are what they were."""
    if region.is_stale:
        before, region.reached, region.is_stale = region.reached, 0, False
        running = (plan.reaches[step_id] & region.group.points for step_id in region.running)
        for bits in chain(running, region.within):
            region.reached |= bits
            if region.reached == before:
                break
    return region.reached


def _recount(region: Region, before: int, now: int) -> None:
    """Have a region know what one within it tells now."""
    if now:
        region.within[now] = region.within.get(now, 0) + 1
        region.reached |= now
    if before in region.within:
        region.within[before] -= 1
        if not region.within[before]:
            del region.within[before]
            region.is_stale = True


def _unsettle(state: State, region: Region) -> None:
    """Have the gatherings that wait for the tokens of a region looked at again."""
    steps, key = region.group.steps, region.key
    if len(steps) <= len(state.gatherings):
        homes = [(step_id, key) for step_id in steps]
        state.unsettled.update((home, None) for home in homes if home in state.gatherings)
    else:
        state.unsettled.update((home, None) for home in state.gatherings if home[0] in steps and home[1] == key)


def _outwards(region: Region) -> Iterator[Region]:
    at: Region | None = region
    while at is not None:
        yield at
        at = at.outer


def _inwards(region: Region) -> Iterator[Region]:
    found = [region]
    for one in found:
        yield one
        found.extend(one.inner)


def is_closed(state: State, token: Token) -> bool:
    """Whether the token can only still reach a gathering that is certain to fail: nothing new is to start for it."""
    if not state.failing:
        return False
    plan = state.plan
    certain = plan.leads_only_to[token.step_id] & plan.reaches[token.step_id]
    return any(
        (point.step_id, around.key) in state.failing and not _is_own(point, around.key, token.home)
        for region in token.regions
        if certain & region.group.points
        for around in _outwards(region)
        for point in points_of(plan, certain & region.group.points)
    )


def points_of(plan: Plan, bits: int) -> Iterator[GatherPoint]:
    """Give the gather points of these bits."""
    while bits:
        lowest = bits & -bits
        yield plan.points[lowest.bit_length() - 1]
        bits ^= lowest


def awaits(state: State, gathering: Gathering) -> WaitReason:
    """Tell what keeps a gathering waiting."""
    region = _region(state, gathering)
    if region is None:
        return WaitReason.NOTHING
    if region.reached & _awaited(state, gathering):
        return WaitReason.RUNNING
    elsewhere = region.gathering & _sources(state, gathering)
    own = 1 << state.plan.steps[gathering.step_id].order
    if elsewhere & own and not _gathers_within(state, region, gathering.step_id):
        elsewhere ^= own
    return WaitReason.GATHERINGS if elsewhere else WaitReason.NOTHING


def _sources(state: State, gathering: Gathering) -> int:
    """Return the bits of the steps whose tokens are awaited."""
    awaited = _awaited(state, gathering)
    if awaited == state.plan.steps[gathering.step_id].gathers:
        return state.plan.comes_from[gathering.step_id]
    reaches = state.plan.reaches
    return sum(1 << number for number, step_id in enumerate(state.plan.steps) if reaches[step_id] & awaited)


def _gathers_within(state: State, region: Region, step_id: str) -> bool:
    """Whether gatherings of the same step, under longer keys, keep that of this region waiting."""
    if state.plan.steps[step_id].points[0].keeps_shared:
        return False
    return region.gather_at[step_id] > (step_id in region.waiting)


def is_awaited(state: State, gathering: Gathering, other: Gathering) -> bool:
    """Whether tokens that gather at the other gathering may still come to this one."""
    sources = _sources(state, gathering)
    if not sources >> state.plan.steps[other.step_id].order & 1:
        return False
    home = other.step_id, other.key
    region = _region(state, gathering)
    if region is None or _is_own(state.plan.steps[gathering.step_id].points[0], gathering.key, home):
        return False
    return any(home in one.waiting.get(other.step_id, ()) for one in _inwards(region))


def tokens_still_to_come(state: State, gathering: Gathering) -> list[Token]:
    """Return the tokens that may still come to a gathering, its own left out, the oldest first."""
    region = _region(state, gathering)
    if region is None:
        return []
    step = state.plan.steps[gathering.step_id]
    reaches = state.plan.reaches
    found: list[Token] = []
    for one in _inwards(region):
        alike = [tokens for step_id, tokens in one.running.items() if reaches[step_id] & step.gathers]
        alike += [
            tokens
            for step_id, homes in one.waiting.items()
            if reaches[step_id] & step.gathers
            for home, tokens in homes.items()
            if not _is_own(step.points[0], gathering.key, home)
        ]
        found.extend(token for tokens in alike for token in tokens.values())
    return sorted(found, key=lambda token: token.number)


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
