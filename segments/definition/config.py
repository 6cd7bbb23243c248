"""The texts of a step's config: which are expressions, which are templates, and the config with both made ready."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pydantic import AliasChoices, ValidationError
from pydantic.fields import FieldInfo

from kernel.errors import ErrorItem, Invalid
from kernel.values import Json, pointer_of
from segments.catalog import ExpressionText, PromptText, StepConfig, StepType, StoredPromptRef
from segments.definition.findings import Path
from segments.expressions import Account, Expression, Names, parse, parse_template


class ConfigInvalid(Invalid):
    """A step's config, with its templates filled in, is not what its type needs; ``errors`` say where."""

    code = "CONFIG_INVALID"
    title = "The step's config does not fit its type"


class TextKind(StrEnum):
    """How a text in a config is read."""

    EXPRESSION = "expression"
    TEMPLATE = "template"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class ConfigText:
    """One text of a config that the engine reads, and its place below the config."""

    path: Path
    text: str
    kind: TextKind


@lru_cache(maxsize=256)
def text_kinds(config: type[StepConfig]) -> Mapping[str, TextKind]:
    """Say for each key a config reads, aliases included, how the texts below it are read."""
    return {key: _kind_of(field) for name, field in config.model_fields.items() for key in spellings(name, field)}


def spellings(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Give the keys a field is read from, the canonical one first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(choice for choice in alias.choices if isinstance(choice, str))
    return (alias,) if isinstance(alias, str) else (name,)


def config_texts(step_type: StepType, config: Mapping[str, Json]) -> Iterator[ConfigText]:
    """Give every text below the keys the type knows. Keys it does not know have no effect and are not read."""
    for key, kind in text_kinds(step_type.config).items():
        if key in config:
            yield from _texts((key,), config[key], kind)


def config_expressions(step_type: StepType, config: Mapping[str, Json]) -> Iterator[Expression]:
    """Give every expression of a config, those inside templates included.

    Raises:
        ExpressionSyntaxError: One cannot be read; validation finds that first.
    """
    for found in config_texts(step_type, config):
        if found.kind is TextKind.EXPRESSION:
            yield parse(found.text)
        else:
            yield from parse_template(found.text, single_braces=found.kind is TextKind.PROMPT).expressions


def names_stored_prompt(step_type: StepType, config: Mapping[str, Json]) -> bool:
    """Whether a config names a stored prompt: which steps that reads is not known before the run."""
    return any(
        config.get(key) is not None
        for name, field in step_type.config.model_fields.items()
        if any(isinstance(mark, StoredPromptRef) for mark in field.metadata)
        for key in spellings(name, field)
    )


def resolve_config(step_type: StepType, config: Mapping[str, Json], names: Names) -> StepConfig:
    """Fill in the templates of a config and read it by its type's model; expressions stay text.

    Args:
        step_type: The step's type.
        config: The config as the segment has it; not changed.
        names: What the names in templates mean.

    Returns:
        The config the handler is given.

    Raises:
        ConfigInvalid: The filled-in config does not fit the model.
        ExpressionError: A template has no value.
    """
    return read_config(step_type, fill_config(text_kinds(step_type.config), config, names, Account()))


def fill_config(
    kinds: Mapping[str, TextKind], config: Mapping[str, Json], names: Names, account: Account
) -> dict[str, Json]:
    """Fill in the templates of a config.

    Args:
        kinds: How the texts below each key are read (``text_kinds``); keys without are left as they are.
        config: The config as the segment has it; not changed.
        names: What the names in templates mean.
        account: What the work is drawn from.

    Raises:
        ExpressionError: A template has no value.
        AccountEmpty: It takes more than the account has.
    """
    return {key: _filled(value, kinds[key], names, account) if key in kinds else value for key, value in config.items()}


def read_config(step_type: StepType, filled: Mapping[str, Json]) -> StepConfig:
    """Read a filled-in config by its type's model.

    Raises:
        ConfigInvalid: It does not fit the model.
    """
    try:
        return step_type.config.model_validate(filled)
    except ValidationError as error:
        raise _config_invalid(error) from error


def _config_invalid(error: ValidationError) -> ConfigInvalid:
    """Translate without the values that were refused: they may be data of the run."""
    items = [
        ErrorItem(code="SCHEMA_VIOLATION", detail=problem["msg"], pointer="/config" + pointer_of(problem["loc"]))
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = items[0]
    return ConfigInvalid(f"{first.pointer}: {first.detail}.", errors=items)


def _kind_of(field: FieldInfo) -> TextKind:
    if any(isinstance(mark, ExpressionText) for mark in field.metadata):
        return TextKind.EXPRESSION
    if any(isinstance(mark, PromptText) for mark in field.metadata):
        return TextKind.PROMPT
    return TextKind.TEMPLATE


def _texts(path: Path, value: Json, kind: TextKind) -> Iterator[ConfigText]:
    if isinstance(value, str):
        yield ConfigText(path, value, kind)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts((*path, index), item, kind)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts((*path, key), item, kind)


def has_templates(step_type: StepType, config: Mapping[str, Json]) -> bool:
    """Whether anything in a config may have to be filled in."""
    return any("{" in found.text for found in config_texts(step_type, config) if found.kind is not TextKind.EXPRESSION)


def _filled(value: Json, kind: TextKind, names: Names, account: Account) -> Json:
    if kind == TextKind.EXPRESSION:
        return value
    if isinstance(value, str):
        return account.render(value, names, as_prompt=kind == TextKind.PROMPT) if "{" in value else value
    if isinstance(value, list):
        return [_filled(item, kind, names, account) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, kind, names, account) for key, item in value.items()}
    return value
