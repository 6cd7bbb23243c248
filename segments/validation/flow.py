"""Rules about the way tokens take: loops, dead ends, and fan-outs nobody asked for."""

from collections.abc import Mapping

from segments.catalog import Role
from segments.definition.findings import shown
from segments.graph import Graph
from segments.validation.context import Context, Link
from segments.validation.exclusion import always_fires, firing_pairs


def check_self_loops(context: Context) -> None:
    """SELF_LOOP: an edge back into its own step; an error when nothing can ever stop it."""
    for link in context.links:
        step_id = link.edge.source
        if step_id != link.edge.target:
            continue
        if always_fires(link, context.step_types[step_id]):
            message = f"{shown(step_id)} starts itself again every time, without an end."
            hint = "give the edge a condition"
            context.findings.error("SELF_LOOP", message, link.place, hint=hint)
        else:
            context.findings.warning("SELF_LOOP", f"{shown(step_id)} may start itself again.", link.place)


def check_reachability(context: Context) -> None:
    """UNREACHABLE_STEP (warning): a step no way from the entrypoint leads to."""
    if context.graph is None:
        return
    for step_id, place in context.places.items():
        if step_id not in context.graph.reachable:
            message = f"No path leads from the entrypoint to {shown(step_id)}; it never runs."
            context.findings.warning("UNREACHABLE_STEP", message, place)


def check_loops(context: Context) -> None:
    """UNBOUNDED_LOOP (warning): a loop that only ``max_activations`` ends."""
    if context.graph is None:
        return
    endless = _endless_steps(context)
    judged: set[str] = set()
    for step_id in _plan_order(context.graph):
        loop = context.graph.components[step_id]
        if not loop or step_id in judged:
            continue
        judged |= loop
        if len(loop) > 1 and (loop & endless or not _has_exit(context, loop)):
            message = f"The loop through {shown(step_id)} is only ended by the limit of activations."
            hint = "let an edge with a condition lead out of it, and one back"
            context.findings.warning("UNBOUNDED_LOOP", message, context.places[step_id], hint=hint)


def _plan_order(graph: Graph) -> list[str]:
    return [step_id for step_id in graph.order if step_id in graph.reachable]


def _endless_steps(context: Context) -> frozenset[str]:
    """The steps on a cycle of edges that are always taken."""
    edges = [
        (link.edge.source, link.edge.target)
        for link in context.links
        if always_fires(link, context.step_types[link.edge.source])
    ]
    always = Graph(list(context.steps), edges, context.segment.entrypoint)
    return frozenset(step_id for step_id, loop in always.components.items() if len(loop) > 1)


def _has_exit(context: Context, loop: frozenset[str]) -> bool:
    return any(link.edge.target not in loop for step_id in loop for link in context.leaving[step_id]) or any(
        _may_end_here(context, step_id) for step_id in loop
    )


def _may_end_here(context: Context, step_id: str) -> bool:
    """Whether a token may end at a step inside a loop: no edge out of it has to be taken."""
    links, step_type = context.leaving[step_id], context.step_types.get(step_id)
    if step_type is None or any(always_fires(link, step_type) for link in links):
        return False
    if not step_type.decides:
        return True
    taken = {port for link in links if not link.is_conditional or link.is_else for port in link.source_ports}
    return any(port.required and port.name not in taken for port in step_type.output_ports)


def check_fan_outs(context: Context) -> None:
    """IMPLICIT_FAN_OUT (warning): several edges out of a step at once in a segment that does not ask for it."""
    if context.segment.params.parallel_execution:
        return
    for step_id, step_type in context.step_types.items():
        if step_type.role is Role.SPLIT:
            continue
        pairs = firing_pairs(context.leaving[step_id], step_type)
        if not all(_is_one_way(context, one, other) for one, other in pairs):
            message = f"Several edges leave {shown(step_id)} at once; their targets run in parallel."
            hint = "set params.parallel_execution to true if that is meant"
            context.findings.warning("IMPLICIT_FAN_OUT", message, context.places[step_id], hint=hint)


def _is_one_way(context: Context, one: Link, other: Link) -> bool:
    """Whether one of two edges leads straight into a step that waits for what the other one leads to."""
    return _waits_for(context, one, other) or _waits_for(context, other, one)


def _waits_for(context: Context, waiting: Link, other: Link) -> bool:
    gathers, first = waiting.edge.target, other.edge.target
    if context.graph is None or context.graph.components.get(gathers):
        return False
    if context.step_types[gathers].role is Role.JOIN:
        return gathers == first or context.graph.reaches(first, gathers)
    ports = {link.target_port for link in context.entering[gathers]}
    if len(ports) < 2 or (gathers == first and waiting.target_port == other.target_port):
        return False
    return gathers == first or context.graph.reaches(first, gathers)


class _Merges:
    """Places where branches meet without a join. Ways are followed up to the next join, and not through it."""

    def __init__(self, context: Context, graph: Graph) -> None:
        joins = {step_id for step_id, step_type in context.step_types.items() if step_type.role is Role.JOIN}
        open_edges = [(link.edge.source, link.edge.target) for link in context.links if link.edge.source not in joins]
        self._whole = graph
        self._open = Graph(list(context.steps), open_edges, context.segment.entrypoint)
        self._fan_outs = {
            step_id: pairs
            for step_id, step_type in context.step_types.items()
            if (pairs := firing_pairs(context.leaving[step_id], step_type))
        }
        self._behind: dict[str, list[str]] = {}
        self.left = 200_000  # comparisons; a segment that needs more is not judged to the end

    def arrives_twice(self, step_id: str, arriving: list[Link]) -> bool:
        """Whether two branches of one fan-out come in by different ones of these edges."""
        dominator = self._whole.dominators[step_id]
        if self.left < 0 or dominator is None:
            return False
        places = {id(link): 1 << number for number, link in enumerate(arriving)}
        sources: dict[str, int] = {}
        for link in arriving:
            sources[link.edge.source] = sources.get(link.edge.source, 0) | places[id(link)]
        found: dict[str, int] = {}
        for origin in self._fan_outs_behind(dominator):
            for one, other in self._fan_outs[origin]:
                self.left -= 2 * len(arriving)
                if self.left < 0:
                    return False
                left, right = (
                    places.get(id(link), 0) | self._led_to(link.edge.target, sources, found) for link in (one, other)
                )
                both = left | right
                if left and right and both & both - 1:
                    return True
        return False

    def _fan_outs_behind(self, dominator: str) -> list[str]:
        """Name the fan-outs that a step dominates, itself included."""
        if dominator not in self._behind:
            bits, own = self._whole.dominator_bits, self._whole.bit[dominator]
            self._behind[dominator] = [origin for origin in self._fan_outs if bits.get(origin, 0) & own]
        return self._behind[dominator]

    def _led_to(self, target: str, sources: Mapping[str, int], found: dict[str, int]) -> int:
        """Return the edges from some sources to which a step leads without passing a join, or is their source."""
        if target not in found:
            reach = self._open.reach_bits[target] | self._open.bit[target]
            found[target] = sum(edges for source, edges in sources.items() if reach & self._open.bit[source])
        return found[target]


def check_double_merges(context: Context) -> None:
    """DOUBLE_MERGE (warning): parallel branches run into one port, so that the step runs once for each."""
    if context.graph is None:
        return
    merges = _Merges(context, context.graph)
    for step_id in _plan_order(context.graph):
        step_type = context.step_types.get(step_id)
        if step_type is None or step_type.role is Role.JOIN:
            continue
        by_port: dict[str, list[Link]] = {}
        for link in context.entering[step_id]:
            by_port.setdefault(link.target_port, []).append(link)
        for port, arriving in by_port.items():
            if len(arriving) > 1 and merges.arrives_twice(step_id, arriving):
                message = f"Parallel branches meet in {shown(step_id)}, which runs once for each of them."
                hint = f"join them first, or lead them into ports other than {shown(port)}"
                context.findings.warning("DOUBLE_MERGE", message, context.places[step_id], hint=hint)
