"""The texts of a step's config: which are expressions, which are templates, and the config with both made ready."""

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from kernel.errors import ErrorItem, Invalid
from kernel.types import Json
from kernel.values import pointer_of
from segments.catalog import ExpressionText, PathText, PromptText, StepConfig, StepType, StoredPromptRef, UrlText
from segments.definition.findings import Path
from segments.expressions import Expression, ExpressionError, Form, FuelAccount, Names, parse, parse_template


class ConfigInvalid(Invalid):
    """A step's config, with its templates filled in, is not what its type needs; ``errors`` say where."""

    code = "CONFIG_INVALID"
    title = "The step's config does not fit its type"


class TextKind(StrEnum):
    """Kinds of texts in a config: one expression, or a template of one of the forms."""

    EXPRESSION = "expression"
    TEMPLATE = Form.VALUE.value
    TEXT = Form.TEXT.value
    PROMPT = Form.PROMPT.value
    PATH = Form.PATH.value
    URL = Form.URL.value


FILLED: Final = {"is_filled": True}
"""Tells a config's model that no template stands in what it reads: data has had its say."""
_MARKED: Final = {
    ExpressionText: TextKind.EXPRESSION,
    PromptText: TextKind.PROMPT,
    PathText: TextKind.PATH,
    UrlText: TextKind.URL,
}
_UNIONS: Final = (Union, types.UnionType)
_CONTAINERS: Final = (list, dict)


@dataclass(frozen=True, slots=True)
class ConfigText:
    """One text of a config that the engine reads, and its place below the config."""

    path: Path
    text: str
    kind: TextKind


@lru_cache(maxsize=256)
def text_kinds(config: type[StepConfig]) -> Mapping[str, TextKind]:
    """Say how the texts of a config are read.

    Returns:
        For each key the config reads, aliases included, the kind of text below it; where parts of its value have kinds
        of their own, these follow under longer keys: ``headers.*`` for each member or item, ``tools.*.path``.
    """
    return dict(_kinds_of_model(config, ""))


def spellings(name: str, field: FieldInfo) -> tuple[str, ...]:
    """Give the keys a field is read from, the canonical one first."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return tuple(choice for choice in alias.choices if isinstance(choice, str))
    return (alias,) if isinstance(alias, str) else (name,)


def config_texts(step_type: StepType, config: Mapping[str, Json]) -> Iterator[ConfigText]:
    """Give every text below the keys the type knows. Keys it does not know have no effect and are not read."""
    kinds = text_kinds(step_type.config)
    for key in kinds:
        if key in config:
            yield from _texts((key,), config[key], key, kinds)


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
    return read_config(step_type, fill_config(text_kinds(step_type.config), config, names, FuelAccount()))


def fill_config(
    kinds: Mapping[str, TextKind], config: Mapping[str, Json], names: Names, account: FuelAccount
) -> dict[str, Json]:
    """Fill in the templates of a config.

    Args:
        kinds: How the texts are read (``text_kinds``); keys without are left as they are.
        config: The config as the segment has it; not changed.
        names: What the names in templates mean.
        account: What the work is drawn from.

    Raises:
        ExpressionError: A template has no value.
        AccountEmpty: It takes more than the account has.
    """
    filling = _Filling(kinds, names, account)
    return {key: filling.part(value, key, key, kinds[key]) if key in kinds else value for key, value in config.items()}


def read_config(step_type: StepType, filled: Mapping[str, Json]) -> StepConfig:
    """Read a filled-in config by its type's model.

    Raises:
        ConfigInvalid: It does not fit the model.
    """
    try:
        return step_type.config.model_validate(filled, context=FILLED)
    except ValidationError as error:
        raise _config_invalid(error) from error


def sentence_of(problem: ErrorDetails) -> str:
    """Say what is wrong with a value, without it: it may be data of a run."""
    if problem["type"] == "literal_error" and problem["input"] == "":
        return f"This is blank: leave it out, or write {problem['ctx']['expected']}"
    return problem["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _config_invalid(error: ValidationError) -> ConfigInvalid:
    """Translate without the values that were refused: they may be data of the run."""
    items = [
        ErrorItem(code="SCHEMA_VIOLATION", detail=sentence_of(problem), pointer="/config" + pointer_of(problem["loc"]))
        for problem in error.errors(include_url=False)
    ]
    first = items[0]
    return ConfigInvalid(f"{first.pointer}: {first.detail}.", errors=items)


def _kinds_of_model(model: type[BaseModel], above: str) -> Iterator[tuple[str, TextKind]]:
    """Say how the texts of a model's fields are read, each under the keys it is read from."""
    for name, field in model.model_fields.items():
        for key in spellings(name, field):
            yield from _kinds_of(field.annotation, field.metadata, above + key)


def _kinds_of(annotation: Any, marks: Sequence[object], place: str) -> Iterator[tuple[str, TextKind]]:
    """Say how the texts at a place are read, and below it where that differs."""
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        marks = [*marks, *more]
    marked = next((kind for mark, kind in _MARKED.items() if any(isinstance(one, mark) for one in marks)), None)
    if marked is not None:
        yield place, marked
        return
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in _UNIONS:
        found = [list(_kinds_of(part, (), place)) for part in parts if part is not type(None)]
        yield place, found[0][0][1] if len(found) == 1 else TextKind.TEMPLATE
        yield from (item for items in found for item in items[1:])
        return
    yield place, TextKind.TEXT if annotation is str else TextKind.TEMPLATE
    if origin in _CONTAINERS and parts:
        yield from _kinds_of(parts[-1], (), f"{place}.*")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _kinds_of_model(annotation, f"{place}.")


def _below(kinds: Mapping[str, TextKind], place: str, key: str) -> str:
    """Give the place of a part as ``text_kinds`` names it."""
    named = f"{place}.{key}"
    return named if named in kinds else f"{place}.*"


def _texts(
    path: Path, value: Json, place: str, kinds: Mapping[str, TextKind], above: TextKind = TextKind.TEMPLATE
) -> Iterator[ConfigText]:
    kind = kinds.get(place, above)
    if isinstance(value, str):
        yield ConfigText(path, value, kind)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts((*path, index), item, f"{place}.*", kinds, kind)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts((*path, key), item, _below(kinds, place, key), kinds, kind)


def has_templates(step_type: StepType, config: Mapping[str, Json]) -> bool:
    """Whether anything in a config may have to be filled in."""
    return any("{" in found.text for found in config_texts(step_type, config) if found.kind is not TextKind.EXPRESSION)


@dataclass(frozen=True, slots=True)
class _Filling:
    """Fills in the templates of one config."""

    kinds: Mapping[str, TextKind]
    names: Names
    account: FuelAccount

    def filled(self, value: Json, place: str, kind: TextKind) -> Json:
        """Fill in what stands at a place; a part without a kind of its own has the kind of the whole."""
        if kind == TextKind.EXPRESSION:
            return value
        if isinstance(value, str):
            return (
                self._as_text_below(self.account.render(value, self.names, Form(kind)), place)
                if "{" in value
                else value
            )
        if isinstance(value, list):
            each = f"{place}.*"
            return [self.part(item, f"[{index}]", each, kind) for index, item in enumerate(value)]
        if isinstance(value, dict):
            below = self.kinds
            return {key: self.part(item, f".{key}", _below(below, place, key), kind) for key, item in value.items()}
        return value

    def _as_text_below(self, value: Json, place: str) -> Json:
        """Write members of an object or list as text where the config takes text only."""
        if self.kinds.get(f"{place}.*") != TextKind.TEXT:
            return value
        if isinstance(value, dict):
            return {key: self._as_text(item) for key, item in value.items()}
        return [self._as_text(item) for item in value] if isinstance(value, list) else value

    def _as_text(self, value: Json) -> Json:
        return value if value is None else self.account.text_of(value)

    def part(self, value: Json, name: str, place: str, above: TextKind) -> Json:
        """Fill in a part; an error in it is told with the names of all parts around it, such as `headers.x[0]`."""
        try:
            return self.filled(value, place, self.kinds.get(place, above))
        except ExpressionError as error:
            raise error.under(name) from None
