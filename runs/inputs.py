"""Checking of a run's input against its segment's ``input_schema``."""

from collections.abc import Mapping

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from kernel.errors import ErrorItem
from kernel.values import Json, pointer_of
from runs.errors import InputRefused, InputSchemaUnusable

MAX_FINDINGS = 50


def check_input(value: Json, *, schema: Mapping[str, Json]) -> None:
    """Check a value; references inside the schema work, nothing outside of it is ever fetched.

    Raises:
        InputRefused: The value does not fit; up to 50 findings with pointers into ``/input``.
        InputSchemaUnusable: The schema is none, refers outside of itself, or goes in circles.
    """
    try:
        found = misfits(value, schema, below=("input",))
    except (SchemaError, Unresolvable, RecursionError) as error:
        raise InputSchemaUnusable(f"The segment's input_schema cannot be applied ({type(error).__name__}).") from error
    if found:
        raise InputRefused(errors=found)


def misfits(value: Json, schema: Mapping[str, Json], *, below: tuple[str, ...] = ()) -> list[ErrorItem]:
    """Tell where a value does not fit a schema, at most 50 places.

    Args:
        value: The value.
        schema: A schema that was checked when it was saved.
        below: Where the value stands, for pointers.

    Raises:
        SchemaError: The schema is none.
        Unresolvable: It refers outside of itself: nothing is ever fetched.
        RecursionError: It goes in circles.
    """
    Draft202012Validator.check_schema(schema)
    # An empty registry: the default one would fetch unknown references over the network.
    validator = Draft202012Validator(schema, registry=Registry())
    return [_item(error, below) for error in _first(validator, value)]


def _first(validator: Draft202012Validator, value: Json) -> list[ValidationError]:
    found = []
    for error in validator.iter_errors(value):
        found.append(error)
        if len(found) == MAX_FINDINGS:
            break
    return found


def _item(error: ValidationError, below: tuple[str, ...]) -> ErrorItem:
    # The library's sentence quotes the value, which may be large or private: name the rule instead.
    rule = f"`{error.validator}`"
    detail = f"The value does not satisfy {rule} of the schema."
    if error.validator == "required" and isinstance(error.validator_value, list) and isinstance(error.instance, dict):
        missing = [name for name in error.validator_value if name not in error.instance]
        detail = "A member is missing: " + ", ".join(f"`{name}`" for name in missing[:20]) + "."
    elif error.validator == "type":
        detail = f"The value must be of the type {error.validator_value}."
    code, pointer = "INPUT_" + str(error.validator).upper(), pointer_of([*below, *error.absolute_path])
    return ErrorItem(code=code, detail=detail, pointer=pointer)
