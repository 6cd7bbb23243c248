"""Scope stacks behind a gathering: the frames with which the gathered token goes on."""

from collections.abc import Sequence
from functools import reduce

from runs.core.frames import Frame, Key, Stack
from runs.core.state import Gathering, KeptUnder, Token
from segments.plan import GatherPoint


def stack_behind_join(point: GatherPoint, gathering: Gathering, tokens: Sequence[Token]) -> Stack:
    """Return the stack with which the token of a join goes on: below D's frame, if no other gathering needs it."""
    return gathering.key.below if point.closes else _with_own_frame(gathering.key, tokens)


def stack_behind_ports(point: GatherPoint, gathering: Gathering, tokens: Sequence[Token]) -> Stack:
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
    return _with_own_frame(gathering.key, tokens)


def as_branch(stack: Stack, gathering: Gathering, number: int) -> Stack:
    """Make one of the starts of a step with several ports, of what was there at once, a branch of its own.

    So what comes of it is gathered apart, and a join behind the step has them in the order of the starts. The step's
    own earlier frame of this kind goes, so that a loop does not pile them up.
    """
    depth = gathering.key.below.depth
    base = stack.at(depth)
    if gathering.key.item is not None:
        gathering.own = base = gathering.own or stack.at(depth + 1)
    above = stack.above(base.depth)
    others = [frame for frame in above if frame.rank is None or frame.step_id != gathering.step_id]
    is_unchanged = len(others) == len(above) and stack.at(base.depth) is base
    start = Frame(gathering.step_id, -number, gathering.fired, None, 0, base.depth)
    return (stack if is_unchanged else base.push_again(others)).push(start)


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


def _with_own_frame(key: Key, tokens: Sequence[Token]) -> Stack:
    """Return the stack of a token that another gathering of the same fan-out is still to gather.

    It keeps a frame of that fan-out: the first branch it gathered, and the item if it gathered a single one. Where D
    itself did not fan out, that is the frame all its tokens were in, if there is one.
    """
    depth = key.below.depth
    own = [(token.stack.at(depth + 1), _frame_at(token.stack, depth)) for token in tokens if token.stack.depth > depth]
    if not own or not (key.mark is not None or len({frame for _, frame in own}) == 1):
        return key.below
    kept, first = min(own, key=lambda one: one[1].branch)
    if any(frame.item != first.item for _, frame in own):
        return key.below.push_again([first._replace(item=None)])
    return kept


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
