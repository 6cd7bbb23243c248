"""A schema becomes the fields a person expects."""

from typing import Any

import pytest

from humantasks.inbox.fields import ABSENT, Field, FieldKind
from humantasks.inbox.form_builder import DEEPEST, MAX_ITEMS, MAX_MEMBERS, form_of

ITEM = {"type": "object", "properties": {"sku": {"type": "string"}, "price": {"type": "number"}}, "required": ["sku"]}


def asked(schema: dict[str, Any], value: Any = ABSENT, *, required: bool = False) -> Field:
    """The one field of a form with one member."""
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    return form_of(whole, {} if value is ABSENT else {"x": value}).fields[0]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, FieldKind.TEXT),
        ({"type": ["string", "null"]}, FieldKind.TEXT),
        ({"type": "string", "maxLength": 80}, FieldKind.TEXT),
        ({"type": "string", "maxLength": 2000}, FieldKind.LONG_TEXT),
        ({"type": "string", "format": "email"}, FieldKind.EMAIL),
        ({"type": "string", "format": "password"}, FieldKind.PASSWORD),
        ({"type": "string", "format": "date"}, FieldKind.DATE),
        ({"type": "string", "format": "date-time"}, FieldKind.DATE_TIME),
        ({"type": "string", "format": "ipv4"}, FieldKind.TEXT),
        ({"type": "integer"}, FieldKind.INTEGER),
        ({"type": "number"}, FieldKind.NUMBER),
        ({"type": "boolean"}, FieldKind.SELECT),
        ({"type": "boolean", "default": False}, FieldKind.CHECKBOX),
        ({"enum": ["a", "b"]}, FieldKind.SELECT),
        ({"const": "a"}, FieldKind.SELECT),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]}, FieldKind.SELECT),
        ({"type": "array", "items": {"type": "string"}}, FieldKind.LINES),
        ({"type": "array", "items": {"type": "integer"}}, FieldKind.LINES),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, FieldKind.CHECKS),
        ({"type": "array", "items": {"type": "object"}}, FieldKind.JSON),
        ({"type": "array"}, FieldKind.JSON),
        ({"type": "object", "properties": {"y": {"type": "string"}}}, FieldKind.GROUP),
        ({"properties": {"y": {"type": "string"}}}, FieldKind.GROUP),
        ({"type": "object"}, FieldKind.JSON),
        ({"type": ["string", "integer"]}, FieldKind.JSON),
        ({"type": 7}, FieldKind.JSON),
        ({"anyOf": [{"type": "string"}]}, FieldKind.JSON),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, FieldKind.TEXT),
        ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, FieldKind.INTEGER),
        (
            {
                "anyOf": [{"$ref": "#/properties/x/$defs/when"}, {"type": "null"}],
                "$defs": {"when": {"type": "string", "format": "date"}},
            },
            FieldKind.DATE,
        ),
        ({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}, FieldKind.SELECT),
        ({"anyOf": [{"type": "object", "properties": {"y": {}}}, {"type": "null"}]}, FieldKind.GROUP),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}, FieldKind.JSON),
        ({"allOf": [{"type": "string", "format": "email"}], "title": "Mail"}, FieldKind.EMAIL),
        ({"allOf": [{"$ref": "#/properties/x"}]}, FieldKind.JSON),
        ({}, FieldKind.JSON),
        ({"type": "string", "readOnly": True}, FieldKind.SHOWN),
    ],
)
def test_each_schema_gets_its_widget(schema: dict[str, Any], kind: FieldKind) -> None:
    assert asked(schema).kind == kind


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "boolean"}, FieldKind.CHECKBOX),
        ({"enum": ["a", "b"]}, FieldKind.RADIO),
        ({"enum": list(range(9))}, FieldKind.SELECT),
    ],
)
def test_what_must_be_answered_may_get_another_widget(schema: dict[str, Any], kind: FieldKind) -> None:
    assert asked(schema, required=True).kind == kind


@pytest.mark.parametrize(
    ("schema", "value", "kind", "texts"),
    [
        ({"type": "string"}, "two\nlines", FieldKind.LONG_TEXT, ("two\nlines",)),
        ({"type": "string"}, {"a": 1}, FieldKind.JSON, ('{\n  "a": 1\n}',)),
        ({"type": "integer"}, "12", FieldKind.JSON, ('"12"',)),
        ({"type": "integer"}, True, FieldKind.JSON, ("true",)),
        ({"type": "boolean"}, 0, FieldKind.JSON, ("0",)),
        ({"type": "string", "format": "date"}, "27.11.2026", FieldKind.TEXT, ("27.11.2026",)),
        (
            {"type": "string", "format": "date-time"},
            "2026-11-27T12:00:00+02:00",
            FieldKind.DATE_TIME,
            ("2026-11-27T10:00",),
        ),
        (
            {"type": "string", "format": "date-time"},
            "2026-11-27T12:00:07Z",
            FieldKind.DATE_TIME,
            ("2026-11-27T12:00:07",),
        ),
        ({"type": "string", "format": "date-time"}, "2026-11-27T12:00", FieldKind.TEXT, ("2026-11-27T12:00",)),
        ({"type": "string", "format": "date-time"}, "0001-01-01T00:00:00+05:00", FieldKind.TEXT, None),
        ({"type": "string", "format": "email"}, " a@b.test", FieldKind.TEXT, (" a@b.test",)),
        ({"type": "array", "items": {"type": "string"}}, ["a", "b"], FieldKind.LINES, ("a\nb",)),
        ({"type": "array", "items": {"type": "string"}}, ["a", ""], FieldKind.JSON, None),
        ({"type": "array", "items": {"type": "string"}}, ["a\nb"], FieldKind.JSON, None),
        ({"type": "array", "items": {"type": "string"}}, "a", FieldKind.JSON, ('"a"',)),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["b"], FieldKind.CHECKS, ('"b"',)),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["b", "b"], FieldKind.JSON, None),
        ({"type": "object", "properties": {"y": {}}}, [1], FieldKind.JSON, None),
        ({}, "free", FieldKind.TEXT, ("free",)),
        ({"title": "Note"}, None, FieldKind.TEXT, ("",)),
        ({}, 7, FieldKind.NUMBER, ("7",)),
        ({}, True, FieldKind.CHECKBOX, ("true",)),
        ({}, ["a", "b"], FieldKind.LINES, ("a\nb",)),
        ({}, ["a", 1], FieldKind.JSON, None),
        ({}, [{"a": 1}, {"b": 2}], FieldKind.ITEMS, ()),
        ({"type": "array", "items": ITEM}, [{"sku": "a"}], FieldKind.ITEMS, ()),
        ({"type": "array", "items": ITEM}, [{"sku": "a"}, 7], FieldKind.JSON, None),
        ({"type": "array", "items": ITEM}, [{"sku": "a"}] * (MAX_ITEMS + 1), FieldKind.JSON, None),
        ({}, {"y": 1}, FieldKind.GROUP, ()),
        ({}, [], FieldKind.JSON, ("[]",)),
        ({"anyOf": [{}]}, "x", FieldKind.JSON, ('"x"',)),
    ],
)
def test_what_a_widget_cannot_hold_gets_another(
    schema: dict[str, Any], value: Any, kind: FieldKind, texts: tuple[str, ...] | None
) -> None:
    field = asked(schema, value)
    assert field.kind == kind
    assert texts is None or field.texts == texts


def test_a_list_of_objects_is_asked_entry_by_entry_and_has_room_for_one_more() -> None:
    field = asked({"type": "array", "items": ITEM}, [{"sku": "a"}, {"sku": "b"}])
    assert [entry.is_required for entry in field.fields] == [True, True, False]
    assert [entry.fields[0].text for entry in field.fields] == ["a", "b", ""]
    assert field.fields[1].fields[0].name == "data/x/1/sku"


def test_a_field_tells_what_the_schema_says() -> None:
    schema = {
        "type": "string", "title": "Reason", "description": "Why?", "minLength": 3, "maxLength": 9, "default": "none",
    }  # fmt: skip
    field = asked(schema, required=True)
    assert (field.label, field.help, field.is_required, field.text) == ("Reason", "Why?", True, "none")
    assert (field.min_length, field.max_length) == (3, 9)
    assert (field.name, field.place) == ("data/x", "0-0")


def test_bounds_of_numbers_are_told() -> None:
    field = asked({"type": "number", "minimum": 0, "maximum": 9.5})
    assert (field.minimum, field.maximum) == (0, 9.5)


def test_a_value_outside_of_the_choices_is_offered_as_it_is() -> None:
    field = asked({"enum": ["a", "b"]}, "c")
    assert field.text == '"c"'
    assert [(option.value, option.is_allowed) for option in field.options] == [("a", True), ("b", True), ("c", False)]


def test_the_only_choice_is_taken() -> None:
    assert asked({"const": "a"}, required=True).text == '"a"'


def test_references_are_followed() -> None:
    schema = {
        "$defs": {"money": {"type": "number", "title": "Money"}},
        "properties": {"x": {"$ref": "#/$defs/money"}, "y": {"$ref": "#/$defs/money", "title": "Tip"}},
    }
    form = form_of(schema)
    assert [(field.kind, field.label) for field in form.fields] == [
        (FieldKind.NUMBER, "Money"),
        (FieldKind.NUMBER, "Tip"),
    ]


@pytest.mark.parametrize("reference", ["#/$defs/none", "https://schemas.test/x", "#/$defs/circle", 7, "other.json#/a"])
def test_references_to_nowhere_are_asked_as_json(reference: Any) -> None:
    schema = {
        "$defs": {"circle": {"$ref": "#/$defs/circle"}},
        "properties": {"x": {"$ref": reference, "title": "Thing"}},
    }
    field = form_of(schema).fields[0]
    assert (field.kind, field.label) == (FieldKind.JSON, "Thing")


def test_a_form_that_holds_itself_ends() -> None:
    node = {"type": "object", "properties": {"name": {"type": "string"}, "next": {"$ref": "#"}}}
    field = form_of(node)
    depth = 0
    while field.kind == FieldKind.GROUP:
        field = field.fields[1]
        depth += 1
    assert depth == DEEPEST + 1


def test_a_form_with_too_many_members_is_asked_as_json() -> None:
    schema = {"properties": {f"k{n}": {"type": "string"} for n in range(MAX_MEMBERS + 1)}}
    assert form_of(schema).kind == FieldKind.JSON


@pytest.mark.parametrize("schema", [None, True, 7, "x", [], {"properties": 7}, {"type": None}])
def test_a_strange_schema_asks_for_json(schema: Any) -> None:
    assert form_of(schema).kind == FieldKind.JSON
