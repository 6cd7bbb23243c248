"""Exclusive edges: whether two edges out of one step can fire together, judged from ports and conditions."""

import re
from collections.abc import Iterator, Mapping, Sequence

from segments.catalog import StepType
from segments.dominance import single_bits
from segments.plan.firing import Firing, Way
from segments.validation.context import Link

_OPPOSITES = (("==", "!="), (" contains ", " not contains "), (" in ", " not in "), (">=", "<"), ("<=", ">"))
_EQUALITY = re.compile(r"([\w.\[\]'\"]+) ?={2,3} ?('[^']*'|\"[^\"]*\"|-?[0-9.]+|true|false|null|True|False|None)")
_NEGATION = re.compile(r"(?:not |! ?)\(?(.*?)\)?")
_SEVERAL = re.compile(r"\b(and|or)\b|&&|\|\|")
MAX_COMPARED = 50


def firing_pairs(links: Sequence[Link], step_type: StepType) -> list[tuple[Link, Link]]:
    """Give the pairs of edges that can fire together, looking at the first 50 edges of a step."""
    compared = links[:MAX_COMPARED]
    ways = [link.way for link in compared]
    pairs = Firing(ways, step_type, exclusions(ways)).pairs()
    return [(compared[one], compared[other]) for one, other in pairs]


def exhaust(links: Sequence[Link]) -> bool:
    """Say whether one of these edges' conditions always holds, because two are opposites."""
    texts = {_spaced(link.edge.condition) for link in links[:MAX_COMPARED]}
    return any(not texts.isdisjoint(_opposites(text)) for text in texts)


def always_fires(link: Link, step_type: StepType) -> bool:
    """Say whether the edge is taken whenever its step succeeds."""
    if link.is_conditional or step_type.decides:
        return False
    return not set(step_type.data_ports).isdisjoint(link.source_ports)


def exclusions(ways: Sequence[Way]) -> list[int]:
    """Say of each edge out of a step, in bits, with which others its condition never holds together.

    Only of those that leave by the same port, and beside what ``else`` means. Each text is read once, and looked up
    among the others: conditions that exclude each other may be many.
    """
    edges: dict[str, int] = {}
    for number, way in enumerate(ways):
        if way.is_conditional and not way.is_else:
            text = _spaced(way.condition)
            edges[text] = edges.get(text, 0) | 1 << number
    excluded = _different_things(edges)
    for text, own in edges.items():
        for opposite in _opposites(text):
            if opposite in edges:
                excluded[text] |= edges[opposite]
                excluded[opposite] |= own
    found = [0] * len(ways)
    for text, own in edges.items():
        for bit in single_bits(own):
            found[bit.bit_length() - 1] = excluded[text]
    return found


def _spaced(condition: str | None) -> str:
    return " ".join((condition or "").split())


def _opposites(text: str) -> Iterator[str]:
    """Give what stands in ``not``, if it is that, and the text with its one relation turned round."""
    negated = _NEGATION.fullmatch(text)
    if negated:
        yield negated[1]
    if _SEVERAL.search(text):
        return
    for word, opposite in _OPPOSITES:
        if word in text and opposite not in text:
            yield text.replace(word, opposite, 1)


def _different_things(edges: Mapping[str, int]) -> dict[str, int]:
    """Say of each text which edges compare the same thing with another constant."""
    compared = {text: (found[1], found[2]) for text in edges if (found := _EQUALITY.fullmatch(text))}
    things: dict[str, int] = {}
    constants: dict[tuple[str, str], int] = {}
    for text, key in compared.items():
        things[key[0]] = things.get(key[0], 0) | edges[text]
        constants[key] = constants.get(key, 0) | edges[text]
    return {text: things[compared[text][0]] & ~constants[compared[text]] if text in compared else 0 for text in edges}
