"""Facts about a directed graph with one entrypoint: order, dominators, loops, who can come where."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property


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
        """Return the graph that is left when a step and its edges are taken away, as a walk of reachability only."""
        steps = [step for step in self.steps if step != removed]
        edges = [(source, target) for source in steps for target in self.successors[source] if target != removed]
        return Graph(steps, edges, self.entrypoint)

    def between(self, source: str, targets: Collection[str]) -> "Graph":
        """Return the graph of all ways from one step to some others, with the step as its entrypoint."""
        wanted = sum(1 << self._number[step] for step in targets)
        steps = [
            step
            for step in self.steps
            if step == source or (self.reaches(source, step) and (step in targets or self._reach_bits[step] & wanted))
        ]
        kept = set(steps)
        edges = [(step, target) for step in steps for target in self.successors[step] if target in kept]
        return Graph(steps, edges, source)

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

    @cached_property
    def _reach_bits(self) -> dict[str, int]:
        """Per step, bit ``i`` for ``steps[i]`` reached by at least one edge; a component shares its bits."""
        bit = {step: 1 << number for number, step in enumerate(self.steps)}
        reach: dict[str, int] = {}
        for members in self._components_upwards:
            bits = 0
            for step in members:
                for target in self.successors[step]:
                    bits |= bit[target] | reach.get(target, 0)
            for step in members:
                reach[step] = bits
        return reach

    def reaches(self, source: str, target: str) -> bool:
        """Whether a way of one edge or more leads from one step to the other."""
        return bool(self._reach_bits[source] >> self._number[target] & 1)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {step: number for number, step in enumerate(self.steps)}

    @cached_property
    def reach(self) -> dict[str, frozenset[str]]:
        """Per step, all steps reached by one edge or more."""
        named: dict[int, frozenset[str]] = {}
        for bits in self._reach_bits.values():
            if bits not in named:
                named[bits] = frozenset(step for number, step in enumerate(self.steps) if bits >> number & 1)
        return {step: named[bits] for step, bits in self._reach_bits.items()}

    @cached_property
    def components(self) -> dict[str, frozenset[str]]:
        """The loop each step stands in: the steps it reaches and that reach it; empty when there is none."""
        loops: dict[str, frozenset[str]] = {}
        for members in self._components_upwards:
            is_loop = len(members) > 1 or members[0] in self.successors[members[0]]
            loop = frozenset(members) if is_loop else frozenset()
            for step in members:
                loops[step] = loop
        return loops

    @cached_property
    def _components_upwards(self) -> list[list[str]]:
        """Strongly connected components, each after all it leads to. Source: Tarjan, without recursion."""
        search = _Components(self.successors)
        for root in self.steps:
            search.visit(root)
        return search.found


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
