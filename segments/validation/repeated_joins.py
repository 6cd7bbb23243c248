"""Rule about joins that fire once per branch, because no gathering takes the fan-out in front of them as one."""

from collections.abc import Iterator

from segments.definition.findings import shown
from segments.plan.fan_out_paths import FanOutPaths
from segments.plan.fan_outs import FanOuts
from segments.plan.openers import openers
from segments.validation.context import Context
from segments.validation.exclusion import exclusions

MAX_FAN_OUTS = 100
"""Fan-outs looked at; each costs a walk of the graph."""
MAX_WALKS = 1_000
"""Further walks of the graph, for steps with several ports in loops; what is left then has no warning."""


def check_joins_fire_once(context: Context) -> None:
    """JOIN_FIRES_AGAIN (warning): several branches of one fan-out come to a join one by one.

    As in ``fan -> a, b``, ``a -> work``, ``b -> work``, ``work -> join``: every way to the join passes ``work``, so the
    join gathers what one run of ``work`` sends out, and fires for each. Behind it another join may take all it gives.
    """
    if context.graph is None:
        return
    ways = [link.way for link in context.links]
    over_items = {step_id for step_id in context.step_types if context.splits_items(step_id)}
    fan_outs = FanOuts(context.graph, ways, context.step_types, over_items, exclusions)
    dominators = openers(FanOuts(context.graph, ways, context.step_types, over_items))
    warned: set[str] = set()
    walks = 0
    for fan_out in _several(context, fan_outs):
        if walks > MAX_WALKS:
            return
        between = FanOutPaths(fan_out, fan_outs, dominators)
        for join in _joins_that_repeat(fan_out, between):
            if join not in warned:
                warned.add(join)
                message = f"Branches of {shown(fan_out)} come to the join {shown(join)} one by one; it fires for each."
                hint = f"join all branches of {shown(fan_out)} in one join, before this one or after it"
                context.findings.warning("JOIN_FIRES_AGAIN", message, context.places[join], hint=hint)
        walks += between.walks


def _several(context: Context, fan_outs: FanOuts) -> list[str]:
    """Return the steps out of which several edges lead, or that send several items; at most ``MAX_FAN_OUTS``."""
    found = [one for one in context.step_types if one in fan_outs.item_splits or len(context.leaving[one]) > 1]
    return [one for one in found if context.graph and one in context.graph.reachable][:MAX_FAN_OUTS]


def _joins_that_repeat(fan_out: str, between: FanOutPaths) -> Iterator[str]:
    fan_outs = between.fan_outs
    joined = fan_outs.joined(fan_out)
    for join in fan_outs.joins:
        if joined & fan_outs.graph.bit[join] and between.is_open_at(join) and not between.is_taken_behind(join):
            yield join
