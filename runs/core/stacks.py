"""Scope stacks behind a gathering: the frames with which the gathered token goes on."""

from collections.abc import Sequence
from dataclasses import replace

from runs.core.state import Frame, Gathering, Key, Stack, Token
from segments.plan import GatherPoint


def stack_behind_join(point: GatherPoint, gathering: Gathering, tokens: Sequence[Token]) -> Stack:
    """Return the stack with which the token of a join goes on: below D's frame, if no other gathering needs it."""
    return gathering.below if point.closes else _with_own_frame(gathering, tokens)


def stack_behind_ports(point: GatherPoint, gathering: Gathering, tokens: Sequence[Token]) -> Stack:
    """Return the stack with which the token of a step with several ports goes on.

    It keeps what its tokens share, so a step that got one port only is still in the branch, and for the item, its one
    token was in::

        split -> head(init) -> work -> check      check(again) -> head      check(done) -> join
              -> other -> join

    The loop's head gathers nothing of the split; had it ended the split's frame, the join would fire twice.
    """
    if not point.keeps_shared:
        return gathering.below
    shared = _shared(tokens)
    if len(shared) > len(gathering.below) or point.closes:
        return shared
    return _with_own_frame(gathering, tokens)


def as_branch(stack: Stack, gathering: Gathering, number: int) -> Stack:
    """Make one of the starts of a step with several ports, of what was there at once, a branch of its own.

    So what comes of it is gathered apart, and a join behind the step has them in the order of the starts. The step's
    own earlier frame of this kind goes, so that a loop does not pile them up.
    """
    depth = len(gathering.below)
    own: Stack = ()
    if item_of(gathering.key) is not None:
        gathering.own = gathering.own or stack[depth]
        own = (gathering.own,)
    above = stack[depth + len(own) :]
    others = (frame for frame in above if frame.rank is None or frame.step_id != gathering.step_id)
    start = Frame(gathering.step_id, -number, gathering.fired, None, 0, depth + len(own))
    return (*stack[:depth], *own, *others, start)


def in_order(stack: Stack, depth: int) -> list[tuple[int, int]]:
    """Rank a token by its branches and items above a depth: of a step with several ports by its starts first."""
    frames = [frame for frame in stack if frame.rank is None]
    for frame in stack:
        if frame.rank is not None:
            frames.insert(frame.rank, frame)
    return [(frame.branch, -1 if frame.item is None else frame.item) for frame in frames[depth:]]


def item_of(key: Key) -> int | None:
    """Return the item whose values gather under a key, if they gather item by item."""
    match key[-1] if key else None:
        case (_, _, int() as item):
            return item
    return None


def of_other_items(stack: Stack, others: Sequence[Stack]) -> bool:
    """Whether a token is of another item of one list than some other token."""
    items = {frame.seq: frame.item for frame in stack if frame.item is not None}
    return bool(items) and any(
        frame.item is not None and items.get(frame.seq, frame.item) != frame.item for other in others for frame in other
    )


def key_of_kept_values(point: GatherPoint, gathering: Gathering) -> Key:
    """Return under what a port keeps its last value: the key; in a loop what all passes of the loop share of it.

    A pass may come back without D's frame, so that is left out with the frames inside the loop. The item stays, so that
    the passes of one item keep nothing of another's.
    """
    if point.keeps_shared and not point.loop:
        return gathering.key
    frames = tuple(frame for frame in gathering.below if frame.step_id not in point.loop)
    return frames if item_of(gathering.key) is None else (*frames, gathering.key[-1])


def _with_own_frame(gathering: Gathering, tokens: Sequence[Token]) -> Stack:
    """Return the stack of a token that another gathering of the same fan-out is still to gather.

    It keeps a frame of that fan-out: the first branch it gathered, and the item if it gathered a single one. Where D
    itself did not fan out, that is the frame all its tokens were in, if there is one.
    """
    depth = len(gathering.below)
    own = [token.stack[depth] for token in tokens if len(token.stack) > depth]
    is_of_dominator = len(gathering.key) > depth
    if not own or not (is_of_dominator or set(own) == {own[0]}):
        return gathering.below
    kept = min(own, key=lambda frame: frame.branch)
    if any(frame.item != kept.item for frame in own):
        kept = replace(kept, item=None)
    return (*gathering.below, kept)


def _shared(tokens: Sequence[Token]) -> Stack:
    """Return the frames that the stacks of all these tokens begin with.

    Branches of one item that come together share the item: it is still one of several. Kept is the first branch.
    """
    first, *others = (token.stack for token in tokens)
    for depth, frame in enumerate(first):
        if all(depth < len(stack) and stack[depth] == frame for stack in others):
            continue
        if frame.item is not None and all(depth < len(stack) and _same_item(stack[depth], frame) for stack in others):
            alike = (stack[depth] for stack in (first, *others))
            return (*first[:depth], min(alike, key=lambda one: one.branch))
        return first[:depth]
    return first


def _same_item(one: Frame, other: Frame) -> bool:
    return (one.seq, one.item) == (other.seq, other.item)
