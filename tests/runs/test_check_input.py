"""Checking of an input against a schema: what is told, what is never fetched."""

from typing import Any

import pytest

from kernel.schemas import MAX_VIOLATIONS
from runs.errors import InputRefused, InputSchemaUnusable
from runs.inputs import check_input


def test_references_inside_the_schema_work() -> None:
    schema: dict[str, Any] = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    check_input("acme", 1, schema=schema)
    with pytest.raises(InputRefused) as refused:
        check_input("acme", "x", schema=schema)
    (item,) = refused.value.errors
    assert (item.pointer, item.code) == ("/input", "INPUT_TYPE")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "#/$defs/nowhere"},
        {"type": "no type"},
    ],
)
def test_a_schema_that_reaches_out_or_goes_in_circles_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InputSchemaUnusable):
        check_input("acme", {}, schema=schema)


def test_findings_are_bounded_and_never_quote_the_value() -> None:
    with pytest.raises(InputRefused) as refused:
        check_input("acme", ["secret"] * 500, schema={"items": {"type": "integer"}})
    assert len(refused.value.errors) == MAX_VIOLATIONS
    assert not any("secret" in item.detail for item in refused.value.errors)


def test_what_is_missing_of_one_object_is_one_finding_and_every_place_has_its_own() -> None:
    schema: dict[str, Any] = {
        "required": ["a", "b"],
        "properties": {"list": {"items": {"properties": {"a/b": {"type": ["integer", "null"]}}, "required": ["a/b"]}}},
    }
    check_input("acme", {"a": 1, "b": 2, "list": [{"a/b": 3}]}, schema=schema)
    with pytest.raises(InputRefused) as refused:
        check_input("acme", {"list": [{}, {"a/b": "x"}]}, schema=schema)
    assert {(item.pointer, item.code, item.detail) for item in refused.value.errors} == {
        ("/input", "INPUT_REQUIRED", "Members are missing: `a`, `b`."),
        ("/input/list/0", "INPUT_REQUIRED", "The member `a/b` is missing."),
        ("/input/list/1/a~1b", "INPUT_TYPE", "This must be of the type integer or null."),
    }
