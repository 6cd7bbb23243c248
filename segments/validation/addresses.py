"""Rule about addresses: placeholders as other tools write them."""

from contextlib import suppress

from segments.catalog import PathText, UrlText
from segments.definition.config_refs import config_refs
from segments.definition.findings import FindingPlace, shown
from segments.expressions import MAX_SHOWN, ExpressionError, foreign_places, named_in, parse_template
from segments.validation.context import Context


def check_addresses(context: Context) -> None:
    """FOREIGN_TEMPLATE (warning): a path or URL has `{id}`, `:id` or the like, which is sent as it stands."""
    for place, step in context.placed_steps:
        step_type = context.catalog.get(step.type)
        for path, mark, text in config_refs(step_type, step.config) if step_type is not None else ():
            if isinstance(mark, PathText | UrlText):
                _check(context, mark, text, place.at("config", *path))


def _check(context: Context, mark: PathText | UrlText, text: str, place: FindingPlace) -> None:
    own = mark.places if isinstance(mark, PathText) else None
    found: list[str] = []
    with suppress(ExpressionError):  # which is told elsewhere
        found = foreign_places(parse_template(text), own=own)
    if found:
        places = ", ".join(shown(one) for one in found[:MAX_SHOWN])
        ours = "arguments are written {name}, values of the run {{ ... }}" if own else "a value is written {{ ... }}"
        message = f"Sent unchanged: {places}; {ours}."
        hint = _hint(found[0], takes_arguments=own is not None)
        context.findings.warning("FOREIGN_TEMPLATE", message, place, hint=hint)


def _hint(foreign: str, *, takes_arguments: bool) -> str:
    name = named_in(foreign) or "id"
    value = f"`{{{{ input.{name} }}}}`, or whatever expression has the value"
    return f"write `{{{name}}}` for the argument `{name}`, or {value}" if takes_arguments else f"write {value}"
