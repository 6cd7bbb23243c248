"""The paths between a fan-out and the gatherings behind it."""

from collections.abc import Collection, Mapping
from functools import cached_property

from segments.dominance import single_bits
from segments.graph import Graph
from segments.plan.fan_outs import FanOuts, Ways


class FanOutPaths:
    """Paths between a fan-out and everything it leads to.

    Args:
        fan_out: The step that fans out.
        fan_outs: Of the segment.
        dominators: D by gathering.
    """

    def __init__(self, fan_out: str, fan_outs: FanOuts, dominators: Mapping[str, str | None]) -> None:
        self.fan_outs = fan_outs
        self._fan_out = fan_out
        self._graph = fan_outs.graph
        self._ways = _Ways(fan_out, fan_outs.graph)
        above = {None, fan_out, *self._graph.dominators_of(fan_out)}
        candidates = self._graph.bits(one for one, dominator in dominators.items() if dominator in above)
        candidates &= self._graph.reach_bits[fan_out] & ~self._graph.bit[fan_out]
        self._joins = candidates & fan_outs.join_bits
        self._starts = _Starts(fan_out, fan_outs, self._ways, self._joins, candidates & ~self._joins)

    @property
    def walks(self) -> int:
        """Number of walks for one step alone so far; each takes up to a millisecond at 1,000 steps."""
        return self._starts.arrivals.walks

    def is_open_at(self, join: str) -> bool:
        """Whether several tokens may come, one by one, to a join that the fan-out fans out to."""
        if (self._graph.bit[join] | self._ways.certainly_passed(join)) & self._joins:
            return False
        chain = self._ways.chain(join)
        return not chain & self._joins and not self._starts.takes_one_of(chain)

    def is_taken_behind(self, join: str) -> bool:
        """Whether a gathering to which a join leads takes the fan-out, and so all that the join gives."""
        if self._before_joins & self._graph.bit[join]:
            return True
        return join != self._fan_out and self._starts.takes_one_of(self._graph.reach_past(join, self._fan_out))

    @cached_property
    def _before_joins(self) -> int:
        return self._graph.around(self._joins, self._graph.bit[self._fan_out], backwards=True)

    def open_behind(self, taken: Collection[str], joins: Collection[str]) -> list[str]:
        """Name the other joins to which joins that the fan-out takes lead, and some of its ways lead around them."""
        behind = self._graph.around(self._graph.bits(taken), self._graph.bit[self._fan_out])
        behind &= ~self._graph.bits(taken)
        led_to = [one for one in joins if behind & self._graph.bit[one] and not self.stands(taken, one)]
        return [one for one in led_to if self.is_open_at(one)]

    def stands(self, gatherings: Collection[str], step_id: str) -> bool:
        """Whether one of the gatherings stands on every way from the fan-out to a step it leads to."""
        return bool(self._ways.chain(step_id) & ~self._graph.bit[step_id] & self._graph.bits(gatherings))


class _Ways:
    """The steps on every way from a fan-out to another step, from the dominators of the segment where they tell."""

    def __init__(self, fan_out: str, graph: Graph) -> None:
        self._fan_out = fan_out
        self._graph = graph
        self._own = graph.bit[fan_out]
        self._after = graph.bits(graph.successors[fan_out])

    def leads_to(self, step_id: str) -> bool:
        """Whether some way leads there, or none is needed."""
        return step_id == self._fan_out or bool(self._graph.reach_bits[self._fan_out] & self._graph.bit[step_id])

    def certainly_passed(self, step_id: str) -> int:
        """Return steps on every way to a step that the fan-out leads to: those that dominate it and not the fan-out.

        From the entrypoint a way leads to the fan-out around each of them.
        """
        dominators = self._graph.dominator_bits
        return dominators[step_id] & ~dominators[self._fan_out] if self._fan_out in dominators else 0

    def chain(self, step_id: str) -> int:
        """Return the steps on every way to a step that the fan-out leads to, both ends included."""
        if step_id == self._fan_out:
            return self._own
        passed = self.certainly_passed(step_id)
        first = passed & -passed
        if first & self._after or (first and self._graph.dominator_bits[step_id] & self._own):
            return passed | self._own
        return self._chains[self._graph.place[step_id]]

    @cached_property
    def _chains(self) -> list[int]:
        return self._graph.chains(self._fan_out)


class _Starts:
    """Steps with several ports that start once for all tokens of a fan-out: these take it, too.

    Args:
        fan_out: The step that fans out.
        fan_outs: Of the segment.
        ways: The ways out of the fan-out.
        joins: The joins that take it.
        possible: Steps with several ports, to all of which the fan-out leads, that may take it.
    """

    def __init__(self, fan_out: str, fan_outs: FanOuts, ways: _Ways, joins: int, possible: int) -> None:
        self._possible = self._unknown = possible
        self._taking = 0
        self._fan_outs = fan_outs
        self._graph = fan_outs.graph
        self._ways = ways
        self._joins = joins
        self.arrivals = _Arrivals(fan_out, fan_outs, ways)

    def takes_one_of(self, steps: int) -> bool:
        """Whether one of some steps takes the fan-out."""
        for bit in single_bits(steps & self._unknown):
            if steps & self._taking:
                return True
            if bit & self._unknown:
                self._judge(bit)
        return bool(steps & self._taking)

    def _judge(self, step: int) -> None:
        """Find out whether a step takes the fan-out, and the steps on which that depends.

        One does if a gathering that takes the fan-out stands before each port at which the fan-out is open else; those
        that would only do so because of each other do not.
        """
        waiting = self._needed(step)
        found = True
        while found:
            found = False
            for bit, ports in list(waiting.items()):
                if all(before & self._taking for before in ports):
                    self._taking |= bit
                    found = True
                    del waiting[bit]

    def _needed(self, step: int) -> dict[int, list[int]]:
        """Return what decides about a step and those before it, where it is not known: the ports that stay open."""
        needed: dict[int, list[int]] = {}
        left = step
        while left:
            bit = left & -left
            self._unknown &= ~bit
            needed[bit] = self._open_ports(self._graph.order[bit.bit_length() - 1])
            for before in needed[bit]:
                left |= before
            left &= self._unknown
        return needed

    def _open_ports(self, step_id: str) -> list[int]:
        """Return, for each port at which the fan-out is open but for steps with ports, the steps on every way there.

        Only one of them where nothing that may take the fan-out stands before it: that decides.
        """
        own = self._graph.bit[step_id]
        chains: dict[str, int] = {}
        for way in self._fan_outs.entering[step_id]:
            chain = self._ways.chain(way.source) if self._ways.leads_to(way.source) else own
            if not chain & own:
                chains[way.target_port] = chains.get(way.target_port, -1) & chain
        found: list[int] = []
        for port, before in chains.items():
            if not before & self._joins and self.arrivals.are_several(step_id, port):
                if not before & self._possible:
                    return [before]
                found.append(before)
        return found


class _Arrivals:
    """Arrivals of a fan-out's tokens at ports, without passing the fan-out or the port's step again.

    ``walks`` counts the walks of the graph that takes.
    """

    def __init__(self, fan_out: str, fan_outs: FanOuts, ways: _Ways) -> None:
        self.walks = 0
        self._fan_out = fan_out
        self._fan_outs = fan_outs
        self._graph = fan_outs.ways_graph
        self._ways = ways if self._graph is fan_outs.graph else _Ways(fan_out, self._graph)

    def are_several(self, step_id: str, port: str) -> bool:
        """Whether the fan-out may send several tokens to a port of a step."""
        loop = self._graph.components[step_id]
        sources = {way.source for way in self._fan_outs.entering[step_id] if way.target_port == port}
        sources = {one for one in sources if one != self._fan_out and self._leads_around(step_id, one)}
        looping = self._graph.bits(sources & loop)
        certain = self._straight(step_id, port) | self._carried_to(self._graph.bits(sources - loop))
        if self._fan_outs.several(self._fan_out, certain):
            return True
        if not self._fan_outs.several(self._fan_out, certain | self._carried_to(looping)):
            return False
        if self._fan_out in self._fan_outs.item_splits:
            return True  # some way comes to a source around the step, and one way is enough
        barred = self._graph.bit[self._fan_out] | self._graph.bit[step_id]
        self.walks += 1
        free = looping | self._graph.around(looping, barred, backwards=True)
        for ways in self._out:
            if free & self._graph.bit[ways.target]:
                certain |= ways.edges
        return self._fan_outs.several(self._fan_out, certain)

    def _leads_around(self, step_id: str, source: str) -> bool:
        """Whether the fan-out leads to a source on a way that does not pass the step."""
        return self._ways.leads_to(source) and not self._ways.chain(source) & self._graph.bit[step_id]

    def _straight(self, step_id: str, port: str) -> int:
        """The bits of the ways that lead from the fan-out straight to the port."""
        ways = enumerate(self._fan_outs.leaving[self._fan_out])
        return sum(1 << number for number, way in ways if way.target == step_id and way.target_port == port)

    def _carried_to(self, sources: int) -> int:
        """The bits of the ways that come to one of some steps."""
        found = 0
        for ways in self._out if sources else ():
            if ways.reached & sources:
                found |= ways.edges
        return found

    @cached_property
    def _out(self) -> list[Ways]:
        return self._fan_outs.ways_out(self._graph, self._fan_out)
