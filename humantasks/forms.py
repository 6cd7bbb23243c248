"""The form of a task: the JSON Schema its answer's data has to fit. Pure."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from humantasks.types import TaskType
from kernel.errors import ErrorItem
from kernel.schemas import Misfit, judge
from kernel.types import Json
from kernel.values import pointer_of, size_of

DEEPEST: Final = 5
MAX_BYTES: Final = 64 * 1024
Schema = Mapping[str, Json]


def default_form(task_type: str, data: Json) -> dict[str, Json]:
    """Make the form of a task that brings none: what is edited has the shape of the data.

    Args:
        task_type: What is asked.
        data: What is shown; a review edits it, an input is filled in with it.
    """
    if task_type in {TaskType.APPROVAL, TaskType.CHOICE}:
        return {}
    if task_type == TaskType.INPUT and (not isinstance(data, dict) or not data):
        return {
            "type": "object",
            "properties": {"answer": {"type": "string", "title": "Answer", "minLength": 1}},
            "required": ["answer"],
        }
    return schema_of(data)


def schema_of(value: Json) -> dict[str, Json]:
    """Describe a value as a schema that it fits, and others like it: as deep as a schema of bounded size can."""
    described = (_describe(value, depth) for depth in range(DEEPEST, -1, -1))
    return next(schema for schema in described if size_of(schema) <= MAX_BYTES)


def _describe(value: Json, depth: int) -> dict[str, Json]:
    if value is None or depth == 0:
        return {}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"}
    if isinstance(value, list):
        return {"type": "array", "items": _of_items(value, depth)}
    properties: dict[str, Json] = {name: _describe(member, depth - 1) for name, member in value.items()}
    return {"type": "object", "properties": properties, "required": list(value)}


def check(tenant: Hashable, form: Schema, data: Json) -> list[ErrorItem]:
    """Tell where data does not fit a form, at most 50 places, with pointers below ``/data``.

    May take seconds, so it is never called in a transaction.

    Raises:
        SchemaUnusable: The form cannot be applied.
        ComputeLimit: The form and the data are too large for each other; other errors of the compute pool as well.
    """
    return [_item(misfit) for misfit in judge(tenant, data, form, formats=True)]


def _of_items(values: Sequence[Json], depth: int) -> dict[str, Json]:
    """Describe what all items have in common; nothing when they differ."""
    schemas = [_describe(value, depth - 1) for value in values]
    return schemas[0] if schemas and all(schema == schemas[0] for schema in schemas) else {}


def _item(misfit: Misfit) -> ErrorItem:
    """Write a finding at the field it is about: of a missing member that is the member."""
    if misfit.keyword == "required":
        pointer = pointer_of(["data", *misfit.path, str(misfit.bound)])
        return ErrorItem(code="REQUIRED", detail="This is needed.", pointer=pointer)
    return ErrorItem(code=misfit.keyword.upper(), detail=misfit.sentence, pointer=pointer_of(["data", *misfit.path]))
