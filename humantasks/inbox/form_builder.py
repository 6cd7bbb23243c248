"""Builder of the inbox's forms: fields and their first values, from a JSON Schema and a value. Pure.

Which widget shows a value depends on both: a text with two lines needs a larger one, and what no widget can show
exactly is shown as JSON. So every value can be shown and posted back unchanged (``humantasks.inbox.form_parser``).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Final

from humantasks.inbox.fields import ABSENT, Absent, Field, FieldKind, Value
from humantasks.inbox.widgets import AskedField, as_json, choice, listed, number, string, yes_or_no
from kernel.schemas.reading import (
    Schema,
    as_schema,
    choices_of,
    is_nullable,
    label_of,
    number_of,
    resolve,
    says_nothing,
    sole_type,
    text_of,
)
from kernel.types import Json
from kernel.values import pointer_of

DEEPEST: Final = 3
MAX_MEMBERS: Final = 100
MAX_FIELDS: Final = 300
MAX_ITEMS: Final = 20


def form_of(schema: Json, data: Value = ABSENT, *, zone: tzinfo = UTC) -> Field:
    """Read a form.

    Args:
        schema: The JSON Schema of the answer.
        data: What the answer begins with.
        zone: What instants are written in.

    Returns:
        The whole as one field: a group of the members if the answer is an object.
    """
    root = as_schema(schema)
    return _Form(root, zone).field(root, data, path=(), place="0", is_required=True)


class _Form:
    """Reads the fields of one form, and stops when there are too many."""

    def __init__(self, root: Schema, zone: tzinfo) -> None:
        self._root = root
        self._zone = zone
        self._count = 0

    def field(self, schema: Schema, value: Value, *, path: tuple[str, ...], place: str, is_required: bool) -> Field:
        schema = resolve(schema, self._root)
        self._count += 1
        if isinstance(value, Absent) and "default" in schema:
            value = schema["default"]
        if says_nothing(schema):
            schema = {**schema, **_kind_of_schema(value)}
        asked = self._asked(schema, value, depth=len(path), is_required=is_required)
        pointer = pointer_of(path)
        return Field(
            pointer=pointer,
            place=place,
            kind=asked.kind,
            label=label_of(schema, path[-1] if path else ""),
            help=text_of(schema, "description"),
            is_required=is_required,
            is_nullable=is_nullable(schema),
            original=value,
            texts=asked.texts,
            options=asked.options,
            item=asked.item,
            fields=self._inner(asked.kind, schema, value, path, place),
            minimum=number_of(schema, "minimum", "exclusiveMinimum"),
            maximum=number_of(schema, "maximum", "exclusiveMaximum"),
            min_length=number_of(schema, "minLength"),
            max_length=number_of(schema, "maxLength"),
            schema=schema,
            zone=self._zone,
        )

    def _inner(
        self, kind: FieldKind, schema: Schema, value: Value, path: tuple[str, ...], place: str
    ) -> tuple[Field, ...]:
        if kind == FieldKind.GROUP:
            return self._members(schema, value, path, place)
        if kind != FieldKind.ITEMS:
            return ()
        item_schema = as_schema(schema.get("items"))
        items: list[Value] = [*value, ABSENT] if isinstance(value, list) else [ABSENT]
        return tuple(
            self.field(
                item_schema,
                item,
                path=(*path, str(index)),
                place=f"{place}-{index}",
                is_required=index < len(items) - 1,
            )
            for index, item in enumerate(items)
        )

    def _members(self, schema: Schema, value: Value, path: tuple[str, ...], place: str) -> tuple[Field, ...]:
        known = value if isinstance(value, Mapping) else {}
        listed = schema.get("required")
        required = listed if isinstance(listed, list) else []
        members = as_schema(schema.get("properties"))
        return tuple(
            self.field(
                as_schema(member),
                known.get(key, ABSENT),
                path=(*path, key),
                place=f"{place}-{number}",
                is_required=key in required,
            )
            for number, (key, member) in enumerate(members.items())
        )

    def _asked(self, schema: Schema, value: Value, *, depth: int, is_required: bool) -> AskedField:
        if schema.get("readOnly") is True:
            return AskedField(FieldKind.SHOWN)
        choices = choices_of(schema)
        if choices:
            return choice(choices, value, is_required=is_required)
        type_name = sole_type(schema) or ""
        if type_name == "object":
            asked = self._group(schema, value, depth)
        elif type_name == "array":
            items = resolve(as_schema(schema.get("items")), self._root)
            asked = listed(items, value) or self._items(items, value, depth)
        elif type_name == "boolean":
            asked = yes_or_no(value, is_required=is_required)
        elif type_name == "string":
            asked = string(schema, value, self._zone)
        elif type_name in {"integer", "number"}:
            asked = number(FieldKind(type_name), value)
        else:
            asked = None
        return asked or AskedField(FieldKind.JSON, (as_json(value),))

    def _group(self, schema: Schema, value: Value, depth: int) -> AskedField | None:
        members = as_schema(schema.get("properties"))
        fits = value is None or isinstance(value, Absent | dict)
        is_small = 0 < len(members) <= MAX_MEMBERS and self._count + len(members) <= MAX_FIELDS
        return AskedField(FieldKind.GROUP) if fits and is_small and depth <= DEEPEST else None

    def _items(self, items: Schema, value: Value, depth: int) -> AskedField | None:
        """Ask for a list of objects entry by entry, if they are few and flat enough."""
        given = value if isinstance(value, list) else []
        members = as_schema(items.get("properties"))
        fits = isinstance(value, Absent | list) and all(isinstance(item, dict) for item in given)
        is_small = len(members) > 0 and self._count + (len(given) + 1) * (len(members) + 1) <= MAX_FIELDS
        may_be_asked = sole_type(items) == "object" and "default" not in items and not items.get("readOnly")
        fits = fits and may_be_asked and is_small and len(given) <= MAX_ITEMS and depth < DEEPEST
        return AskedField(FieldKind.ITEMS) if fits else None


def _kind_of_schema(value: Value) -> Schema:
    """Describe a value of which the schema says nothing, so that it gets the widget of its kind."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if value is None or isinstance(value, str):
        return {"type": ["string", "null"] if value is None else "string"}
    if isinstance(value, dict):
        return {"type": "object", "properties": {key: {} for key in value}}
    if isinstance(value, list) and value:
        return {"type": "array", "items": _kind_of_items(value)}
    return {}


def _kind_of_items(values: Sequence[Json]) -> Schema:
    if all(isinstance(value, dict) for value in values):
        keys: dict[str, Schema] = {key: {} for value in values if isinstance(value, dict) for key in value}
        return {"type": "object", "properties": keys}
    return _kind_of_schema(values[0])
