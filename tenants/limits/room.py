"""Room for what people make by hand: bounds of every tenant, whatever its tier."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kernel.errors import limit_facts
from tenants.limits.errors import TooManyKept

RAISED_BY_NOBODY: Final = "Nobody: it is the same for every tenant."


@dataclass(frozen=True, slots=True)
class Bound:
    """Bound of one kind of things.

    Attributes:
        most: How many there may be.
        whose: What has them, for people.
        remedy: What makes room.
    """

    most: int
    whose: str
    remedy: str


BOUNDS: Final[Mapping[str, Bound]] = {
    "segments": Bound(10_000, "A tenant", "Save a revision of one that is there; archived ones count."),
    "revisions": Bound(10_000, "A segment", "Save it as another segment."),
    "prompts": Bound(10_000, "A tenant", "Save a version of one that is there; archived ones count."),
    "versions": Bound(10_000, "A stored prompt", "Save it as another prompt."),
    "connections": Bound(1_000, "A tenant", "Delete one that no segment uses."),
    "members": Bound(10_000, "A tenant", "Revoke an invitation that is open; deactivated members count."),
}


def check_room(name: str, used: int) -> None:
    """Refuse one more of what there is as much of as may be.

    Args:
        name: One of ``BOUNDS``.
        used: How many there are without it.

    Raises:
        TooManyKept: There is no room.
    """
    bound = BOUNDS[name]
    if used >= bound.most:
        facts = limit_facts(name, unit=name, used=used, cap=bound.most, raised_by=RAISED_BY_NOBODY)
        raise TooManyKept(f"{bound.whose} has at most {bound.most:,} {name}. {bound.remedy}", extra=facts)
