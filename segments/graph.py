"""Facts about a directed graph with one entrypoint: order, dominators, loops, who can come where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from heapq import heappop, heappush


class Graph:
    """A graph of step ids. Every fact is computed at first use, in time linear in the edges where it can be.

    Edges to or from unknown steps are the caller's error. Parallel edges and self loops are allowed.
    """

    def __init__(self, steps: Sequence[str], edges: Iterable[tuple[str, str]], entrypoint: str) -> None:
        self.steps = tuple(steps)
        self.entrypoint = entrypoint
        self.successors: dict[str, list[str]] = {step: [] for step in self.steps}
        self.predecessors: dict[str, list[str]] = {step: [] for step in self.steps}
        for source, target in edges:
            self.successors[source].append(target)
            self.predecessors[target].append(source)

    def without(self, removed: str) -> "Graph":
        """Return the graph in which no edge leads to a step or leaves it, as a walk of reachability only."""
        edges = [
            (source, target)
            for source, targets in self.successors.items()
            if source != removed
            for target in targets
            if target != removed
        ]
        return Graph(self.steps, edges, self.entrypoint)

    def around(self, starts: Iterable[str], barred: str | None = None, *, backwards: bool = False) -> set[str]:
        """Return the steps that one edge or more lead to from some others, or back to them, without passing a step."""
        neighbours = self.predecessors if backwards else self.successors
        found: set[str] = set()
        left = [step for start in starts for step in neighbours[start]]
        while left:
            step = left.pop()
            if step != barred and step not in found:
                found.add(step)
                left.extend(neighbours[step])
        return found

    def chains(self, root: str, barred: str | None = None) -> dict[str, int]:
        """Return, per step that the root leads to or is, the bits of the steps on every way there, itself included.

        Args:
            root: Where the ways begin.
            barred: A step that no way passes.
        """
        bit = self.bit
        found = {root: bit[root]}
        changed = _Queue(self.order, self._place, root, self.successors[root])
        for step in changed:
            if step in (root, barred):
                continue
            above = -1
            for before in self.predecessors[step]:
                if before in found:
                    above &= found[before]
            above |= bit[step]
            if above != found.get(step):
                found[step] = above
                changed.add(self.successors[step])
        return found

    def carried(self, source: str, targets: Iterable[str]) -> dict[str, int]:
        """Return, per step, which edges out of a source lead there without passing the source again, as bits.

        Args:
            source: The step the edges leave.
            targets: Where they lead; bit ``i`` is for the ``i``-th.
        """
        carried: dict[str, int] = {}
        for number, target in enumerate(targets):
            carried[target] = carried.get(target, 0) | 1 << number
        changed = _Queue(self.order, self._place, source, carried)
        for step in changed:
            if step == source:
                continue
            bits = carried[step]
            for target in self.successors[step]:
                before = carried.get(target, 0)
                if target != source and bits | before != before:
                    carried[target] = bits | before
                    changed.add((target,))
        return carried

    @cached_property
    def bit(self) -> dict[str, int]:
        """A bit for each step; sets of steps are integers."""
        return {step: 1 << number for number, step in enumerate(self.steps)}

    @cached_property
    def _place(self) -> dict[str, int]:
        return {step: number for number, step in enumerate(self.order)}

    @cached_property
    def order(self) -> list[str]:
        """Reverse post-order from the entrypoint, then the unreachable steps as they were given."""
        return self._walk + [step for step in self.steps if step not in self.reachable]

    @cached_property
    def reachable(self) -> frozenset[str]:
        """The entrypoint and every step a way leads to."""
        return frozenset(self._walk)

    @cached_property
    def _walk(self) -> list[str]:
        seen = {self.entrypoint}
        finished: list[str] = []
        stack = [(self.entrypoint, iter(reversed(self.successors[self.entrypoint])))]
        while stack:
            step, targets = stack[-1]
            target = next((target for target in targets if target not in seen), None)
            if target is None:
                finished.append(step)
                stack.pop()
            else:
                seen.add(target)
                stack.append((target, iter(reversed(self.successors[target]))))
        return finished[::-1]

    @cached_property
    def dominators(self) -> dict[str, str | None]:
        """The immediate dominator of each reachable step: the last step all ways from the entrypoint share.

        None for the entrypoint. Source: Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".
        """
        order = self._walk
        position = {step: number for number, step in enumerate(order)}
        found: dict[str, str] = {self.entrypoint: self.entrypoint}
        changed = True
        while changed:
            changed = False
            for step in order[1:]:
                known = [before for before in self.predecessors[step] if before in found]
                best = known[0]
                for other in known[1:]:
                    best = _meet(found, position, best, other)
                if found.get(step) != best:
                    found[step] = best
                    changed = True
        return {step: None if step == self.entrypoint else found[step] for step in order}

    def dominators_of(self, step: str) -> list[str]:
        """Return the steps every way from the entrypoint to this one passes, nearest first."""
        passed: list[str] = []
        at = self.dominators.get(step)
        while at is not None:
            passed.append(at)
            at = self.dominators[at]
        return passed

    def passes_one_of(self, group: Set[str], step: str) -> bool:
        """Whether every way from the entrypoint to a step passes one of a group before it."""
        if self.entrypoint in group:
            return True
        seen, open_ends = {self.entrypoint}, [self.entrypoint]
        while open_ends:
            at = open_ends.pop()
            if at == step:
                return False
            after = [one for one in self.successors[at] if one not in seen and (one == step or one not in group)]
            seen.update(after)
            open_ends += after
        return True

    @cached_property
    def reach_bits(self) -> dict[str, int]:
        """Per step, bit ``i`` for ``steps[i]`` reached by at least one edge; a component shares its bits."""
        bit = self.bit
        reach: dict[str, int] = {}
        for members in self.components_upwards:
            bits = 0
            for step in members:
                for target in self.successors[step]:
                    bits |= bit[target] | reach.get(target, 0)
            for step in members:
                reach[step] = bits
        return reach

    def gathered(self, steps: Iterable[str], own: Mapping[str, int]) -> dict[str, int]:
        """Return, for each of some steps, its own bits and those of all steps it reaches."""
        found: dict[str, int] = {}
        for members in self.components_upwards:
            bits = 0
            for step in members:
                bits |= own.get(step, 0)
                for target in self.successors[step]:
                    bits |= found.get(target, 0)
            for step in members:
                found[step] = bits
        return {step: found[step] for step in steps}

    def reaches(self, source: str, target: str) -> bool:
        """Whether a way of one edge or more leads from one step to the other."""
        return bool(self.reach_bits[source] >> self._number[target] & 1)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {step: number for number, step in enumerate(self.steps)}

    @cached_property
    def reach(self) -> dict[str, frozenset[str]]:
        """Per step, all steps reached by one edge or more."""
        named: dict[int, frozenset[str]] = {}
        for bits in self.reach_bits.values():
            if bits not in named:
                named[bits] = frozenset(step for number, step in enumerate(self.steps) if bits >> number & 1)
        return {step: named[bits] for step, bits in self.reach_bits.items()}

    @cached_property
    def components(self) -> dict[str, frozenset[str]]:
        """The loop each step stands in: the steps it reaches and that reach it; empty when there is none."""
        loops: dict[str, frozenset[str]] = {}
        for members in self.components_upwards:
            is_loop = len(members) > 1 or members[0] in self.successors[members[0]]
            loop = frozenset(members) if is_loop else frozenset()
            for step in members:
                loops[step] = loop
        return loops

    @cached_property
    def components_upwards(self) -> list[list[str]]:
        """Strongly connected components, each after all it leads to. Source: Tarjan, without recursion."""
        search = _Components(self.successors)
        for root in self.steps:
            search.visit(root)
        return search.found


class _Queue:
    """Steps to be looked at again, in an order in which little behind the first has to be looked at twice."""

    def __init__(self, order: Sequence[str], place: Mapping[str, int], first: str, steps: Iterable[str]) -> None:
        self._order = order
        self._place = place
        self._first = place[first]
        self._waiting: set[int] = set()
        self._heap: list[int] = []
        self.add(steps)

    def add(self, steps: Iterable[str]) -> None:
        """Let steps be looked at; those that wait already do so once."""
        for step in steps:
            behind = (self._place[step] - self._first) % len(self._order)
            if behind not in self._waiting:
                self._waiting.add(behind)
                heappush(self._heap, behind)

    def __iter__(self) -> Iterator[str]:
        while self._heap:
            behind = heappop(self._heap)
            self._waiting.discard(behind)
            yield self._order[(behind + self._first) % len(self._order)]


class _Components:
    """Tarjan's search, with its stack made explicit so that a long chain cannot exhaust the interpreter's."""

    def __init__(self, successors: dict[str, list[str]]) -> None:
        self.found: list[list[str]] = []
        self._successors = successors
        self._number: dict[str, int] = {}
        self._low: dict[str, int] = {}
        self._open: dict[str, None] = {}

    def visit(self, root: str) -> None:
        """Find the components of all the root leads to that was not visited yet."""
        work = [self._enter(root)] if root not in self._number else []
        while work:
            step, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                self._leave(step, work[-1][0] if work else None)
            elif target not in self._number:
                work.append(self._enter(target))
            elif target in self._open:
                self._low[step] = min(self._low[step], self._number[target])

    def _enter(self, step: str) -> tuple[str, Iterator[str]]:
        self._number[step] = self._low[step] = len(self._number)
        self._open[step] = None
        return step, iter(self._successors[step])

    def _leave(self, step: str, parent: str | None) -> None:
        if parent is not None:
            self._low[parent] = min(self._low[parent], self._low[step])
        if self._low[step] == self._number[step]:
            members: list[str] = []
            while not members or members[-1] != step:
                members.append(self._open.popitem()[0])
            self.found.append(members)


def _meet(found: dict[str, str], position: dict[str, int], one: str, other: str) -> str:
    while one != other:
        while position[one] > position[other]:
            one = found[one]
        while position[other] > position[one]:
            other = found[other]
    return one
