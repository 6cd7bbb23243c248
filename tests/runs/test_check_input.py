"""Checking of an input against a schema: what is told, what is never fetched."""

from typing import Any

import pytest

from runs.errors import InputRefused, InputSchemaUnusable
from runs.inputs import MAX_FINDINGS, check_input


def test_references_inside_the_schema_work() -> None:
    schema: dict[str, Any] = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    check_input(1, schema=schema)
    with pytest.raises(InputRefused) as refused:
        check_input("x", schema=schema)
    (item,) = refused.value.errors
    assert (item.pointer, item.code) == ("/input", "INPUT_TYPE")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:1/schema.json"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#"},
        {"type": "no type"},
    ],
)
def test_a_schema_that_reaches_out_or_goes_in_circles_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InputSchemaUnusable):
        check_input({}, schema=schema)


def test_findings_are_bounded_and_never_quote_the_value() -> None:
    with pytest.raises(InputRefused) as refused:
        check_input(["secret"] * 500, schema={"items": {"type": "integer"}})
    assert len(refused.value.errors) == MAX_FINDINGS
    assert not any("secret" in item.detail for item in refused.value.errors)
