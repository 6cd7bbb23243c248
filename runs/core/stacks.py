"""Scope stacks behind a gathering: the frames with which the gathered token continues."""

from collections.abc import Mapping, Sequence
from functools import reduce

from runs.core.frames import Frame, Key, Stack
from runs.core.state import Gathering, KeptUnder, Token
from segments.plan import GatherPoint, Plan


def stack_behind_join(plan: Plan, point: GatherPoint, gathering: Gathering, tokens: Sequence[Token]) -> Stack:
    """Return the stack with which the token of a join goes on: below D's frame, if no other gathering needs it."""
    if point.closes:
        return gathering.key.below
    return _with_own_frame(plan.groups[point.group].dominator, gathering.key, tokens)


def stack_behind_ports(plan: Plan, point: GatherPoint, gathering: Gathering, tokens: Sequence[Token]) -> Stack:
    """Return the stack with which the token of a step with several ports goes on.

    It keeps what its tokens share, so a step that got one port only is still in the branch, and for the item, its one
    token was in::

        split -> head(init) -> work -> check      check(again) -> head      check(done) -> join
              -> other -> join

    The loop's head gathers nothing of the split; had it ended the split's frame, the join would fire twice.
    """
    below = gathering.key.below
    if not point.keeps_shared:
        return below
    shared = _shared([token.stack for token in tokens])
    if shared.depth > below.depth or point.closes:
        return shared
    return _with_own_frame(plan.groups[point.group].dominator, gathering.key, tokens)


def as_branch(stack: Stack, gathering: Gathering, number: int, through: Mapping[str, int]) -> Stack:
    """Make one of the starts of a step with several ports, of what was there at once, a branch of its own.

    So what comes of it is gathered apart, and a join behind the step has them in the order of the starts. The step's
    own earlier frame of this kind goes, so that a loop does not pile them up.
    """
    depth = gathering.key.below.depth
    base = stack.at(depth)
    if gathering.key.item is not None:
        gathering.own = base = gathering.own or stack.at(depth + 1)
    kept = base
    for one in stack.stacks_above(base.depth):
        if one.frame.rank is None or one.frame.step_id != gathering.step_id:
            kept = one if one.below is kept else kept.push_again(one.frame, one.through)
    start = Frame(gathering.step_id, -number, gathering.fired, None, 0, base.depth)
    return kept.push(start, through)


def in_order(stack: Stack, depth: int) -> list[tuple[int, int]]:
    """Rank a token by its branches and items above a depth: of a step with several ports by its starts first."""
    frames = _by_rank(stack)[depth:] if stack.has_ranks else stack.above(depth)
    return [(frame.branch, -1 if frame.item is None else frame.item) for frame in frames]


def _by_rank(stack: Stack) -> list[Frame]:
    above = stack.above(0)
    frames = [frame for frame in above if frame.rank is None]
    for frame in above:
        if frame.rank is not None:
            frames.insert(frame.rank, frame)
    return frames


def of_other_items(stack: Stack, others: Sequence[Stack]) -> bool:
    """Whether a token is of another item of one list than some other token."""
    return stack.has_items and any(_are_of_other_items(stack, other) for other in others)


def _are_of_other_items(one: Stack, other: Stack) -> bool:
    depth = one.shared_with(other).depth
    items = {frame.seq: frame.item for frame in one.above(depth) if frame.item is not None}
    return any(
        frame.item is not None and items.get(frame.seq, frame.item) != frame.item for frame in other.downwards(depth)
    )


def key_of_kept_values(point: GatherPoint, gathering: Gathering) -> KeptUnder:
    """Return under what a port keeps its last value: the key; in a loop what all passes of the loop share of it.

    A pass may come back without D's frame, so that is left out with the frames inside the loop. The item stays, so that
    the passes of one item keep nothing of another's.
    """
    key = gathering.key
    if point.keeps_shared and not point.loop:
        return point.index, key
    frames = tuple(frame for frame in key.below.above(0) if frame.step_id not in point.loop)
    return point.index, frames if key.item is None else (*frames, key.mark)


def _with_own_frame(dominator: str | None, key: Key, tokens: Sequence[Token]) -> Stack:
    """Return the stack of a token that another gathering of the same fan-out is still to gather.

    It keeps a frame of that fan-out: the first branch it gathered, and the item if it gathered a single one. Where D
    itself did not fan out, that is the frame all its tokens were in, if there is one.
    """
    depth = key.below.depth
    above = [token.stack.at(depth + 1) for token in tokens if token.stack.depth > depth]
    own = [stack for stack in above if stack.frame.step_id == dominator]
    if not own and len({stack.frame for stack in above}) == 1:
        return above[0]
    if not own:
        return key.below
    first = min(own, key=lambda stack: stack.frame.branch)
    if any(stack.frame.item != first.frame.item for stack in own):
        return key.below.push_again(first.frame._replace(item=None), first.through)
    return first


def _frame_at(stack: Stack, depth: int) -> Frame:
    """Return the frame that stands on a depth."""
    return stack.at(depth + 1).frame


def _shared(stacks: Sequence[Stack]) -> Stack:
    """Return the frames that these stacks begin with.

    Branches of one item that come together share the item: it is still one of several. Kept is the first branch.
    """
    shared = reduce(Stack.shared_with, stacks)
    if any(stack.depth == shared.depth for stack in stacks):
        return shared
    next_frames = [_frame_at(stack, shared.depth) for stack in stacks]
    if next_frames[0].item is None or len({(frame.seq, frame.item) for frame in next_frames}) > 1:
        return shared
    branch = min(range(len(stacks)), key=lambda number: next_frames[number].branch)
    return stacks[branch].at(shared.depth + 1)
