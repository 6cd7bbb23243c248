"""Ways around a step of a loop."""

from collections.abc import Mapping, Sequence

from segments.dominance import immediate_dominators, single_bits


class Loop:
    """The nodes of a loop, and what they lead to around one of them; sets of nodes are integers.

    Nearly all of that is known from two trees. Around a node B the first node leads to those that B does not dominate,
    and no edge leads from these to the others but B's own; and those lead to the first one that B does not dominate in
    the graph turned round. So each of the latter leads to all of the former, and only nodes that B dominates in one of
    the two graphs are walked one by one.

    Args:
        nodes: The numbers of the loop's nodes.
        after_bits: Per node, the bits of those its edges lead to.
        outside: Per node, the bits of all that its edges lead to outside of the loop, and of all behind.
    """

    def __init__(self, nodes: Sequence[int], after_bits: Sequence[int], outside: Mapping[int, int]) -> None:
        self._bits = sum(1 << node for node in nodes)
        self._first = nodes[0]
        self._after = {node: after_bits[node] & self._bits for node in nodes}
        self._exits: dict[int, int] = {}
        for node in nodes:
            if outside[node]:
                self._exits[outside[node]] = self._exits.get(outside[node], 0) | 1 << node
        place = {node: number for number, node in enumerate(nodes)}
        after = [[place[bit.bit_length() - 1] for bit in single_bits(self._after[node])] for node in nodes]
        before: list[list[int]] = [[] for _ in nodes]
        for number, targets in enumerate(after):
            for target in targets:
                before[target].append(number)
        self._behind = dict(zip(nodes, _dominated(nodes, after, before), strict=True))
        self._ahead = dict(zip(nodes, _dominated(nodes, before, after), strict=True))

    def reach_past(self, start: int, barred: int) -> int:
        """Return the bits of the nodes that one edge or more lead to from a node without passing another one."""
        stop = 1 << barred
        leads_to_first, from_first = self._bits & ~self._ahead[barred], self._bits & ~self._behind[barred]
        if barred == self._first:
            leads_to_first = 0
        found, left = 0, self._after[start] & ~stop
        while left:
            lowest = left & -left
            found |= lowest
            if lowest & leads_to_first:
                found |= from_first
                leads_to_first = 0
            left = (left | self._after[lowest.bit_length() - 1]) & ~found & ~stop
        return found | self._outside(found | 1 << start)

    def _outside(self, nodes: int) -> int:
        found = 0
        for reach, exits in self._exits.items():
            if exits & nodes:
                found |= reach
        return found


def _dominated(nodes: Sequence[int], after: Sequence[Sequence[int]], before: Sequence[Sequence[int]]) -> list[int]:
    """Return, by place, the bits of the nodes that each one dominates, itself included; the first is the root."""
    dominators = immediate_dominators(after, before, 0)
    below: list[list[int]] = [[] for _ in nodes]
    for place, dominator in enumerate(dominators):
        if dominator >= 0:
            below[dominator].append(place)
    order = [0]
    for place in order:
        order.extend(below[place])
    found = [1 << node for node in nodes]
    for place in reversed(order[1:]):
        found[dominators[place]] |= found[place]
    return found
