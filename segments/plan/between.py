"""What stands between a fan-out and the gatherings behind it."""

from collections.abc import Collection, Mapping
from functools import cached_property, reduce
from operator import and_, or_

from segments.plan.fan_outs import FanOuts


class Between:
    """What stands between a fan-out and all it leads to.

    Args:
        fan_out: The step that fans out.
        fan_outs: Of the segment.
        dominators: D by gathering.
    """

    def __init__(self, fan_out: str, fan_outs: FanOuts, dominators: Mapping[str, str | None]) -> None:
        self.fan_outs = fan_outs
        self._fan_out = fan_out
        self._dominators = dominators
        self._bit = fan_outs.graph.bit
        self._chains = fan_outs.graph.chains(fan_out)
        self._arrivals = _Arrivals(fan_out, fan_outs, self._chains)

    def is_open_at(self, join: str) -> bool:
        """Whether several tokens may come, one by one, to a join that the fan-out fans out to."""
        return not self._chains[join] & self._takers

    def is_taken_behind(self, join: str) -> bool:
        """Whether a gathering to which a join leads takes the fan-out, and so all that the join gives."""
        return join in self._before_takers

    @cached_property
    def _before_takers(self) -> set[str]:
        takers = [one for one in self._dominators if self._bit[one] & self._takers]
        return self.fan_outs.graph.around(takers, self._fan_out, backwards=True)

    def open_behind(self, taken: Collection[str]) -> set[str]:
        """Name the steps to which joins that the fan-out takes lead, and some of its ways lead around them."""
        behind = self.fan_outs.graph.around(taken, self._fan_out)
        return {step_id for step_id in behind if not self.stands(taken, step_id)}

    def stands(self, gatherings: Collection[str], step_id: str) -> bool:
        """Whether one of the gatherings stands on every way from the fan-out to a step."""
        before = self._chains.get(step_id, 0) & ~self._bit[step_id]
        return any(before & self._bit[one] for one in gatherings)

    @cached_property
    def _takers(self) -> int:
        """The bits of the gatherings behind which what came of the fan-out is one token."""
        above = {None, self._fan_out, *self.fan_outs.graph.dominators_of(self._fan_out)}
        joins = self.fan_outs.join_set
        gatherings = [
            one
            for one, dominator in self._dominators.items()
            if dominator in above and one in self._chains and one != self._fan_out
        ]
        takers = reduce(or_, (self._bit[one] for one in gatherings if one in joins), 0)
        left = {one: self._before_ports(one) for one in gatherings if one not in joins}
        found = True
        while found:
            found = False
            for step_id, ports in list(left.items()):
                missed = [port for port, before in ports.items() if not before & takers]
                if not any(self._arrivals.are_several(step_id, port) for port in missed):
                    takers |= self._bit[step_id]
                    del left[step_id]
                    found = True
        return takers

    def _before_ports(self, step_id: str) -> dict[str, int]:
        """Return, for each port the fan-out leads to, the steps on every way there that has not passed the step."""
        chains: dict[str, list[int]] = {}
        own = self._bit[step_id]
        for way in self.fan_outs.entering[step_id]:
            chain = self._chains.get(way.source, own)
            if not chain & own:
                chains.setdefault(way.target_port, []).append(chain)
        return {port: reduce(and_, found) for port, found in chains.items()}


class _Arrivals:
    """Which ways out of a fan-out come to which ports, without passing the fan-out or the port's step again."""

    def __init__(self, fan_out: str, fan_outs: FanOuts, chains: Mapping[str, int]) -> None:
        self._fan_out = fan_out
        self._fan_outs = fan_outs
        self._graph = fan_outs.ways_graph
        self._chains = chains if self._graph is fan_outs.graph else self._graph.chains(fan_out)
        self._targets = [way.target for way in fan_outs.leaving[fan_out]]
        self._chains_of_way: dict[int, Mapping[str, int]] = {}
        self._known: dict[tuple[str, str], bool] = {}

    def are_several(self, step_id: str, port: str) -> bool:
        """Whether the fan-out may send several tokens to a port of a step."""
        key = (step_id, port)
        if key not in self._known:
            self._known[key] = self._judge(step_id, port)
        return self._known[key]

    def _judge(self, step_id: str, port: str) -> bool:
        own, loop = self._graph.bit[step_id], self._graph.components[step_id]
        ways = [way for way in self._fan_outs.entering[step_id] if way.target_port == port]
        sources = [way.source for way in ways if not self._chains.get(way.source, own) & own]
        looping = [source for source in sources if source in loop and source != self._fan_out]
        certain = self._straight(step_id, port)
        for source in sources:
            if source not in loop and source != self._fan_out:
                certain |= self._carried[source]
        possible = reduce(or_, (self._carried[source] for source in looping), 0)
        if self._fan_outs.several(self._fan_out, certain):
            return True
        if not self._fan_outs.several(self._fan_out, certain | possible):
            return False
        for number in range(len(self._targets)):
            if possible >> number & 1 and any(self._is_free(number, source, own) for source in looping):
                certain |= 1 << number
        return self._fan_outs.several(self._fan_out, certain)

    def _straight(self, step_id: str, port: str) -> int:
        """The bits of the ways that lead from the fan-out straight to the port."""
        ways = enumerate(self._fan_outs.leaving[self._fan_out])
        return sum(1 << number for number, way in ways if way.target == step_id and way.target_port == port)

    def _is_free(self, number: int, source: str, own: int) -> bool:
        """Whether some way that begins with one of the edges leads to a source without passing a step."""
        if number not in self._chains_of_way:
            self._chains_of_way[number] = self._graph.chains(self._targets[number], self._fan_out)
        return not self._chains_of_way[number].get(source, own) & own

    @cached_property
    def _carried(self) -> Mapping[str, int]:
        return self._graph.carried(self._fan_out, self._targets)
