"""Rules about joins: can enough arrive for them to fire."""

from segments.catalog import Role
from segments.definition.findings import FindingPlace, shown
from segments.definition.model import Step
from segments.validation.context import Context


def check_joins(context: Context) -> None:
    """JOIN_NEVER_FIRES: a join nothing leads to, or whose quorum cannot be met."""
    for step_id, step_type in context.step_types.items():
        if step_type.role is not Role.JOIN:
            continue
        step, place = context.steps[step_id], context.places[step_id]
        if not any(edge.target == step_id for _, edge in context.placed_edges):
            message = f"No edge leads into the join {shown(step_id)}."
            context.findings.error("JOIN_NEVER_FIRES", message, place)
        elif step.config.get("merge_strategy", step.config.get("strategy")) == "quorum":
            _check_quorum(context, step, place)


def _check_quorum(context: Context, step: Step, place: FindingPlace) -> None:
    count = step.config.get("count")
    if count is None:
        message = f"The join {shown(step.step_id)} waits for a quorum without a count."
        context.findings.error("JOIN_NEVER_FIRES", message, place.at("config", "count"))
        return
    arriving = len(context.entering[step.step_id])
    is_out_of_reach = isinstance(count, int | float) and count > arriving
    if is_out_of_reach and not _may_arrive_repeatedly(context, step.step_id):
        message = f"The join {shown(step.step_id)} waits for {count} successes; at most {arriving} can arrive."
        context.findings.error("JOIN_NEVER_FIRES", message, place.at("config", "count"))


def _may_arrive_repeatedly(context: Context, join: str) -> bool:
    """Whether one of the edges into a join may bring several tokens: from items, a loop or a merge further up."""
    if context.graph is None:
        return True
    for step_id, step_type in context.step_types.items():
        if not context.graph.reaches(step_id, join):
            continue
        is_split_by_items = step_type.role is Role.SPLIT and context.steps[step_id].config.get("items") is not None
        ports = [link.target_port for link in context.entering[step_id]]
        merges = step_type.role is not Role.JOIN and len(set(ports)) < len(ports)
        if is_split_by_items or merges or context.graph.components[step_id]:
            return True
    return False
