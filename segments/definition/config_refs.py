"""References in a config: connections, stored prompts and people of its tenant, ports of its step, addresses. Pure."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel

from kernel.types import Json
from segments.catalog import AssigneeRef, ConnectionRef, PathText, PortRef, StepType, StoredPromptRef, UrlText
from segments.definition.config import spellings
from segments.definition.findings import Path

Mark: TypeAlias = ConnectionRef | StoredPromptRef | AssigneeRef | PortRef | PathText | UrlText


def config_refs(step_type: StepType, config: Mapping[str, Json]) -> Iterator[tuple[Path, Mark, str]]:
    """Give every name in a config with its place and what it names; a name left out is the default."""
    yield from _of_model(step_type.config, config, ())


def _of_model(model: type[BaseModel], values: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mark, str]]:
    for name, field in model.model_fields.items():
        key = next((key for key in spellings(name, field) if key in values), name)
        value = values.get(key, field.default)
        yield from _of_marks(field.metadata, value, (*path, key))
        yield from _of_type(field.annotation, value, (*path, key))


def _of_type(annotation: Any, value: Any, path: Path) -> Iterator[tuple[Path, Mark, str]]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _of_marks(arguments[1:], value, path)
        yield from _of_type(arguments[0], value, path)
    elif origin is list:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _of_type(arguments[0], item, (*path, index))
    elif inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        if isinstance(value, Mapping):
            yield from _of_model(annotation, value, path)
    else:
        for argument in arguments:
            yield from _of_type(argument, value, path)


def _of_marks(marks: Any, value: Any, path: Path) -> Iterator[tuple[Path, Mark, str]]:
    if isinstance(value, str) and value:
        for mark in marks:
            if isinstance(mark, Mark):
                yield path, mark, value
