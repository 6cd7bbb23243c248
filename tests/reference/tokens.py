"""Tokens, the frames of their fan-outs, and the keys under which they gather."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tests.reference.graph import Graph


@dataclass(frozen=True, slots=True)
class Frame:
    """One fan-out a token came out of: by which edge, and for which item.

    Of several starts that a step with several ports makes of what is there at once each is a branch, too; its
    activation is a negative number of its own. ``through`` as of a token.
    """

    step: str
    activation: int
    branch: int
    item: int | None = None
    value: Any = field(default=None, compare=False)
    rank: int = -1
    through: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def fan_out(self) -> tuple[str, int]:
        """The key that all branches of the fan-out share."""
        return self.step, self.activation


Stack = tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """What travels. ``seen`` holds the latest activation and value of each step behind it.

    ``through`` has the latest activation of each step it came through, the one that failed among them.
    ``age``: how many activations stand one behind the other on its longest way.
    """

    step: str
    port: str
    value: Any
    stack: Stack
    seen: Mapping[str, tuple[int, Any]]
    edge: int = -1
    age: int = 0
    through: Mapping[str, int] = field(default_factory=dict)


class Key(NamedTuple):
    """What a gathering's arrivals share: the frames below, the activation of D, the item where it counts."""

    base: Stack
    fan_out: tuple[str, int] | None
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What left a step unrouted, or arrived at a gathering: ``passed`` are the gatherings that failed because of it."""

    code: str
    step: str
    activation: int
    passed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A token at a gathering, as a success or as a failure."""

    token: Token
    failure: Failure | None = None


def gathering_key(graph: Graph, step: str, token: Token) -> Key:
    """The key of a token at a gathering."""
    opener = graph.opener[step]
    kept: list[Frame] = []
    through = token.through
    for frame in token.stack:
        if graph.dominates(opener, frame.step):
            through = frame.through
            break
        kept.append(frame)
    places = [place for place, frame in enumerate(kept) if frame.step == opener]
    if not places:
        return Key(tuple(kept), _activation_of(opener, through))
    own = kept[places[-1]]
    return Key(tuple(kept[: places[-1]]), own.fan_out, None if step in graph.joins else own.item)


def is_under(graph: Graph, step: str, key: Key, token: Token) -> bool:
    """Whether a token belongs to the region of a gathering."""
    depth = len(key.base)
    opener = graph.opener[step]
    if token.stack[:depth] != key.base:
        return False
    following = token.stack[depth] if len(token.stack) > depth else None
    if following is not None and following.step == opener:
        return following.fan_out == key.fan_out and key.item in {None, following.item}
    sender, through = (token.step, token.through) if following is None else (following.step, following.through)
    if not graph.dominates(opener, sender) or any(frame.step == opener for frame in key.base):
        return False
    return (key.fan_out, key.item) == (_activation_of(opener, through), None)


def _activation_of(opener: str, through: Mapping[str, int]) -> tuple[str, int] | None:
    """The activation of D that was come through last; None for a failure before D."""
    return (opener, through[opener]) if opener in through else None


def common_prefix(stacks: Iterable[Stack]) -> Stack:
    """The frames that all stacks begin with; where their branches part within one item, still that item."""
    first, *others = stacks
    length = len(first)
    for other in others:
        while first[:length] != other[:length]:
            length -= 1
    following = [(*stack[length].fan_out, stack[length].item) for stack in (first, *others) if len(stack) > length]
    if len(following) == len(others) + 1 and len(set(following)) == 1 and following[0][-1] is not None:
        return (*first[:length], min((stack[length] for stack in (first, *others)), key=lambda frame: frame.branch))
    return first[:length]


def of_other_items(token: Token, others: Iterable[Token]) -> bool:
    """Whether a token is of another item of one list than some other token."""
    items = {frame.fan_out: frame.item for frame in token.stack if frame.item is not None}
    return any(
        frame.item is not None and items.get(frame.fan_out, frame.item) != frame.item
        for other in others
        for frame in other.stack
    )


def stack_behind(graph: Graph, step: str, key: Key, tokens: list[Token]) -> Stack:
    """What the token of a gathering goes on with.

    In front of another gathering of the same fan-out it keeps one frame of it, with the item if all are of one; so it
    does where branches of one item meet in a step with several ports.
    """
    stack = key.base if step in graph.joins else common_prefix(token.stack for token in tokens)
    depth = len(key.base)
    goes_on = step in graph.in_front or key.item is not None
    above = [token.stack[depth] for token in tokens if len(token.stack) > depth]
    own = [frame for frame in above if frame.step == graph.opener[step]]
    if not own and len({(frame.fan_out, frame.branch, frame.item) for frame in above}) == 1:
        own = above
    if goes_on and len(stack) == depth and own:
        lowest = min(own, key=lambda frame: (frame.branch, frame.item or 0))
        of_one_item = len({frame.item for frame in own}) == 1
        stack += (lowest if of_one_item else replace(lowest, item=None, value=None),)
    return stack


def in_turn(stack: Stack, first: Stack, start: Frame, key: Key) -> Stack:
    """The stack of one of several starts of a step with several ports: each is in one branch of the step."""
    depth = len(key.base) + (key.item is not None)
    others = [frame for frame in stack[depth:] if frame.step != start.step or frame.activation > 0]
    return (*first[:depth], *others, replace(start, rank=depth))


def in_order(graph: Graph, key: Key, tokens: Iterable[Token]) -> list[Token]:
    """Tokens by the edge they came by, then branch, then item, then those of an earlier pass of a loop."""
    depth = len(key.base)

    def rank(token: Token) -> tuple[int, tuple[tuple[int, int], ...], int]:
        frames = [frame for frame in token.stack if frame.activation > 0]
        for start in (frame for frame in token.stack if frame.activation < 0):
            frames.insert(start.rank, start)
        return (
            token.edge,
            tuple((frame.branch, -1 if frame.item is None else frame.item) for frame in frames[depth:]),
            token.age,
        )

    return sorted(tokens, key=rank)


def oldest(tokens: Iterable[Token]) -> int:
    """The age of what is made of several tokens."""
    return max(token.age for token in tokens)


def through_behind(key: Key, tokens: Iterable[Token]) -> dict[str, int]:
    """What is come through behind a gathering: of each step the latest activation, of D that of the key."""
    found: dict[str, int] = {}
    for token in tokens:
        for step, activation in token.through.items():
            found[step] = max(activation, found.get(step, 0))
    return found | dict([key.fan_out] if key.fan_out else [])


def latest_seen(tokens: Iterable[Token]) -> dict[str, tuple[int, Any]]:
    """What is seen behind a gathering: of each step the latest activation."""
    found: dict[str, tuple[int, Any]] = {}
    for token in tokens:
        for step, (activation, value) in token.seen.items():
            if step not in found or found[step][0] < activation:
                found[step] = activation, value
    return found
