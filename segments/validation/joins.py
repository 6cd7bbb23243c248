"""Rules about joins: enough tokens can arrive for them to fire."""

from collections.abc import Collection

from segments.catalog import Role
from segments.definition.findings import FindingPlace, shown
from segments.definition.model import Step
from segments.validation.context import Context


def check_joins(context: Context) -> None:
    """JOIN_NEVER_FIRES: a join nothing leads to, or whose quorum cannot be met."""
    targets = {edge.target for _, edge in context.placed_edges}
    repeated = _come_repeatedly(context)
    for step_id, step_type in context.step_types.items():
        if step_type.role is not Role.JOIN:
            continue
        step, place = context.steps[step_id], context.places[step_id]
        if step_id not in targets:
            message = f"No edge leads into the join {shown(step_id)}."
            context.findings.error("JOIN_NEVER_FIRES", message, place)
        elif step.config.get("merge_strategy", step.config.get("strategy")) == "quorum":
            _check_quorum(context, step, place, repeated)


def _check_quorum(context: Context, step: Step, place: FindingPlace, repeated: Collection[str]) -> None:
    count = step.config.get("count")
    if count is None:
        message = f"The join {shown(step.step_id)} waits for a quorum without a count."
        context.findings.error("JOIN_NEVER_FIRES", message, place.at("config", "count"))
        return
    arriving = len(context.entering[step.step_id])
    is_out_of_reach = isinstance(count, int | float) and count > arriving
    if is_out_of_reach and step.step_id not in repeated:
        message = f"The join {shown(step.step_id)} waits for {count} successes; at most {arriving} can arrive."
        context.findings.error("JOIN_NEVER_FIRES", message, place.at("config", "count"))


def _come_repeatedly(context: Context) -> Collection[str]:
    """The steps to which one edge may bring several tokens: from items, a loop or a merge further up."""
    if context.graph is None:
        return context.steps
    several = [step_id for step_id in context.step_types if _is_repeated(context, step_id)]
    behind = context.graph.around(context.graph.bits(several))
    return {step_id for step_id, bit in context.graph.bit.items() if behind & bit}


def _is_repeated(context: Context, step_id: str) -> bool:
    is_join = context.step_types[step_id].role is Role.JOIN
    ports = [link.target_port for link in context.entering[step_id]]
    merges = not is_join and len(set(ports)) < len(ports)
    return merges or context.splits_items(step_id) or bool(context.graph and context.graph.components[step_id])
