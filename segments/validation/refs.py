"""Rules about what a step names of its tenant's: whether the tenant has that connection, that stored prompt."""

from collections.abc import Iterator

from segments.catalog import ConnectionRef, StoredPromptRef
from segments.definition.findings import Place, shown
from segments.definition.prompt_names import read_prompt_name
from segments.definition.refs import Mark, config_refs
from segments.validation.context import Context

_KINDS = {"llm": "a language model", "http": "an HTTP API"}


def check_connection_refs(context: Context) -> None:
    """UNKNOWN_CONNECTION: a step names a connection that is not there, or is of another kind. It may come later."""
    if context.connections is None:
        return
    for place, mark, ref in _refs(context):
        kind = context.connections.get(ref)
        if not isinstance(mark, ConnectionRef) or kind == mark.kind:
            continue
        if kind is None:
            message = f"There is no connection {shown(ref)} yet; until there is one the step fails when it runs."
            known = [name for name, of in context.connections.items() if of == mark.kind]
            context.findings.warning("UNKNOWN_CONNECTION", message, place, hint=context.findings.suggest(ref, known))
        else:
            message = f"The connection {shown(ref)} is one to {_KINDS[kind]}, not to {_KINDS[mark.kind]}."
            context.findings.warning("UNKNOWN_CONNECTION", message, place)


def check_prompt_refs(context: Context) -> None:
    """UNKNOWN_PROMPT: a step names a stored prompt, or a version of one, that is not there. It may come later."""
    if context.prompts is None:
        return
    for place, mark, ref in _refs(context):
        name = read_prompt_name(ref) if isinstance(mark, StoredPromptRef) else None
        if name is None:
            continue
        last = context.prompts.get(name.template_id)
        if last is None:
            message = f"There is no stored prompt {shown(ref)} yet; until there is one the step fails when it runs."
            hint = context.findings.suggest(name.template_id, context.prompts)
            context.findings.warning("UNKNOWN_PROMPT", message, place, hint=hint)
        elif name.number is not None and name.number > last:
            message = f"The stored prompt {shown(name.template_id)} has no version {name.number}; the last is {last}."
            context.findings.warning("UNKNOWN_PROMPT", message, place)


def _refs(context: Context) -> Iterator[tuple[Place, Mark, str]]:
    """Give the names that are known before a run: not those a template makes."""
    for place, step in context.placed_steps:
        step_type = context.catalog.get(step.type)
        for path, mark, ref in config_refs(step_type, step.config) if step_type is not None else ():
            if "{{" not in ref:
                yield place.at("config", *path), mark, ref
