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
    others = (frame for frame in stack[depth:] if not (frame.activation < 0 and frame.step_id == gathering.step_id))
    return (*stack[:depth], *others, Frame(gathering.step_id, -number, gathering.fired, None, 0))


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
    mark = gathering.key[-1] if gathering.key else None
    has_item = isinstance(mark, tuple) and len(mark) == 3 and mark[2] is not None
    return (*frames, mark) if mark is not None and has_item else frames


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

    Branches of one item that come together share the item: it is still one of several.
    """
    first, *others = (token.stack for token in tokens)
    for depth, frame in enumerate(first):
        if all(depth < len(stack) and stack[depth] == frame for stack in others):
            continue
        if frame.item is not None and all(depth < len(stack) and _same_item(stack[depth], frame) for stack in others):
            return (*first[:depth], frame)
        return first[:depth]
    return first


def _same_item(one: Frame, other: Frame) -> bool:
    return (one.seq, one.item) == (other.seq, other.item)
