"""Places of waits for a call: which activation of a step a token is about to begin, or has begun.

A place is known before its activation is there, to every token that leads to it or runs beside it: it names the last
activation of the step upstream, and the items the token belongs to. ``0``, ``17``, ``17_12-3`` (item 3 of event 12).
"""

from runs.core.state import Token


def place_of(token: Token, step_id: str) -> str:
    """Name the place of a step's next activation on a token's way, or of the one the token has begun."""
    items = [f"{frame.seq}-{frame.item}" for frame in token.stack.above(0) if frame.item is not None]
    return "_".join([str(token.past.lineage.get(step_id, 0)), *items])


def is_same_place(one: str, other: str) -> bool:
    """Whether two places mean one activation, the one named from outside of items that the other is named inside of."""
    left, right = one.split("_"), other.split("_")
    return all(mine == theirs for mine, theirs in zip(left, right, strict=False))
