"""JSON Schemas that others bring along: what they say of values, what that may take, and that nothing is fetched."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from kernel.compute import shared
from kernel.compute.errors import ComputeLimit
from kernel.compute.pool import ComputePool
from kernel.compute.slot import ProcessBounds
from kernel.schemas import SchemaUnusable, Violation, compiled, quick_violations, violations_in, violations_in_async
from kernel.schemas.compiled import MAX_KEPT_BYTES, _kept
from kernel.schemas.validation import FUNCTION
from kernel.schemas.violations import MAX_SCHEMA
from kernel.schemas.violations import violations as violations_at_leisure
from kernel.types import Json
from tests.support.best_tries import quick_once
from tests.support.http_server import Answer, CountingServer

Schema = dict[str, Any]


def violations(value: Any, schema: Mapping[str, Any], *, formats: bool = False) -> list[Violation]:
    found = quick_violations(value, schema, formats=formats)
    assert found is not None, "quick to tell"
    return found


def places(value: Any, schema: Mapping[str, Any]) -> set[tuple[str, tuple[Any, ...]]]:
    return {(violation.keyword, violation.path) for violation in violations(value, schema)}


def places_by_reference(value: Any, schema: Mapping[str, Any]) -> set[tuple[str, tuple[Any, ...]]]:
    """What the reference implementation in Python says; of a union, about the one schema of the value's kind."""
    found = [inner for error in Draft202012Validator(schema).iter_errors(value) for inner in inside_unions(error)]
    return {("false" if error.validator is None else error.validator, tuple(error.absolute_path)) for error in found}


def inside_unions(error: ValidationError) -> list[ValidationError]:
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context or []:
        branch = next(iter(inner.relative_schema_path), None)  # `false` has none
        branches.setdefault(branch, []).append(inner)
    fitting = [
        branch
        for branch in branches.values()
        if not any(
            (inner.validator == "type" and not inner.relative_path)
            or (inner.validator == "const" and len(inner.relative_path) <= 1)
            for inner in branch
        )
    ]
    if len(fitting) != 1:
        return [error]
    return [found for inner in fitting[0] for found in inside_unions(inner)]


@pytest.fixture
def small_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ComputePool]:
    """A pool with less memory than an attack takes."""
    pool = ComputePool(
        {FUNCTION: "kernel.schemas.validation:violations_in_bytes"}, ProcessBounds(seconds=5.0, memory_bytes=256 << 20)
    )
    monkeypatch.setattr(shared, "_pool", pool)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"required": ["a", "b"]}, {"b": 1}),
        ({"type": ["integer", "null"]}, "x"),
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, True),
        ({"enum": [1, "a"]}, 2),
        ({"enum": [1]}, 1.0),
        ({"enum": [True]}, 1),
        ({"const": 0}, False),
        ({"const": {"a": [1]}}, {"a": [1.0]}),
        ({"minimum": 5}, 1),
        ({"exclusiveMaximum": 5}, 5),
        ({"multipleOf": 3}, 7),
        ({"minLength": 3}, "aé"),
        ({"maxLength": 1}, "😀"),
        ({"minItems": 2}, [1]),
        ({"uniqueItems": True}, [1, 1.0]),
        ({"uniqueItems": True}, [1, True, {"a": 1}, {"a": True}]),
        ({"minProperties": 2}, {"a": 1}),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"b": 1, "c": 2}),
        ({"additionalProperties": {"type": "string"}}, {"a/b~c": 1}),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}),
        ({"patternProperties": {"^a": {"type": "string"}}}, {"ab": 1, "b": 1}),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}),
        ({"dependentSchemas": {"a": {"required": ["z"]}}}, {"a": 1}),
        ({"contains": {"type": "integer"}}, ["a"]),
        ({"contains": {"type": "integer"}, "maxContains": 1}, [1, 2]),
        ({"contains": {"type": "integer"}, "minContains": 2}, [1]),
        ({"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"type": "string"}}, 1),
        ({"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"type": "string"}}, None),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 1),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, 5),
        ({"oneOf": [{"type": "object", "required": ["a"]}, {"type": "null"}, {"type": "string"}]}, {"b": 1}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1),
        ({"not": {"type": "integer"}}, 5),
        ({"unevaluatedProperties": False, "allOf": [{"properties": {"a": {}}}]}, {"a": 1, "b": 2}),
        ({"unevaluatedItems": False, "prefixItems": [{}]}, [1, 2]),
        ({"items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer", "maximum": 2}}}, ["x", 3, 1]),
        ({"properties": {"a": {"items": {"properties": {"b": {"type": "null"}}}}}}, {"a": [{"b": 1}, {"b": None}]}),
        ({"minLength": 2.0}, "a"),
        ({"contentEncoding": "base64", "contentMediaType": "application/json"}, "%%%"),
        ({"nullable": True, "type": "string"}, None),
        ({"format": "date"}, "not checked for inputs"),
        ({"$schema": "https://127.0.0.1:1/another", "type": "string"}, 1),
        ({"pattern": "^[a-z]+$"}, "A"),
    ],
)
def test_says_what_the_reference_says(schema: Schema, value: Any) -> None:
    assert places(value, schema) == places_by_reference(value, schema)


SCALARS = st.none() | st.booleans() | st.integers(-4, 4) | st.sampled_from(["", "a", "ab", "é", 1.5, 2.0])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=8,
)
COUNTS = st.integers(0, 3)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])


def schemas_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    several = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "const": VALUES,
            "minimum": COUNTS,
            "exclusiveMaximum": COUNTS,
            "multipleOf": st.sampled_from([1, 2, 3]),
            "minLength": COUNTS,
            "maxItems": COUNTS,
            "uniqueItems": st.booleans(),
            "required": st.lists(st.sampled_from(["a", "b"]), unique=True),
            "properties": members,
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": several,
            "contains": inner,
            "anyOf": several,
            "allOf": several,
            "oneOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
        },
    )


SCHEMAS = st.recursive(st.booleans() | st.just({}), schemas_of, max_leaves=6).filter(
    lambda schema: schema not in (True, False)
)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, VALUES)
def test_finds_a_value_good_or_bad_as_the_reference_does(schema: Schema, value: Any) -> None:
    assert bool(violations(value, schema)) == bool(places_by_reference(value, schema))


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        ({"multipleOf": 0.01}, 19.99, True),  # decimal, as people count; the reference takes binary fractions
        ({"pattern": "^a$"}, "a\n", False),  # as ECMA-262 has it, which JSON Schema names; not as Python has it
        ({"pattern": r"^\d$"}, "٣", False),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, False),  # of earlier drafts; the reference ignores it
    ],
)
def test_differs_from_the_reference_where_the_standard_is_clearer(schema: Schema, value: Any, fits: bool) -> None:
    assert (violations(value, schema) == []) is fits
    assert (places_by_reference(value, schema) == set()) is not fits


def test_a_reference_to_elsewhere_is_never_fetched() -> None:
    with CountingServer() as elsewhere:
        elsewhere.route("GET", "/schema.json", Answer(body={"type": "integer"}))
        schema = {"$ref": f"{elsewhere.url}/schema.json"}
        assert not jsonschema_rs.Draft202012Validator(schema).is_valid("x"), "left alone, the library fetches it"
        fetched = len(elsewhere.calls)
        assert fetched == 1
        for reaching in (
            schema,
            {"$id": f"{elsewhere.url}/a/", "$ref": "../schema.json"},
            {"properties": {"a": {"anyOf": [schema]}}},
            {"$dynamicRef": f"{elsewhere.url}/schema.json#a"},
            {"$schema": f"{elsewhere.url}/schema.json", "properties": {"a": schema}},
        ):
            with pytest.raises(SchemaUnusable):
                quick_violations("x", reaching)
        violations("x", {"$schema": f"{elsewhere.url}/schema.json"})
        assert len(elsewhere.calls) == fetched


def test_a_schema_is_compiled_once_while_it_is_in_use_and_what_is_kept_is_bounded() -> None:
    schema = {"properties": {"once": {"type": "integer"}}}
    first = compiled(schema, formats=False)
    assert compiled(json.loads(json.dumps(schema)), formats=False) is first
    assert compiled(schema, formats=True) is not first
    for number in range(300):
        compiled({"enum": [number, "x" * 60_000]}, formats=False)
    assert 0 < _kept.weight <= MAX_KEPT_BYTES
    assert compiled(schema, formats=False) is not first


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "(a+)+$"}, "a" * 20_000 + "b"),
        ({"pattern": "(?:[01]*1[01]{100}){9}!"}, "0110" * 2_500),
        ({"uniqueItems": True}, [{"a": number} for number in range(10_000)]),
        ({"items": {"allOf": [{"minimum": number} for number in range(30)]}}, [50] * 4_000),
    ],
)
def test_what_took_others_seconds_takes_milliseconds(schema: Schema, value: Any) -> None:
    quick_once(lambda: quick_violations(value, schema), seconds=0.05)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"anyOf": [{"const": str(number)} for number in range(300)]}}, ["299"] * 300),
        ({"items": {"pattern": "^[a-z]{1,200}$"}}, ["a" * 40] * 300),
        ({"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "integer"}}}, ["x"] * 5_000),
        ({"properties": {"a": {"enum": ["x" * MAX_SCHEMA, "a"]}}}, {"a": "a"}),
    ],
)
async def test_what_may_be_slow_is_judged_in_the_pool_with_the_same_answer(schema: Schema, value: Any) -> None:
    assert quick_violations(value, schema) is None
    wanted = [Violation(one.keyword, one.path, one.bound) for one in violations_in("acme", value, schema)]
    assert await violations_in_async("acme", value, schema) == wanted
    reference = places_by_reference(value, schema)
    assert {(violation.keyword, violation.path) for violation in wanted} <= reference
    assert bool(wanted) == bool(reference)


def test_a_schema_that_cannot_be_applied_is_told_by_the_pool_as_well() -> None:
    with pytest.raises(SchemaUnusable):
        violations_in("acme", 1, {"$ref": "#/$defs/nowhere", "enum": ["x" * MAX_SCHEMA]})


def test_a_value_that_would_fill_the_memory_ends_at_its_bound(small_pool: ComputePool) -> None:
    text = "x" * 1_000_000
    found = violations_in("acme", text, {"allOf": [{"type": "integer"}] * 3})
    assert [violation.keyword for violation in found] == ["type"], "what breaks equal rules is told once"
    with pytest.raises(ComputeLimit):
        violations_in("acme", text, {"allOf": [{"type": "integer"}] * 1_000})
    assert violations_in("acme", text, {"maxLength": 10})[0].sentence == "This may have at most 10 characters."


def test_sentences_name_the_rule_and_never_the_value() -> None:
    schema = {
        "properties": {
            "a": {"type": ["string", "null"]},
            "b": {"minLength": 1},
            "c": {"pattern": "^x"},
            "d": False,
            "e": {"enum": [1]},
            "f": {"multipleOf": 5},
        },
        "required": ["g"],
    }
    found = violations({"a": 4711, "b": "", "c": "secret", "d": "secret", "e": "secret", "f": 4711}, schema)
    assert {violation.sentence for violation in found} == {
        "This must be of the type null or string.",
        "This may not be empty.",
        "This does not match the `pattern` of the schema.",
        "No value is allowed here.",
        "This is not one of the allowed values.",
        "This must be a multiple of 5.",
        "The member `g` is missing.",
    }


LARGE = "9007199254740993"


@pytest.mark.parametrize(
    ("schema", "value", "found"),
    [
        ({"type": "integer"}, LARGE, []),
        ({"type": "integer"}, "-" + LARGE, []),
        ({"type": "integer"}, "9" * 400, []),
        ({"type": ["integer", "null"]}, LARGE, []),
        ({"type": "number"}, LARGE, []),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, LARGE, []),
        ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [LARGE, 1, LARGE]}, []),
        ({"items": {"type": "integer"}}, [LARGE] * 200, []),
        ({"type": "string"}, LARGE, []),
        ({"type": "number"}, "12345678901234567.89", []),
        ({"type": "number", "maximum": 100}, "12345678901234567.89", ["maximum"]),
        ({"type": "integer"}, "12345678901234567.89", ["type"]),
        ({"type": "number"}, "12345678901234567.80", ["type"]),
        ({"type": "number"}, "12345.5", ["type"]),
        ({"type": "integer"}, "9007199254740992", ["type"]),
        ({"type": "integer"}, "0" + LARGE, ["type"]),
        ({"type": "integer"}, LARGE + "\n", ["type"]),
        ({"type": "boolean"}, LARGE, ["type"]),
        ({"type": "integer", "maximum": 100}, LARGE, ["maximum"]),
        ({"items": {"type": "integer"}}, [LARGE, "x"], ["type"]),
    ],
)
def test_digits_beyond_2_to_the_53_are_an_integer_where_one_is_asked_for(
    schema: dict[str, Json], value: Json, found: list[str]
) -> None:
    assert [violation.keyword for violation in violations_at_leisure(value, schema)] == found
    quick = quick_violations(value, schema)
    assert quick is None or [violation.keyword for violation in quick] == found
