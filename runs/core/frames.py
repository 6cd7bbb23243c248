"""Scope stacks: the branches and items of fan-outs that a token is in. The rules: docs/reference/gathering.md."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Optional
from weakref import WeakValueDictionary

Mark = tuple[str, int] | tuple[str, int, int | None]
"""Mark of tokens that gather: step and activation; where values of different items must not meet, the item too."""


class Frame(NamedTuple):
    """One level of a scope stack: the branch (and item) of a fan-out a token is in. ``seq`` is the fan-out's event.

    Where a step with several ports starts several times from what was there at once, each start is a branch, too; its
    activation is a negative number of its own, and ``rank`` its place among the frames when tokens are put in order.
    """

    step_id: str
    activation: int
    branch: int
    item: int | None
    seq: int
    rank: int | None = None


class Stack:
    """A frame on top of the stack below; the empty stack, of depth 0, has neither.

    Stacks of the same frames are one object, so that comparing them costs nothing, however deep fan-outs nest.
    ``around`` are the bits of the groups of gatherings whose D some frame is of, or stands behind; ``through`` is what
    lies behind the activation that pushed the frame; ``levels`` is what ``regions`` knows of a stack, by group.
    """

    __slots__ = (
        "__weakref__",
        "_again",
        "_groups_around",
        "around",
        "below",
        "depth",
        "frame",
        "has_items",
        "has_ranks",
        "levels",
        "through",
    )

    below: "Stack"
    frame: Frame

    def __init__(self, groups_around: Mapping[str, int]) -> None:
        self.depth = 0
        self.has_items = False
        self.has_ranks = False
        self.around = 0
        self.through: Mapping[str, int] = {}
        self.levels: dict[int, Level | None] = {}
        self._groups_around = groups_around
        self._again: WeakValueDictionary[Frame, Stack] | None = None

    def push(self, frame: Frame, through: Mapping[str, int]) -> "Stack":
        """Return the stack with a frame on top that no stack has had so far.

        Args:
            frame: The frame.
            through: ``Past.through`` of the activation that pushes it.
        """
        stack = Stack(self._groups_around)
        stack.below, stack.frame, stack.depth = self, frame, self.depth + 1
        stack.has_items = self.has_items or frame.item is not None
        stack.has_ranks = self.has_ranks or frame.rank is not None
        stack.around = self.around | self._groups_around[frame.step_id]
        stack.through = through
        return stack

    def push_again(self, frame: Frame, through: Mapping[str, int]) -> "Stack":
        """Return the stack with a frame on top that tokens of this stack may have got before."""
        if self._again is None:
            self._again = WeakValueDictionary()
        return self._again.setdefault(frame, self.push(frame, through))

    def at(self, depth: int) -> "Stack":
        """Return the lowest frames, so many of them."""
        stack = self
        while stack.depth > depth:
            stack = stack.below
        return stack

    def downwards(self, depth: int = 0) -> Iterator[Frame]:
        """Give the frames above a depth, the topmost first."""
        stack = self
        while stack.depth > depth:
            yield stack.frame
            stack = stack.below

    def above(self, depth: int) -> list[Frame]:
        """Return the frames above a depth, the topmost last."""
        return [*self.downwards(depth)][::-1]

    def stacks_above(self, depth: int) -> list["Stack"]:
        """Return the stacks of which these frames are the topmost, this one last."""
        found = []
        stack = self
        while stack.depth > depth:
            found.append(stack)
            stack = stack.below
        return found[::-1]

    def shared_with(self, other: "Stack") -> "Stack":
        """Return the frames that both begin with."""
        depth = min(self.depth, other.depth)
        one, two = self.at(depth), other.at(depth)
        while one is not two:
            one, two = one.below, two.below
        return one

    def __repr__(self) -> str:
        return repr(tuple(self.above(0)))


class Key(NamedTuple):
    """Under what tokens gather: the stack below them, and which activation of the dominator they came through.

    By the rules before the fifth semantics only a dominator that fanned out is marked.
    """

    below: Stack
    mark: Mark | None = None

    @property
    def item(self) -> int | None:
        """The item whose values gather, if they gather item by item."""
        match self.mark:
            case (_, _, int() as item):
                return item
        return None


class Level(NamedTuple):
    """The innermost key under which tokens of a stack, and of all stacks above it, may still gather.

    ``outer`` is the level of the next key outwards. ``is_last``: no frame further up gives another key.
    """

    key: Key
    outer: Optional["Level"]
    is_last: bool
