"""Rules about names: ids, types, and the existence of what is named."""

import re

from segments.definition.findings import FindingPlace, shown
from segments.definition.schema import ID_CHARACTERS, MAX_ID
from segments.validation.context import Context
from segments.validation.foreign_types import foreign_type_hint

_STRICT_ID = re.compile(r"[a-z][a-z0-9_]*")
_ACCEPTED_ID = re.compile(ID_CHARACTERS.removeprefix("^").removesuffix("$"))


def check_ids(context: Context) -> None:
    """INVALID_ID_FORMAT: ids are lower case letters, digits and underscores; capitals and hyphens pass."""
    if context.segment.segment_id:
        _check_id(context, context.segment.segment_id, FindingPlace(("segment_id",)))
    for place, step in context.placed_steps:
        if step.step_id:
            _check_id(context, step.step_id, place.at("step_id"))


def _check_id(context: Context, name: str, place: FindingPlace) -> None:
    if len(name) > MAX_ID or not _ACCEPTED_ID.fullmatch(name):
        message = f"The id {shown(name)} is not a lower case letter followed by letters, digits and underscores."
        context.findings.error("INVALID_ID_FORMAT", message, place, hint=f"at most {MAX_ID} characters")
    elif not _STRICT_ID.fullmatch(name):
        message = f"The id {shown(name)} has capitals or hyphens; it is used as it is."
        context.findings.warning("INVALID_ID_FORMAT", message, place)


def check_duplicates(context: Context) -> None:
    """DUPLICATE_ID: two steps with one id."""
    seen: set[str] = set()
    for place, step in context.placed_steps:
        if step.step_id in seen:
            message = f"Another step has the id {shown(step.step_id)}."
            context.findings.error("DUPLICATE_ID", message, place.at("step_id"))
        if step.step_id:
            seen.add(step.step_id)


def check_types(context: Context) -> None:
    """UNKNOWN_TYPE: every step is of a type the catalog has."""
    for place, step in context.placed_steps:
        if not step.type:
            continue
        if step.type not in context.catalog:
            hint = foreign_type_hint(step.type, context.catalog)
            hint = hint or context.findings.suggest(step.type, context.catalog)
            message = f"There is no step type {shown(step.type)}."
            context.findings.error("UNKNOWN_TYPE", message, place.at("type"), hint=hint)


def check_entrypoint(context: Context) -> None:
    """INVALID_ENTRYPOINT: the entrypoint is one of the steps, if there are any."""
    entrypoint = context.segment.entrypoint
    if entrypoint and context.steps and entrypoint not in context.steps:
        hint = context.findings.suggest(entrypoint, context.steps)
        message = f"The entrypoint {shown(entrypoint)} is not a step."
        context.findings.error("INVALID_ENTRYPOINT", message, FindingPlace(("entrypoint",)), hint=hint)


def check_references(context: Context) -> None:
    """INVALID_REFERENCE: edges start and end at steps, and branches a condition names are steps."""
    for place, edge in context.placed_edges:
        _check_reference(context, edge.source, place.at("from"))
        _check_reference(context, edge.target, place.at("to"))
    for place, step in context.placed_steps:
        for key in ("true_branch", "false_branch") if step.type == "condition" else ():
            target = step.config.get(key)
            if isinstance(target, str):
                _check_reference(context, target, place.at("config", key))


def _check_reference(context: Context, step_id: str, place: FindingPlace) -> None:
    if step_id and context.steps and step_id not in context.steps:
        hint = context.findings.suggest(step_id, context.steps)
        context.findings.error("INVALID_REFERENCE", f"There is no step {shown(step_id)}.", place, hint=hint)
