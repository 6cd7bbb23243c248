"""The form of a task: the JSON Schema its answer's data has to fit. Pure."""

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Final, cast

from humantasks.types import MISSING, TaskType
from kernel.errors import ErrorItem
from kernel.schemas import Violation, judging, violations_in
from kernel.schemas.reading import as_schema, resolve
from kernel.types import Json
from kernel.values import dump_json, pointer_of, size_of

DEEPEST: Final = 5
MAX_BYTES: Final = 64 * 1024
MAX_MEMBERS: Final = 1_000
READ_ONLY: Final = "This is read-only: send it unchanged."
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
    with judging("the data by the task's form", "/data"):
        return [_item(violation) for violation in violations_in(tenant, data, form, formats=True)]


def read_only_changes(form: Schema, shown: Json, data: Json) -> list[ErrorItem]:
    """Tell which members that are ``readOnly`` differ from what was shown, with pointers below ``/data``.

    The entries of a list may be dropped, added and put in another order; each keeps what it was shown with.
    """
    return [*_changes(form, shown, data, form, ("data",))]


def _changes(
    subschema: object, shown: object, data: object, root: Schema, path: tuple[str, ...]
) -> Iterator[ErrorItem]:
    if shown is MISSING and data is MISSING:
        return
    schema = resolve(as_schema(subschema), root)
    if schema.get("readOnly") is True:
        if data != (schema.get("default", MISSING) if shown is MISSING else shown):
            yield ErrorItem(code="READ_ONLY", detail=READ_ONLY, pointer=pointer_of(path))
        return
    members = as_schema(schema.get("properties"))
    for key in {**_members(shown), **_members(data)}:
        if key in members:
            yield from _changes(members[key], _at(shown, key), _at(data, key), root, (*path, key))
    if isinstance(data, list) and "items" in schema:
        yield from _changes_of_items(as_schema(schema["items"]), shown, data, root, path)


def _changes_of_items(
    items: Schema, shown: object, data: Sequence[Json], root: Schema, path: tuple[str, ...]
) -> Iterator[ErrorItem]:
    held = _held(items, root)
    if not held:
        return
    before = shown if isinstance(shown, list) else []
    known = {_values_of(item, held) for item in before} | {_values_of({}, held)}
    for index, item in enumerate(data):
        if _values_of(item, held) not in known:
            was = before[index] if index < len(before) else MISSING
            yield from _changes(items, was, item, root, (*path, str(index)))


def _held(items: Schema, root: Schema) -> list[tuple[str, ...]]:
    """List the paths of an entry's members that are ``readOnly``, as far as a form asks for them."""
    found: list[tuple[str, ...]] = []
    open_ends: deque[tuple[tuple[str, ...], object]] = deque([((), items)])
    for _ in range(MAX_MEMBERS):
        if not open_ends:
            break
        path, subschema = open_ends.popleft()
        schema = resolve(as_schema(subschema), root)
        if schema.get("readOnly") is True:
            found.append(path)
        elif len(path) < DEEPEST:
            open_ends += (((*path, key), member) for key, member in as_schema(schema.get("properties")).items())
    return found


def _values_of(item: object, paths: Sequence[tuple[str, ...]]) -> str:
    """Write what an item has at some paths, to be compared."""
    found = (reduce(_at, path, item) for path in paths)
    return dump_json([None if value is MISSING else [cast("Json", value)] for value in found])


def _members(value: object) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _at(value: object, key: str) -> object:
    return _members(value).get(key, MISSING)


def _of_items(values: Sequence[Json], depth: int) -> dict[str, Json]:
    """Describe what all items have in common; nothing when they differ."""
    schemas = [_describe(value, depth - 1) for value in values]
    return schemas[0] if schemas and all(schema == schemas[0] for schema in schemas) else {}


def _item(violation: Violation) -> ErrorItem:
    """Write a finding at the field it is about: of a missing member that is the member."""
    if violation.keyword == "required":
        pointer = pointer_of(["data", *violation.path, str(violation.bound)])
        return ErrorItem(code="REQUIRED", detail="This is required.", pointer=pointer)
    return ErrorItem(
        code=violation.keyword.upper(), detail=violation.sentence, pointer=pointer_of(["data", *violation.path])
    )
