"""The rule about names of connections: whether the tenant has what a step asks for."""

from kernel.values import Json
from segments.catalog import ConnectionRef
from segments.definition.config import spellings
from segments.definition.findings import Place, shown
from segments.validation.context import Context

_KINDS = {"llm": "a language model", "http": "an HTTP API"}


def check_connection_refs(context: Context) -> None:
    """UNKNOWN_CONNECTION: a step names a connection that is not there, or is of another kind. It may come later."""
    if context.connections is None:
        return
    for place, step in context.placed_steps:
        step_type = context.catalog.get(step.type)
        for name, field in step_type.config.model_fields.items() if step_type is not None else ():
            wanted = next((mark.kind for mark in field.metadata if isinstance(mark, ConnectionRef)), None)
            if wanted is not None:
                key = next((key for key in spellings(name, field) if key in step.config), name)
                _check(context, wanted, step.config.get(key, field.default), place.at("config", key))


def _check(context: Context, wanted: str, ref: Json, place: Place) -> None:
    if not isinstance(ref, str) or not ref or "{{" in ref or context.connections is None:
        return
    kind = context.connections.get(ref)
    if kind == wanted:
        return
    if kind is None:
        message = f"There is no connection {shown(ref)} yet; until there is one the step fails when it runs."
        hint = context.findings.suggest(ref, [name for name, of in context.connections.items() if of == wanted])
    else:
        message = f"The connection {shown(ref)} is one to {_KINDS[kind]}, not to {_KINDS[wanted]}."
        hint = None
    context.findings.warning("UNKNOWN_CONNECTION", message, place, hint=hint)
