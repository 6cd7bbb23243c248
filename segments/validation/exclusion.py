"""Can two edges out of one step be taken at once? Judged from ports and conditions; when in doubt, they can."""

import re

from segments.catalog import StepType
from segments.plan.fan_outs import Way, ports_agree
from segments.validation.context import Link

_OPPOSITES = (("==", "!="), (" contains ", " not contains "), (" in ", " not in "), (">=", "<"), ("<=", ">"))
_EQUALITY = re.compile(r"([\w.\[\]'\"]+) ?={2,3} ?('[^']*'|\"[^\"]*\"|-?[0-9.]+|true|false|null|True|False|None)")
_NEGATION = re.compile(r"(?:not |! ?)\(?(.*?)\)?")
MAX_COMPARED = 50


def can_fire_together(one: Link, other: Link, step_type: StepType) -> bool:
    """Say whether both edges may be taken after one activation of the step they leave."""
    return ports_agree(one.source_ports, other.source_ports, step_type) and not conditions_exclude(one.way, other.way)


def firing_pairs(links: list[Link], step_type: StepType) -> list[tuple[Link, Link]]:
    """Give the pairs of edges that can fire together, looking at the first 50 edges of a step."""
    compared = links[:MAX_COMPARED]
    return [
        (one, other)
        for number, one in enumerate(compared)
        for other in compared[number + 1 :]
        if can_fire_together(one, other, step_type)
    ]


def exhaust(links: list[Link]) -> bool:
    """Say whether one of these edges' conditions always holds, because two are opposites."""
    texts = [_spaced(link.edge.condition) for link in links[:MAX_COMPARED]]
    return any(_are_opposites(one, other) for one in texts for other in texts)


def always_fires(link: Link, step_type: StepType) -> bool:
    """Say whether the edge is taken whenever its step succeeds."""
    if link.is_conditional or step_type.decides:
        return False
    return not set(step_type.data_ports).isdisjoint(link.source_ports)


def conditions_exclude(one: Way, other: Way) -> bool:
    """Say whether the conditions of two edges out of one step never hold together."""
    if not one.is_conditional or not other.is_conditional:
        return False
    if set(one.source_ports).isdisjoint(other.source_ports):
        return False
    if one.is_else or other.is_else:
        return one.is_else != other.is_else
    left, right = _spaced(one.condition), _spaced(other.condition)
    return _are_opposites(left, right) or _are_opposites(right, left) or _equal_different_things(left, right)


def _spaced(condition: str | None) -> str:
    return " ".join((condition or "").split())


def _are_opposites(positive: str, negative: str) -> bool:
    """Whether one text is the other with its one relation turned round, or in ``not``."""
    negated = _NEGATION.fullmatch(negative)
    if negated and negated.group(1) == positive:
        return True
    if re.search(r"\b(and|or)\b|&&|\|\|", positive):
        return False
    return any(
        word in positive and opposite not in positive and positive.replace(word, opposite, 1) == negative
        for word, opposite in _OPPOSITES
    )


def _equal_different_things(left: str, right: str) -> bool:
    """Whether both compare the same thing with different constants."""
    one, other = _EQUALITY.fullmatch(left), _EQUALITY.fullmatch(right)
    return one is not None and other is not None and one[1] == other[1] and one[2] != other[2]
