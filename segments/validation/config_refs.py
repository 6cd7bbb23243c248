"""Rules about references: the tenant has each named connection, prompt and person; the step has each named port."""

from collections.abc import Iterator

from segments.catalog import AssigneeRef, ConnectionRef, PortRef, StoredPromptRef
from segments.definition.config_refs import Mark, config_refs
from segments.definition.findings import FindingPlace, shown
from segments.definition.prompt_names import read_prompt_name
from segments.validation.context import Context

_KINDS = {"llm": "a language model", "http": "an HTTP API"}


def check_connection_refs(context: Context) -> None:
    """UNKNOWN_CONNECTION: a step names a connection that is not there, or is of another kind. It may come later."""
    if context.known.connections is None:
        return
    for place, mark, ref in _refs(context):
        kind = context.known.connections.get(ref)
        if not isinstance(mark, ConnectionRef) or kind == mark.kind:
            continue
        if kind is None:
            message = f"There is no connection {shown(ref)} yet; until there is one the step fails when it runs."
            known = [name for name, of in context.known.connections.items() if of == mark.kind]
            context.findings.warning("UNKNOWN_CONNECTION", message, place, hint=context.findings.suggest(ref, known))
        else:
            message = f"The connection {shown(ref)} is one to {_KINDS[kind]}, not to {_KINDS[mark.kind]}."
            context.findings.warning("UNKNOWN_CONNECTION", message, place)


def check_tool_connections(context: Context) -> None:
    """TOOLS_NOT_ALLOWED: a tool calls a connection that models may not call. It may be allowed later."""
    for place, mark, ref in _refs(context):
        if isinstance(mark, ConnectionRef) and mark.for_tools and ref in context.known.closed_to_tools:
            message = f"The connection {shown(ref)} allows no tools; until it does the step fails when it runs."
            hint = "set allows_tools in the connection"
            context.findings.warning("TOOLS_NOT_ALLOWED", message, place, hint=hint)


def check_prompt_refs(context: Context) -> None:
    """UNKNOWN_PROMPT: a step names a stored prompt, or a version of one, that is not there. It may come later."""
    if context.known.prompts is None:
        return
    for place, mark, ref in _refs(context):
        name = read_prompt_name(ref) if isinstance(mark, StoredPromptRef) else None
        if name is None:
            continue
        last = context.known.prompts.get(name.template_id)
        if last is None:
            message = f"There is no stored prompt {shown(ref)} yet; until there is one the step fails when it runs."
            hint = context.findings.suggest(name.template_id, context.known.prompts)
            context.findings.warning("UNKNOWN_PROMPT", message, place, hint=hint)
        elif name.number is not None and name.number > last:
            message = f"The stored prompt {shown(name.template_id)} has no version {name.number}; the last is {last}."
            context.findings.warning("UNKNOWN_PROMPT", message, place)


def check_assignee_refs(context: Context) -> None:
    """UNKNOWN_ASSIGNEE: a step asks somebody who is not there. They may come later; until then others are asked."""
    if context.known.people is None:
        return
    people = {name.casefold() for name in context.known.people}
    for place, mark, ref in _refs(context):
        if isinstance(mark, AssigneeRef) and ref.casefold() not in people:
            message = (
                f"There is no group or member {shown(ref)} yet; until then the tenant's default reviewers are asked."
            )
            hint = context.findings.suggest(ref, context.known.people)
            context.findings.warning("UNKNOWN_ASSIGNEE", message, place, hint=hint)


def check_port_refs(context: Context) -> None:
    """UNKNOWN_PORT: a config names an output port of its step by which no edge leaves."""
    for place, mark, ref in _refs(context):
        if not isinstance(mark, PortRef) or ref in mark.words or place.step_id is None:
            continue
        used = {port for link in context.leaving.get(place.step_id, ()) for port in link.source_ports}
        if ref not in used:
            message = f"No edge leaves by the port {shown(ref)}."
            hint = context.findings.suggest(ref, [*mark.words, *used])
            context.findings.error("UNKNOWN_PORT", message, place, hint=hint)


def _refs(context: Context) -> Iterator[tuple[FindingPlace, Mark, str]]:
    """Give the names that are known before a run: not those a template makes."""
    for place, step in context.placed_steps:
        step_type = context.catalog.get(step.type)
        for path, mark, ref in config_refs(step_type, step.config) if step_type is not None else ():
            if "{{" not in ref:
                yield place.at("config", *path), mark, ref
