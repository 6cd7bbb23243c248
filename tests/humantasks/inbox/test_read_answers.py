"""What a person typed becomes the value they meant, and what cannot be read is said at its field."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humantasks.inbox.fields import ABSENT, Field
from humantasks.inbox.form_builder import form_of
from humantasks.inbox.form_parser import FormReading, place_problems, read_form, recall
from kernel.errors import ErrorItem
from kernel.values import dump_json
from tests.support.forms import posted_of

ADDRESS = {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}}

ITEM = {"type": "object", "properties": {"sku": {"type": "string"}, "price": {"type": "number"}}, "required": ["sku"]}
ITEMS = {"properties": {"items": {"type": "array", "items": ITEM}}}
TWO = {"items": [{"sku": "a", "price": 1, "seen": True}, {"sku": "b", "price": 2}]}


def read(schema: dict[str, Any], value: Any, *typed: str, required: bool = False) -> FormReading:
    """Read a form with one member ``x`` that was posted as typed."""
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    return read_form(form_of(whole, {} if value is ABSENT else {"x": value}), {"data/x": list(typed)})


@pytest.mark.parametrize(
    ("schema", "typed", "value"),
    [
        ({"type": "string"}, " as typed ", " as typed "),
        ({"type": "string", "maxLength": 900}, "a\r\nb", "a\nb"),
        ({"type": "string", "format": "email"}, " a@b.test ", "a@b.test"),
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, " -1 200 ", -1200),
        ({"type": "integer"}, "12.0", 12),
        ({"type": "integer"}, "\u22125", -5),
        ({"type": "number"}, "12,5", 12.5),
        ({"type": "number"}, "1 234,50", 1234.5),
        ({"type": "number"}, "1 234.5", 1234.5),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, "7", 7),
        ({"type": "number"}, ".5", 0.5),
        ({"type": "number"}, "-5.", -5.0),
        ({"type": "integer"}, "- 1'234\u00a0567", -1234567),
        ({"type": "number"}, "0e-400", 0.0),
        ({"type": "string", "format": "date"}, "2026-11-27", "2026-11-27"),
        ({"type": "string", "format": "date-time"}, "2026-11-27T10:00", "2026-11-27T10:00:00Z"),
        ({"type": "string", "format": "date-time"}, "2026-11-27T10:00+02:00", "2026-11-27T08:00:00Z"),
        ({"enum": ["a", 2, None]}, "2", 2),
        ({"enum": ["a", 2, None]}, '"a"', "a"),
        ({"type": "boolean"}, "false", False),
        ({"type": "array", "items": {"type": "string"}}, "a\r\n\r\n  b \r\n", ["a", "b"]),
        ({"type": "array", "items": {"type": "integer"}}, "1\n2", [1, 2]),
        ({"type": "array", "items": {"type": "number"}}, "1,5\n2", [1.5, 2]),
        ({}, '{"a": [1]}', {"a": [1]}),
        ({"type": "integer"}, "9007199254740992", 2**53),
        ({"type": "integer"}, "9007199254740993", "9007199254740993"),
        ({"type": "integer"}, " -9 007 199 254 740 993", "-9007199254740993"),
        ({"type": "integer"}, "9007199254740993.0", "9007199254740993"),
        ({"type": "integer"}, "9,007199254740993e15", "9007199254740993"),
        ({"type": "number"}, "9007199254740993", "9007199254740993"),
        ({"type": "number"}, "9007199254740993,0", "9007199254740993"),
        ({"type": "number"}, "12 345 678 901 234 567.89", "12345678901234567.89"),
        ({"type": "array", "items": {"type": "integer"}}, "1\n9007199254740993", [1, "9007199254740993"]),
        ({}, '{"a": [9007199254740993]}', {"a": ["9007199254740993"]}),
        ({}, "9007199254740993", "9007199254740993"),
        ({"title": "Anything"}, " hello ", "hello"),
        ({"title": "Anything"}, "12", 12),
        ({"description": "any", "default": "x"}, "it's {so}", "it's {so}"),
        ({"type": ["string", "integer"]}, "1e5", "1e5"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "1.50", "1.50"),
        ({"type": ["string", "integer"]}, "15", 15),
        ({"type": ["string", "number"]}, "1e5", 100000.0),
    ],
)
def test_what_is_typed_becomes_a_value(schema: dict[str, Any], typed: str, value: Any) -> None:
    reading = read(schema, ABSENT, typed)
    assert not reading.problems
    assert reading.value == {"x": value}
    assert type(reading.value["x"]) is type(value)


@pytest.mark.parametrize(
    ("schema", "typed", "code"),
    [
        ({"type": "integer"}, "abc", "NOT_AN_INTEGER"),
        ({"type": "integer"}, "1.5", "NOT_AN_INTEGER"),
        ({"type": "integer"}, "9" * 500, "NOT_AN_INTEGER"),
        ({"type": "number"}, "abc", "NOT_A_NUMBER"),
        ({"type": "integer"}, "12 34", "NOT_AN_INTEGER"),
        ({"type": "number"}, "1 2 3", "NOT_A_NUMBER"),
        ({"type": "number"}, "1_000", "NOT_A_NUMBER"),
        ({"type": "number"}, ".", "NOT_A_NUMBER"),
        ({"type": "number"}, "1e-400", "NOT_A_NUMBER"),
        ({"type": "number"}, "1,234", "AMBIGUOUS_NUMBER"),
        ({"type": "number"}, "1,234,567.8", "AMBIGUOUS_NUMBER"),
        ({"type": "number"}, "1e999", "NUMBER_TOO_LARGE"),
        ({"type": "number"}, "NaN", "NOT_A_NUMBER"),
        ({"type": "number"}, "١٢", "NOT_A_NUMBER"),
        ({"type": "string", "format": "date"}, "27.11.2026", "NOT_A_DATE"),
        ({"type": "string", "format": "date"}, "2026-02-31", "NOT_A_DATE"),
        ({"type": "string", "format": "date-time"}, "tomorrow", "NOT_A_DATE_TIME"),
        ({"type": "string", "format": "date-time"}, "0001-01-01T00:00+05:00", "NOT_A_DATE_TIME"),
        ({"enum": ["a"]}, '"b"', "NOT_A_CHOICE"),
        ({"type": "array", "items": {"type": "integer"}}, "1\nx", "NOT_AN_INTEGER"),
        ({"type": "array", "items": {"enum": ["a"]}}, '"b"', "NOT_A_CHOICE"),
        ({}, "{", "NOT_JSON"),
        ({}, '{"a": 1, "a": 2}', "NOT_JSON"),
        ({}, "[" * 100, "NOT_JSON"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field_and_kept_as_typed(
    schema: dict[str, Any], typed: str, code: str
) -> None:
    reading = read(schema, ABSENT, typed)
    assert [(problem.code, problem.pointer) for problem in reading.problems] == [(code, "/x")]
    field = reading.form.fields[0]
    assert field.texts == (typed,)
    assert field.problems == reading.problems


@pytest.mark.parametrize(
    ("schema", "before", "after"),
    [
        ({"type": "string"}, "a", {}),
        ({"type": "integer"}, 1, {}),
        ({"type": ["string", "null"]}, "a", {"x": None}),
        ({"type": "array", "items": {"type": "string"}}, ["a"], {"x": []}),
        ({"enum": ["a"]}, "a", {}),
        ({}, 1, {}),
    ],
)
def test_what_is_emptied_is_absent_or_null(schema: dict[str, Any], before: Any, after: Any) -> None:
    assert read(schema, before, "").value == after


@pytest.mark.parametrize(
    "schema", [{"type": "string"}, {"type": "integer"}, {"enum": ["a", "b"]}, {}, {"type": "string", "format": "date"}]
)
def test_what_must_be_answered_is_missed(schema: dict[str, Any]) -> None:
    assert [problem.code for problem in read(schema, ABSENT, "", required=True).problems] == ["REQUIRED"]
    whole = {"properties": {"x": schema}, "required": ["x"]}
    assert [problem.code for problem in read_form(form_of(whole), {}).problems] == ["REQUIRED"]


@pytest.mark.parametrize(
    ("schema", "value"), [({"type": "boolean"}, False), ({"type": "array", "items": {"type": "string"}}, [])]
)
def test_an_empty_answer_may_be_one(schema: dict[str, Any], value: Any) -> None:
    assert read(schema, ABSENT, "", required=True).value == {"x": value}


@pytest.mark.parametrize(("typed", "value"), [(["", "true"], True), ([""], False)])
def test_a_box_is_ticked_or_not(typed: list[str], value: bool) -> None:
    assert read({"type": "boolean"}, not value, *typed).value == {"x": value}


def test_boxes_keep_the_order_of_the_choices() -> None:
    schema = {"type": "array", "items": {"enum": ["a", "b", "c"]}}
    assert read(schema, ["b"], "", '"c"', '"a"').value == {"x": ["a", "c"]}
    assert read(schema, ["b"], "").value == {"x": []}


def test_what_the_form_does_not_ask_stays() -> None:
    schema = {"properties": {"a": {"type": "string"}, "seen": {"type": "integer", "readOnly": True}}}
    data = {"hidden": [1], "a": "x", "seen": 3}
    reading = read_form(form_of(schema, data), {"data/a": ["y"], "data/seen": ["9"], "data/hidden": ["9"]})
    assert reading.value == {"hidden": [1], "a": "y", "seen": 3}
    assert list(reading.value) == ["hidden", "a", "seen"]


def test_a_group_nobody_touched_stays_absent() -> None:
    schema = {"properties": {"address": {**ADDRESS, "required": ["city"]}}}
    form = form_of(schema, {})
    assert read_form(form, {"data/address/city": [""], "data/address/zip": [""]}).value == {}
    touched = read_form(form, {"data/address/city": [""], "data/address/zip": ["1"]})
    assert [problem.pointer for problem in touched.problems] == ["/address/city"]
    assert read_form(form, {"data/address/city": ["A"], "data/address/zip": [""]}).value == {"address": {"city": "A"}}


def test_a_group_that_must_be_there_is() -> None:
    schema = {"properties": {"address": ADDRESS}, "required": ["address"]}
    assert read_form(form_of(schema, {}), {"data/address/city": [""]}).value == {"address": {}}


@pytest.mark.parametrize(
    ("posted", "items"),
    [
        ({}, TWO["items"]),
        ({"data/items/0/price": ["1,5"]}, [{"sku": "a", "price": 1.5, "seen": True}, {"sku": "b", "price": 2}]),
        ({"drop/items/0": ["1"]}, [{"sku": "b", "price": 2}]),
        ({"drop/items/0": ["1"], "data/items/0/price": ["x"]}, [{"sku": "b", "price": 2}]),
        ({"drop/items/0": ["1"], "drop/items/1": ["1"]}, []),
        ({"data/items/2/sku": ["c"]}, [*TWO["items"], {"sku": "c"}]),
        ({"data/items/2/sku": [""], "data/items/2/price": [""]}, TWO["items"]),
    ],
)
def test_entries_of_a_list_are_changed_dropped_and_added(posted: dict[str, list[str]], items: list[Any]) -> None:
    reading = read_form(form_of(ITEMS, TWO), posted)
    assert not reading.problems
    assert reading.value == {"items": items}


def test_what_is_wrong_in_an_entry_is_said_there() -> None:
    reading = read_form(form_of(ITEMS, TWO), {"data/items/1/price": ["x"], "data/items/2/price": ["3"]})
    assert [(problem.pointer, problem.code) for problem in reading.problems] == [
        ("/items/1/price", "NOT_A_NUMBER"),
        ("/items/2/sku", "REQUIRED"),
    ]


def test_one_value_may_be_the_whole_answer() -> None:
    form = form_of({"type": "integer", "title": "How many"}, 3)
    assert (form.name, form.label) == ("data", "How many")
    assert read_form(form, {"data": ["4"]}).value == 4
    assert [problem.pointer for problem in read_form(form, {"data": ["x"]}).problems] == [""]


def test_defaults_are_sent_as_they_are_shown() -> None:
    form = form_of({"properties": {"n": {"type": "integer", "default": 5}}}, {})
    assert read_form(form, posted_of(form)).value == {"n": 5}


def test_findings_are_placed_at_the_nearest_field() -> None:
    schema = {"properties": {"a": {"type": "array", "items": {"type": "object"}}, "address": ADDRESS}}
    items = [
        ErrorItem("A", "a", pointer="/a/0/price"),
        ErrorItem("B", "b", pointer="/address/zip"),
        ErrorItem("C", "c", pointer="/address"),
        ErrorItem("D", "d", pointer="/nowhere"),
        ErrorItem("E", "e", pointer=""),
    ]
    form, unplaced = place_problems(form_of(schema, {}), items)
    assert [problem.code for problem in form.fields[0].problems] == ["A"]
    assert [problem.code for problem in form.fields[1].problems] == ["C"]
    assert [problem.code for problem in form.fields[1].fields[1].problems] == ["B"]
    assert [problem.code for problem in unplaced] == ["D", "E"]


def test_findings_of_a_single_value_have_its_place() -> None:
    form, unplaced = place_problems(form_of({"type": "integer"}, 1), [ErrorItem("A", "a", pointer="")])
    assert [problem.code for problem in form.problems] == ["A"]
    assert not unplaced


def test_what_was_typed_into_a_form_that_has_changed_is_put_beside_it() -> None:
    schema = {"properties": {"n": {"type": "integer"}, "to": {"enum": ["a", "b"]}, "note": {"type": "string"}}}
    form = recall(form_of(schema, {"n": 20, "to": "a"}), {"data/n": ["10"], "data/to": ['"b"'], "data/note": [""]})
    assert [(field.text, field.recalled) for field in form.fields] == [("20", "10"), ('"a"', "b"), ("", "")]


SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=140) | st.sampled_from(
    ["", "2026-11-27", "2026-11-27T10:00:00+02:00", "2026-11-27T10:00:00.5Z", " a@b.test", "a\r\nb", "\n", "12"]
)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | st.lists(TYPES, max_size=3),
        "format": st.sampled_from(["date", "date-time", "email", "uri"]),
        "enum": st.lists(VALUES, max_size=4),
        "items": st.fixed_dictionaries({}, optional={"type": TYPES, "enum": st.lists(VALUES, max_size=3)})
        | st.just(ITEM),
        "readOnly": st.booleans(),
        "maxLength": st.integers(0, 500),
    },
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {"properties": st.dictionaries(TEXTS, inner, max_size=4)},
        optional={"required": st.lists(TEXTS, max_size=3), "type": st.sampled_from(["object", ["object", "null"]])},
    ),
    max_leaves=8,
)


def fitting(schema: Any, draw: Any) -> Any:
    """Draw a value for a schema that has, member by member, what the schema names, or something else altogether."""
    if isinstance(schema.get("properties"), dict) and draw(st.integers(0, 5)):
        members = {key: fitting(member, draw) for key, member in schema["properties"].items()}
        extra = draw(st.dictionaries(TEXTS, VALUES, max_size=2))
        return {**extra, **members}
    if "enum" in schema and schema["enum"] and draw(st.booleans()):
        return draw(st.sampled_from(schema["enum"]))
    return draw(VALUES)


def completed(schema: Any, value: Any) -> Any:
    """Give what must be there to what lacks it: a person would be asked for that."""
    if isinstance(value, list) and schema.get("items") == ITEM:
        return [completed(ITEM, item) for item in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    members = {key: completed(member, value[key]) for key, member in schema["properties"].items() if key in value}
    missing = {key: None for key in schema.get("required", []) if key in schema["properties"] and key not in value}
    return {**value, **members, **missing}


@settings(max_examples=400, deadline=None)
@given(st.data(), SCHEMAS)
def test_what_is_shown_and_posted_unchanged_is_the_same_to_the_last_bit(data: st.DataObject, schema: Any) -> None:
    value = completed(schema, fitting(schema, data.draw))
    form = form_of(schema, value)
    reading = read_form(form, posted_of(form))
    assert not reading.problems
    assert dump_json(reading.value) == dump_json(value)


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, st.dictionaries(st.sampled_from(["data", "data/a", "data/"]), st.lists(TEXTS, max_size=3)))
def test_anything_may_be_posted(schema: Any, posted: dict[str, list[str]]) -> None:
    form = form_of(schema)
    names = dict(zip([field.name for field in _leaves(form)], posted.values(), strict=False))
    reading = read_form(form, {**posted, **names})
    assert all(problem.pointer is not None for problem in reading.problems)


def _leaves(form: Field) -> list[Field]:
    return [leaf for field in form.fields for leaf in _leaves(field)] if form.fields else [form]
