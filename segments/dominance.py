"""Dominators of a directed graph whose nodes are numbers: what every way from a root passes."""

from collections.abc import Iterator, Sequence

Neighbours = Sequence[Sequence[int]]
PASSES = 5
"""Most times the bits are looked through again before the tree is built instead, which costs as much as five times."""


def single_bits(bits: int) -> Iterator[int]:
    """Give each bit of a set by itself, the lowest first."""
    while bits:
        lowest = bits & -bits
        bits ^= lowest
        yield lowest


def immediate_dominators(after: Neighbours, before: Neighbours, root: int) -> list[int]:
    """Return the last node before each that all ways from the root pass; -1 for the root and what it does not lead to.

    Source: Georgiadis, Tarjan and Werneck, "Finding Dominators in Practice" (the algorithm SEMI-NCA).

    Args:
        after: Where the edges out of each node lead.
        before: Where the edges into each node come from.
        root: Where the ways begin.
    """
    nodes, parents = _walk(after, root)
    number = [-1] * len(after)
    for place, node in enumerate(nodes):
        number[node] = place
    semi = _semidominators(nodes, parents, number, before)
    found = [-1] * len(after)
    above = list(parents)
    for place in range(1, len(nodes)):
        at = above[place]
        while at > semi[place]:
            at = above[at]
        above[place] = at
        found[nodes[place]] = nodes[at]
    return found


def _walk(after: Neighbours, root: int) -> tuple[list[int], list[int]]:
    """Return the nodes as a depth-first walk comes to them, and the place of each one's parent in the walk."""
    nodes: list[int] = []
    parents: list[int] = []
    seen = bytearray(len(after))
    left = [(root, 0)]
    while left:
        node, parent = left.pop()
        if seen[node]:
            continue
        seen[node] = 1
        place = len(nodes)
        nodes.append(node)
        parents.append(parent)
        left.extend([(one, place) for one in after[node] if not seen[one]])
    return nodes, parents


def _semidominators(nodes: list[int], parents: list[int], number: list[int], before: Neighbours) -> list[int]:
    """Return the semidominator of each place, with the paths up the walk compressed as they are looked at."""
    semi = list(range(len(nodes)))
    label = list(range(len(nodes)))
    above = list(parents)
    for place in range(len(nodes) - 1, 0, -1):
        least = place
        for node in before[nodes[place]]:
            other = number[node]
            if other > place:
                other = _least_above(other, place, above, label)
            if 0 <= other < least:
                least = other
        semi[place] = label[place] = least
    return semi


def _least_above(place: int, linked: int, above: list[int], label: list[int]) -> int:
    """Return the least label from a place up to the last one behind ``linked``, and shorten the way there."""
    path: list[int] = []
    at = place
    while above[at] > linked:
        path.append(at)
        at = above[at]
    best, top = label[at], above[at]
    for one in reversed(path):
        best = min(best, label[one])
        label[one], above[one] = best, top
    return best


def dominator_bits(after: Neighbours, before: Neighbours, root: int, *, in_order: bool) -> list[int]:
    """Return, per node, bits of the root, of the nodes on every way from there, and of itself; -1: no way leads there.

    Args:
        after: Where the edges out of each node lead.
        before: Where the edges into each node come from; quick where most come from lower numbers.
        root: Where the ways begin.
        in_order: Whether all edges the root leads to go to higher numbers.
    """
    bits = [-1] * len(after)
    bits[root] = 1 << root
    order = [*range(root + 1, len(after)), *range(root)]
    for _ in range(PASSES):
        if not _look_through(order, before, bits) or in_order:
            return bits
    nodes = _in_tree_order(immediate_dominators(after, before, root), root)
    for node, parent in nodes:
        bits[node] = bits[parent] | 1 << node
    return bits


def _look_through(order: Sequence[int], before: Neighbours, bits: list[int]) -> bool:
    """Leave each node what all before it have in common, and itself; say whether anything changed."""
    changed = False
    for node in order:
        common = -1
        for one in before[node]:
            common &= bits[one]
        if common != -1:
            common |= 1 << node
            if common != bits[node]:
                bits[node] = common
                changed = True
    return changed


def _in_tree_order(dominators: Sequence[int], root: int) -> list[tuple[int, int]]:
    below: dict[int, list[int]] = {}
    for node, parent in enumerate(dominators):
        if parent >= 0:
            below.setdefault(parent, []).append(node)
    found: list[tuple[int, int]] = []
    left = [root]
    while left:
        parent = left.pop()
        children = below.get(parent, [])
        found.extend((node, parent) for node in children)
        left.extend(children)
    return found
