"""Facts about a directed graph with one entrypoint: order, dominators, loops, who can come where."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property

from segments.dominance import dominator_bits, immediate_dominators, single_bits
from segments.loops import Loop


class Graph:
    """A graph of step ids. Every fact is computed at first use, in time linear in the edges where it can be.

    Sets of steps are integers: ``bit`` has one for each step. Edges to or from unknown steps are the caller's error.
    Parallel edges and self loops are allowed.
    """

    def __init__(self, steps: Sequence[str], edges: Iterable[tuple[str, str]], entrypoint: str) -> None:
        self.steps = tuple(steps)
        self.entrypoint = entrypoint
        self.successors: dict[str, list[str]] = {step: [] for step in self.steps}
        self.predecessors: dict[str, list[str]] = {step: [] for step in self.steps}
        for source, target in edges:
            self.successors[source].append(target)
            self.predecessors[target].append(source)
        self._bypassed: dict[tuple[str, str], int] = {}

    @cached_property
    def place(self) -> dict[str, int]:
        """The number of each step in ``order``."""
        return {step: number for number, step in enumerate(self.order)}

    @cached_property
    def bit(self) -> dict[str, int]:
        """A bit for each step; sets of steps are integers."""
        return {step: 1 << number for number, step in enumerate(self.order)}

    def bits(self, steps: Iterable[str]) -> int:
        """Return the bits of some steps."""
        found = 0
        for step in steps:
            found |= self.bit[step]
        return found

    def around(self, starts: int, barred: int = 0, *, backwards: bool = False) -> int:
        """Return the steps that one edge or more lead to from some others, or back to them, without passing a step.

        Args:
            starts: The bits of the steps the ways begin at.
            barred: The bits of steps that no way passes.
            backwards: Whether to follow the edges against their direction.
        """
        neighbours = self._before_bits if backwards else self._after_bits
        found, left, barred = 0, 0, ~barred
        for bit in single_bits(starts):
            left |= neighbours[bit.bit_length() - 1]
        left &= barred
        while left:
            lowest = left & -left
            found |= lowest
            left = (left | neighbours[lowest.bit_length() - 1] & barred) & ~found
        return found

    def reach_past(self, start: str, barred: str) -> int:
        """Return the bits of the steps that one edge or more lead to from a step without passing another one."""
        reach = self.reach_bits[start]
        if not reach & self.bit[barred]:
            return reach
        key = (start, barred)
        if key not in self._bypassed:
            loop = self._loop_of.get(barred)
            if loop is not None and loop is self._loop_of.get(start):
                self._bypassed[key] = loop.reach_past(self.place[start], self.place[barred])
            else:
                self._bypassed[key] = self.around(self.bit[start], self.bit[barred])
        return self._bypassed[key]

    @cached_property
    def _loop_of(self) -> dict[str, Loop]:
        """The loop of each step that stands in one with others."""
        found: dict[str, Loop] = {}
        for members in self.components_upwards:
            if len(members) > 1:
                own = self.bits(members)
                outside = {self.place[step]: self._outside(step, own) for step in members}
                loop = Loop([self.place[step] for step in members], self._after_bits, outside)
                found.update(dict.fromkeys(members, loop))
        return found

    def _outside(self, step: str, loop: int) -> int:
        found = 0
        for target in self.successors[step]:
            if not self.bit[target] & loop:
                found |= self.bit[target] | self.reach_bits[target]
        return found

    def chains(self, root: str) -> list[int]:
        """Return, by ``place``, the bits of the steps on every way from the root, both ends included; else -1."""
        is_in_order = root in self.reachable and not (self.reach_bits[root] | self.bit[root]) & self._looping
        return dominator_bits(self._after, self._before, self.place[root], in_order=is_in_order)

    @cached_property
    def _looping(self) -> int:
        """The bits of the steps in loops."""
        return self.bits(step for step, loop in self.components.items() if loop)

    @cached_property
    def _after(self) -> list[list[int]]:
        return [list({self.place[one]: None for one in self.successors[step]}) for step in self.order]

    @cached_property
    def _before(self) -> list[list[int]]:
        return [list({self.place[one]: None for one in self.predecessors[step]}) for step in self.order]

    @cached_property
    def _after_bits(self) -> list[int]:
        return [self.bits(self.successors[step]) for step in self.order]

    @cached_property
    def _before_bits(self) -> list[int]:
        return [self.bits(self.predecessors[step]) for step in self.order]

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

        None for the entrypoint.
        """
        found = immediate_dominators(self._after, self._before, self.place[self.entrypoint])
        return {
            step: None if found[number] < 0 else self.order[found[number]] for number, step in enumerate(self._walk)
        }

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
    def dominator_bits(self) -> dict[str, int]:
        """Per reachable step, the bits of the steps every way from the entrypoint passes, itself included."""
        found: dict[str, int] = {}
        for step in self._walk:
            ways = [step]
            while (above := self.dominators[ways[-1]]) is not None and above not in found:
                ways.append(above)
            for one in reversed(ways):
                above = self.dominators[one]
                found[one] = self.bit[one] | (0 if above is None else found[above])
        return found

    @cached_property
    def reach_bits(self) -> dict[str, int]:
        """Per step, the bits of the steps reached by at least one edge; a component shares them."""
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
        return bool(self.reach_bits[source] & self.bit[target])

    @cached_property
    def reach(self) -> dict[str, frozenset[str]]:
        """Per step, all steps reached by one edge or more."""
        named: dict[int, frozenset[str]] = {}
        for bits in self.reach_bits.values():
            if bits not in named:
                named[bits] = frozenset(step for step, bit in self.bit.items() if bits & bit)
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
