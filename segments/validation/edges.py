"""Rules about edges: the ports they leave by and lead into."""

from segments.catalog import Role, StepType
from segments.definition.findings import shown
from segments.definition.model import Step
from segments.definition.ports import branch_names
from segments.plan.fan_outs import ELSE
from segments.validation.context import Context, Link
from segments.validation.exclusion import exhaust


def check_source_ports(context: Context) -> None:
    """UNKNOWN_PORT and CONDITION_PORT_MISSING: every edge leaves by a port its step has."""
    for link in context.links:
        if link.source_ports:
            continue
        port, source = link.edge.source_port, link.edge.source
        if context.step_types[source].role is Role.END:
            message = f"Nothing leaves {shown(source)}: it ends the run."
            context.findings.error("UNKNOWN_PORT", message, link.place, hint="remove the edge")
            continue
        if port is None and context.step_types[source].role is Role.CONDITION:
            message = f"The edge does not say by which outcome of {shown(source)} this edge leaves."
            advice = "set from_port to 'true' or 'false', or give the edge a condition"
            context.findings.error("CONDITION_PORT_MISSING", message, link.place.at("from_port"), hint=advice)
            continue
        known = [*context.ports[source].aliases, *context.ports[source].key_ports]
        message = f"The step {shown(source)} has no output port {shown(port or 'output')}."
        hint = context.findings.suggest(port or "output", known) or _listed(known)
        context.findings.error("UNKNOWN_PORT", message, link.place.at("from_port"), hint=hint)


def check_split_branches(context: Context) -> None:
    """BRANCHES_DIFFER (warning): an edge leaves a split by a branch beyond those its config counts or names."""
    counts = {
        step_id: counted
        for step_id, step_type in context.step_types.items()
        if step_type.role is Role.SPLIT
        and (counted := branch_names(context.steps[step_id].config.get("branches"))) is not None
    }
    named = {step_id: {*counted, *(context.steps[step_id].ports.output or ())} for step_id, counted in counts.items()}
    for link in context.links:
        step = context.steps[link.edge.source]
        counted = counts.get(step.step_id)
        if counted is not None and not named[step.step_id].issuperset(link.source_ports):
            port = shown(link.source_ports[0])
            message = (
                f"{shown(step.step_id)} has a branch {port} by this edge, beyond the {len(counted)} of its config."
            )
            hint = "let `branches` count it, or name one of " + ", ".join(shown(name) for name in counted[:10])
            context.findings.warning("BRANCHES_DIFFER", message, link.place.at("from_port"), hint=hint)


def check_declared_outputs(context: Context) -> None:
    """UNKNOWN_PORT (warning): a declared output port that nothing is ever emitted on."""
    for step_id, ports in context.ports.items():
        for index, name in enumerate(context.steps[step_id].ports.output or ()):
            if name not in ports.aliases and name not in ports.key_ports:
                message = f"Nothing is emitted on the port {shown(name)}: the step's type has fewer ports."
                place = context.places[step_id].at("ports", "output", index)
                context.findings.warning("UNKNOWN_PORT", message, place)


def check_target_ports(context: Context) -> None:
    """UNKNOWN_PORT (warning): an edge into an input port its step does not declare."""
    for link in context.links:
        target = context.steps[link.edge.target]
        declared = target.ports.input
        if declared is None or link.target_port in declared or context.step_types[target.step_id].role is Role.JOIN:
            continue
        message = f"The step {shown(target.step_id)} does not declare the input port {shown(link.target_port)}."
        hint = context.findings.suggest(link.target_port, declared) or _listed(list(declared))
        context.findings.warning("UNKNOWN_PORT", message, link.place.at("to_port"), hint=hint)


def check_port_types(context: Context) -> None:
    """PORT_TYPE (warning): an edge joins two ports of the cards whose types do not fit."""
    for link in context.links:
        source, target = context.steps[link.edge.source], context.steps[link.edge.target]
        given = _given_types(context.step_types[source.step_id], source, link)
        right = _input_type(context.step_types[target.step_id], target, link.target_port)
        if right is None or "any" in given or right in given or (right == "number" and "integer" in given):
            continue
        message = f"{shown(source.step_id)} gives {given[0]}, {shown(target.step_id)} is made for {right}."
        context.findings.warning("PORT_TYPE", message, link.place)


def check_else_edges(context: Context) -> None:
    """ELSE_WITHOUT_CONDITION: an "else" needs an edge beside it that can be refused."""
    for links in context.leaving.values():
        with_condition = {
            port for link in links if link.is_conditional and not link.is_else for port in link.source_ports
        }
        for link in links:
            if link.is_else and with_condition.isdisjoint(link.source_ports):
                message = f"'{ELSE}' has no edge with a condition beside it."
                context.findings.error("ELSE_WITHOUT_CONDITION", message, link.place.at("condition"))


def check_mixed_conditions(context: Context) -> None:
    """CONDITIONAL_AND_UNCONDITIONAL (warning): beside conditional edges one that is always taken."""
    for links in context.leaving.values():
        conditional = {port for link in links if link.is_conditional for port in link.source_ports}
        for link in links:
            if not link.is_conditional and not conditional.isdisjoint(link.source_ports):
                message = "This edge is always taken, also when a conditional edge beside it is."
                hint = f"give it the condition '{ELSE}' if it is meant for the other cases"
                context.findings.warning("CONDITIONAL_AND_UNCONDITIONAL", message, link.place, hint=hint)


def check_conditions_on_items(context: Context) -> None:
    """CONDITION_ON_ITEMS (warning): a condition behind a split over items is judged once, for the whole list."""
    for step_id, links in context.leaving.items():
        step_type = context.step_types.get(step_id)
        if step_type is None or step_type.role is not Role.SPLIT or not context.steps[step_id].config.get("items"):
            continue
        for link in links:
            if link.is_conditional and not link.is_else:
                message = (
                    f"{shown(step_id)} evaluates this condition once for its whole list: it does not select items."
                )
                hint = "put it after the next step, or filter in `items`: `[x for x in input if ...]`"
                context.findings.warning("CONDITION_ON_ITEMS", message, link.place.at("condition"), hint=hint)


def check_missing_else(context: Context) -> None:
    """NO_ELSE (warning): of several edges with conditions none may hold, and then nothing goes on from here."""
    for step_id, links in context.leaving.items():
        by_port: dict[str, list[Link]] = {}
        for link in links:
            for port in link.source_ports:
                by_port.setdefault(port, []).append(link)
        for beside in by_port.values():
            if len(beside) > 1 and all(link.is_conditional and not link.is_else for link in beside):
                if not exhaust(beside):
                    message = f"If none of these conditions holds, nothing continues from {shown(step_id)}."
                    hint = f"add an edge with the condition '{ELSE}' if one of them should always be taken"
                    context.findings.warning("NO_ELSE", message, beside[0].place, hint=hint)
                break


def _given_types(step_type: StepType, step: Step, link: Link) -> tuple[str, ...]:
    """The types an edge may carry, by the card and by the step's config; "any" where nobody has a say."""
    if step_type.role is Role.SPLIT or len(link.source_ports) != 1:
        return ("any",)
    port = link.source_ports[0]
    known = {port.name: (port.type,) for port in step_type.output_ports} | dict(step_type.port_types(step.config))
    return known.get(port, ("any",))


def _input_type(step_type: StepType, step: Step, port: str) -> str | None:
    """The type an input port has by the card; None for a port the step named itself, and for a join's."""
    types = {one.name: "any" if one.takes_any else one.type for one in step_type.input_ports}
    found = types.get(port, "any")
    return None if found == "any" or step.ports.input is not None else found


def _listed(names: list[str]) -> str | None:
    return "known are " + ", ".join(shown(name) for name in names[:10]) if names else None
