"""Edges out of one step that can be taken after one activation of it. The rules: docs/adr/0011."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from segments.catalog import StepType
from segments.dominance import single_bits

ELSE = "else"
MAX_GROUPS = 16
"""Groups of edges that are looked at pair by pair."""


class Way(NamedTuple):
    """One edge, as far as it matters where tokens can go."""

    source: str
    target: str
    source_ports: tuple[str, ...]
    target_port: str
    condition: str | None

    @property
    def is_else(self) -> bool:
        """Whether the edge is taken when no sibling's condition holds."""
        return self.condition is not None and self.condition.strip() == ELSE

    @property
    def is_conditional(self) -> bool:
        """Whether something in the edge itself can hold a token back."""
        return self.condition is not None


class Firing:
    """Edges out of one step that can fire together; sets of edges are integers, bit ``i`` for the ``i``-th.

    Edges that can fire with the same others are looked at as one, so that many of a kind cost little.

    Args:
        ways: The edges.
        step_type: The type of their step.
        excluded: Per edge, those that it cannot fire with for more reasons than the rules of gathering know.
    """

    def __init__(self, ways: Sequence[Way], step_type: StepType, excluded: Sequence[int] | None = None) -> None:
        self._together = _together(ways, step_type, excluded or [0] * len(ways))
        members: dict[int, int] = {}
        for number, together in enumerate(self._together):
            if together:
                members[together] = members.get(together, 0) | 1 << number
        self.groups: list[tuple[int, int]] = [(own, together) for together, own in members.items()]
        """Edges, and all that each of them can fire with: itself included where it can with its like."""

    def are_several(self, ways: int) -> bool:
        """Whether two of some edges can fire together."""
        return any(self._together[bit.bit_length() - 1] & ways & ~bit for bit in single_bits(ways))

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Give the numbers of any two edges that can fire together, the lower one first."""
        for number, together in enumerate(self._together):
            for bit in single_bits(together >> number + 1):
                yield number, number + bit.bit_length()

    def reached_by_several(self, reached: Sequence[int]) -> int:
        """Return what is reached by edges that can fire together.

        Args:
            reached: Per edge, the bits of what it reaches.
        """
        if len(self.groups) > MAX_GROUPS:
            return self._looked_up_by_several(reached)
        several = 0
        by_group = [_once_and_twice(members, reached) for members, _ in self.groups]
        for (members, together), (once, twice) in zip(self.groups, by_group, strict=True):
            if members & together:
                several |= twice
            for (others, _), (also, _) in zip(self.groups, by_group, strict=True):
                if others & together and others != members:
                    several |= once & also
        return several

    def _looked_up_by_several(self, reached: Sequence[int]) -> int:
        """Do the same one by one for what is reached, which costs less where many edges exclude each other."""
        edges: dict[int, int] = {}
        for number, bits in enumerate(reached):
            edges[bits] = edges.get(bits, 0) | 1 << number
        ways: dict[int, int] = {}
        for bits, own in edges.items():
            for bit in single_bits(bits):
                ways[bit] = ways.get(bit, 0) | own
        return sum(bit for bit, own in ways.items() if self.are_several(own))


def _once_and_twice(members: int, reached: Sequence[int]) -> tuple[int, int]:
    """Return what one of some edges reaches, and what several of them do."""
    once = twice = 0
    for bit in single_bits(members):
        bits = reached[bit.bit_length() - 1]
        twice |= once & bits
        once |= bits
    return once, twice


def _together(ways: Sequence[Way], step_type: StepType, excluded: Sequence[int]) -> list[int]:
    """Return, per edge, those it can fire with: itself included, unless there are no others."""
    by_port: dict[str, int] = {}
    for number, way in enumerate(ways):
        for port in way.source_ports:
            by_port[port] = by_port.get(port, 0) | 1 << number
    otherwise = _bits(way.is_else for way in ways)
    conditional = _bits(way.is_conditional for way in ways) & ~otherwise
    everywhere = _bits(_fires_with_other_ports(way, step_type) for way in ways)
    found = []
    for number, way in enumerate(ways):
        bit = 1 << number
        beside = reduce(or_, (by_port[port] for port in way.source_ports), 0)
        against = excluded[number] | (conditional if bit & otherwise else 0) | (otherwise if bit & conditional else 0)
        together = beside & ~against | (everywhere & ~beside if bit & everywhere else 0)
        found.append(0 if together == bit else together)
    return found


def _bits(which: Iterable[bool]) -> int:
    return sum(1 << number for number, is_one in enumerate(which) if is_one)


def _fires_with_other_ports(way: Way, step_type: StepType) -> bool:
    """Whether an edge may be taken together with one that leaves by other ports."""
    return bool(way.source_ports) and not step_type.decides and step_type.stand_ins.isdisjoint(way.source_ports)
