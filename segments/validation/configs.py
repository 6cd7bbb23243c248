"""Rules about each step's config: it fits the type's model, and every key has an effect."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kernel.types import Json
from segments.catalog import HELD_BY_ANY_VALUE, StepType
from segments.definition.config import TextKind, sentence_of, spellings, text_kinds
from segments.definition.findings import FindingPlace, Path, shown
from segments.definition.foreign_schemas import SCHEMA
from segments.validation.context import Context
from segments.validation.foreign_keys import foreign_config_hint

# What the plan is made of has to be known before a run, so a template cannot fill it in.
_PLANNED = frozenset({"branches", "merge_strategy", "strategy", "count", "retry_count"})
_CODES = {"missing": "MISSING_FIELD", "not_available": "NOT_AVAILABLE"}


def check_configs(context: Context) -> None:
    """SCHEMA_VIOLATION and others: each config fits its type. What a template fills in is checked when it runs."""
    for place, step in context.placed_steps:
        step_type = context.catalog.get(step.type)
        if step_type is not None:
            _check_keys(context, step_type, step.config, place.at("config"))
            _check_values(context, step_type, step.config, place.at("config"))


def _check_keys(context: Context, step_type: StepType, config: Mapping[str, Json], place: FindingPlace) -> None:
    known = text_kinds(step_type.config)
    for key in config:
        if key not in known:
            message = f"{shown(key)} is not known to the type {shown(step_type.type_id)}; it is kept without effect."
            hint = foreign_config_hint(step_type.type_id, key, known) or context.findings.suggest(key, known)
            context.findings.warning("UNKNOWN_FIELD", message, place.at(key), hint=hint)
    for name, field in step_type.config.model_fields.items():
        _check_spelling(context, spellings(name, field), config, place)
    required = step_type.config.model_config.get("json_schema_extra")
    for name in _texts(required.get("required")) if isinstance(required, dict) else ():
        field = step_type.config.model_fields[name]
        default = field.get_default(call_default_factory=False)
        if default is not None and not field.is_required() and config.get(name) is None:
            message = f"'{name}' is missing; {shown(str(default))} is used."
            context.findings.info("MISSING_FIELD", message, place.at(name))


def _check_spelling(context: Context, names: tuple[str, ...], config: Mapping[str, Json], place: FindingPlace) -> None:
    """ALIAS_READ and ALIAS_IGNORED inside a config: of several spellings of one key the first counts."""
    written = [name for name in names if name in config]
    for name in written[1:]:
        message = f"'{name}' is ignored, because '{written[0]}' says it again."
        context.findings.warning("ALIAS_IGNORED", message, place.at(name))
    if written and written[0] != names[0]:
        message = f"'{written[0]}' is read as '{names[0]}'."
        context.findings.info("ALIAS_READ", message, place.at(written[0]))


def _check_values(context: Context, step_type: StepType, config: Mapping[str, Json], place: FindingPlace) -> None:
    try:
        step_type.config.model_validate(config)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    else:
        for remark in step_type.remarks(config):
            context.findings.warning(remark.code, remark.message, place.at(*remark.path), hint=remark.hint)
        return
    seen: set[Path] = set()
    for problem in problems:
        path, value = _place_in_config(config, problem["loc"])
        is_certain = problem["type"] == HELD_BY_ANY_VALUE
        if path in seen or (not is_certain and _is_left_to_the_run(step_type, path, value)):
            continue
        seen.add(path)
        if problem["type"] == SCHEMA:
            _report_schema(context, problem, place.at(*path))
            continue
        about = next(iter(problem["loc"][-1:] if problem["type"] == "missing" else path[-1:]), None)
        message = f"{shown(str(about))}: {_sentence(problem)}" if about is not None else _sentence(problem)
        context.findings.error(_CODES.get(problem["type"], "SCHEMA_VIOLATION"), message, place.at(*path))


def _report_schema(context: Context, problem: ErrorDetails, place: FindingPlace) -> None:
    """Tell all that is wrong with a schema, each at its own place."""
    for found in problem["ctx"]["problems"]:
        context.findings.error(found.code, found.message, place.at(*found.path), hint=found.hint)


def _place_in_config(config: Mapping[str, Json], loc: tuple[int | str, ...]) -> tuple[Path, Json]:
    """Follow a place of pydantic's through the config; parts that are not in it name branches of a union."""
    value: Any = config
    path: list[int | str] = []
    for part in loc:
        if _has(value, part):
            value = value[part]
            path.append(part)
        elif not path:
            return (part,), None
    return tuple(path), value if path else None


def _has(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _is_left_to_the_run(step_type: StepType, path: Path, value: Json) -> bool:
    """Whether a template stands where the problem is, so that the value is not known yet."""
    if not path or path[0] in _PLANNED:
        return False
    kind = text_kinds(step_type.config).get(str(path[0]))
    return kind not in {None, TextKind.EXPRESSION} and isinstance(value, str) and "{{" in value


def _sentence(problem: ErrorDetails) -> str:
    text = sentence_of(problem)
    return text if text.endswith(".") else text + "."


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
