"""Gathering keys of tokens. The rules: docs/reference/gathering.md. D is the gathering's immediate dominator.

A key is what lies below on a token's stack, and which activation of D the token came through. Where D fans out within
its own fan-out, the longer keys stand within the shorter one.
"""

from collections.abc import Iterator, Mapping

from runs.core.frames import Frame, Key, Level, Mark, Stack
from runs.core.state import Token
from segments.plan import FOURTH_SEMANTICS, SECOND_SEMANTICS, GatherGroup, GatherPoint, Plan


def gathering_key(plan: Plan, point: GatherPoint, stack: Stack, through: Mapping[str, int]) -> Key:
    """Return the key an arrival gathers under; the gathered token goes on with what is below it.

    Args:
        plan: The plan.
        point: Where it arrives.
        stack: The arrival's.
        through: ``Past.through`` of the arrival.
    """
    group = plan.groups[point.group]
    level = _level(plan, group, stack)
    return Key(stack, _mark_of_way(plan, group, through)) if level is None else level.key


def keys_of(plan: Plan, token: Token) -> Iterator[tuple[GatherGroup, Key]]:
    """Give every key, with its group, under which a token may still gather."""
    for group, level in innermost_levels(plan, token):
        at: Level | None = level
        while at is not None:
            yield group, at.key
            at = at.outer


def innermost_levels(plan: Plan, token: Token) -> Iterator[tuple[GatherGroup, Level]]:
    """Give the innermost level of each group that holds a token.

    A token behind D whose stack is just the key counts, too: another gathering behind D may have ended its own fan-out
    and sent it on, while others are still in it::

        choice -> quick, fan      fan -> a, b, c      (a, b) -> m1      (quick, m1, c) -> m2

    D of m2 is the choice, which did not fan out; what m1 sends on has no frame, and m2 must wait for it.
    """
    step_id, stack = token.step_id, token.stack
    numbers = plan.groups_reached[step_id]
    if not numbers:
        return
    numbers &= plan.groups_around[step_id] | stack.around
    while numbers:
        lowest = numbers & -numbers
        numbers ^= lowest
        group = plan.groups[lowest.bit_length() - 1]
        level = _level(plan, group, stack)
        if level is not None:
            yield group, level
        elif plan.semantics > SECOND_SEMANTICS and _is_behind(plan, group.dominator, step_id):
            yield group, Level(Key(stack, _mark_of_way(plan, group, token.past.through)), None, is_last=False)


def _is_behind(plan: Plan, dominator: str | None, step_id: str) -> bool:
    """Whether a token at this step is one that D has sent, or by the rules before the fifth semantics will send."""
    return plan.dominates(dominator, step_id) or (step_id == dominator and plan.semantics <= FOURTH_SEMANTICS)


def _level(plan: Plan, group: GatherGroup, stack: Stack) -> Level | None:
    """Return the innermost level of a stack; None where none of its frames is of D, or of a step behind D.

    The levels of the stacks below are remembered: others stand on them, too.
    """
    if not stack.depth:
        return None
    unknown = []
    below = stack.below
    while below.depth and group.index not in below.levels:
        unknown.append(below)
        below = below.below
    level = below.levels.get(group.index)
    for one in reversed(unknown):
        level = one.levels[group.index] = _level_above(plan, group, level, one)
    return _level_above(plan, group, level, stack)


def _level_above(plan: Plan, group: GatherGroup, level: Level | None, stack: Stack) -> Level | None:
    """Return the innermost level of a stack, given that of the stack below its topmost frame."""
    if level is not None and level.is_last:
        return level
    below, frame = stack.below, stack.frame
    if frame.step_id == group.dominator:
        return Level(Key(below, _mark(group, frame)), _level_around(plan, group, level, stack), is_last=False)
    if not plan.dominates(group.dominator, frame.step_id):
        return level
    if level is None:
        return Level(Key(below, _mark_of_way(plan, group, stack.through)), None, is_last=True)
    return Level(level.key, level.outer, is_last=True)


def _level_around(plan: Plan, group: GatherGroup, level: Level | None, stack: Stack) -> Level | None:
    """Return the level around that of a frame of D: of all items together, where it is one item's.

    By the rules before the fifth semantics the first one stands in that of the stack below without a mark.
    """
    if plan.semantics <= FOURTH_SEMANTICS:
        return level or Level(Key(stack.below), None, is_last=False)
    if not group.by_item or stack.frame.item is None:
        return level
    return Level(Key(stack.below, _mark(group, stack.frame._replace(item=None))), level, is_last=False)


def _mark(group: GatherGroup, frame: Frame) -> Mark:
    """Name the fan-out whose tokens gather here; where they gather item by item, the item too."""
    if group.by_item:
        return frame.step_id, frame.activation, frame.item
    return frame.step_id, frame.activation


def _mark_of_way(plan: Plan, group: GatherGroup, through: Mapping[str, int]) -> Mark | None:
    """Name the activation of D that a token came through, where D pushed no frame; None for a failure before D."""
    if plan.semantics <= FOURTH_SEMANTICS or group.dominator is None:
        return None
    activation = through.get(group.dominator)
    if activation is None:
        return None
    return (group.dominator, activation, None) if group.by_item else (group.dominator, activation)
