"""The form of a task: the JSON Schema its answer's data has to fit. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from humantasks.types import TaskType
from kernel.errors import ErrorItem
from kernel.values import Json, pointer_of

DEEPEST: Final = 5
MOST_FINDINGS: Final = 50
Schema = Mapping[str, Json]


class FormUnusable(Exception):
    """A form is no JSON Schema, or refers outside of itself."""


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


def schema_of(value: Json, depth: int = 0) -> dict[str, Json]:
    """Describe a value as a schema that it fits, and others like it."""
    if value is None or depth == DEEPEST:
        return {}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"}
    if isinstance(value, list):
        return {"type": "array", "items": _of_items(value, depth)}
    properties: dict[str, Json] = {name: schema_of(member, depth + 1) for name, member in value.items()}
    return {"type": "object", "properties": properties, "required": list(value)}


def check(form: Schema, data: Json) -> list[ErrorItem]:
    """Tell where data does not fit a form, at most 50 places, with pointers below ``/data``.

    Raises:
        FormUnusable: The form cannot be applied.
    """
    try:
        # An empty registry: the default one would fetch unknown references over the network.
        validator = Draft202012Validator(form, registry=Registry(), format_checker=_FORMATS)
        found = [error for error, _ in zip(validator.iter_errors(data), range(MOST_FINDINGS), strict=False)]
    except (SchemaError, Unresolvable, RecursionError) as error:
        raise FormUnusable(f"The form cannot be applied ({type(error).__name__}).") from error
    return [item for error in found for item in _items(error)]


_FORMATS: Final = Draft202012Validator.FORMAT_CHECKER


def _of_items(values: Sequence[Json], depth: int) -> dict[str, Json]:
    """Describe what all items have in common; nothing when they differ."""
    schemas = [schema_of(value, depth + 1) for value in values]
    return schemas[0] if schemas and all(schema == schemas[0] for schema in schemas) else {}


def _items(error: ValidationError) -> list[ErrorItem]:
    """Write a finding at the field it is about: of a missing member that is the member."""
    path = ["data", *error.absolute_path]
    if error.validator == "required" and isinstance(error.instance, dict) and isinstance(error.validator_value, list):
        return [
            ErrorItem(code="REQUIRED", detail="This is needed.", pointer=pointer_of([*path, name]))
            for name in error.validator_value
            if name not in error.instance
        ]
    code = str(error.validator).upper()
    return [ErrorItem(code=code, detail=_sentence(error), pointer=pointer_of(path))]


def _sentence(error: ValidationError) -> str:
    """Name the rule, never the value: it may be large or private."""
    bound = error.validator_value
    known = {
        "type": f"This must be of the type {bound}.",
        "enum": "This is none of the values that may be chosen.",
        "const": "This must be the one value that is allowed.",
        "minimum": f"This must be at least {bound}.",
        "maximum": f"This must be at most {bound}.",
        "exclusiveMinimum": f"This must be more than {bound}.",
        "exclusiveMaximum": f"This must be less than {bound}.",
        "minLength": "This may not be empty." if bound == 1 else f"This needs at least {bound} characters.",
        "maxLength": f"This may have at most {bound} characters.",
        "minItems": f"This needs at least {bound} entries.",
        "maxItems": f"This may have at most {bound} entries.",
        "uniqueItems": "No two entries may be equal.",
        "multipleOf": f"This must be a multiple of {bound}.",
        "format": f"This is no {bound}.",
        "additionalProperties": "There is a member that the form does not have.",
    }
    return known.get(str(error.validator), f"This does not satisfy `{error.validator}` of the form.")
