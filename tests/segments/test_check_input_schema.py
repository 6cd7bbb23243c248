from typing import Any

import pytest

from segments.validation import validate
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

STRING = {"type": "string"}


def test_an_output_schema_is_held_to_the_same() -> None:
    assert judged(document({"a": {}}, output_schema={"type": "object"})) == []
    refused = judged(document({"a": {}}, output_schema={"type": "text"}))
    assert refused == [("SCHEMA_VIOLATION", "/output_schema/type")]
    assert judged(document({"a": {}}, output_schema=True)) == [("INVALID_TYPE", "/output_schema")]
    validation = validate(document({"a": {}}, output_schema={"type": "object"}), stand_in_catalog())
    assert validation.segment
    assert validation.segment.to_dict()["output_schema"] == {"type": "object"}


def found(schema: dict[str, Any]) -> list[tuple[str, str]]:
    return judged(document({"a": {}}, input_schema=schema))


def properties(**named: Any) -> dict[str, Any]:
    return {"type": "object", "properties": named}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        properties(pattern=STRING, patternProperties=STRING),
        properties(a={"enum": [{"pattern": "x"}], "default": {"$ref": "elsewhere"}}),
        {**properties(a={"$ref": "#/$defs/address"}), "$defs": {"address": {}}},
        {**properties(a={"$ref": "#/definitions/a"}), "definitions": {"a": {"$ref": "#/definitions/b"}, "b": STRING}},
        properties(tags={"type": "array", "items": STRING, "uniqueItems": True, "maxItems": 50}),
        properties(tags={"type": "array", "uniqueItems": False}),
        properties(tags={"type": "array", "uniqueItems": True}),
        properties(a={"pattern": r"^[A-Z]{2}\d{4}$"}, b={"pattern": "(a+)+$"}, c={"pattern": r"^\p{L}+$"}),
        {"patternProperties": {"^x-": {"type": "string"}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        {"$schema": "https://127.0.0.1:1/another", "type": "object"},
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        {"anyOf": [STRING, {"type": "null"}]},
        properties(**{f"a{n}": {"$ref": "#/$defs/a"} for n in range(20)}) | {"$defs": {"a": STRING}},
    ],
)
def test_accepts(schema: dict[str, Any]):
    assert found(schema) == []


@pytest.mark.parametrize(
    ("schema", "code", "pointer"),
    [
        ({"type": "text"}, "SCHEMA_VIOLATION", "/input_schema/type"),
        (properties(a={"minLength": "x"}), "SCHEMA_VIOLATION", "/input_schema/properties/a/minLength"),
        (properties(a={"minLength": "x" * 500}), "SCHEMA_VIOLATION", "/input_schema/properties/a/minLength"),
        (properties(a={"pattern": "("}), "NOT_AVAILABLE", "/input_schema/properties/a/pattern"),
        (properties(a={"pattern": "(?=a)b"}), "NOT_AVAILABLE", "/input_schema/properties/a/pattern"),
        ({"anyOf": [{"pattern": r"(a)\1"}]}, "NOT_AVAILABLE", "/input_schema/anyOf/0/pattern"),
        ({"patternProperties": {"a/(": {}}}, "NOT_AVAILABLE", "/input_schema/patternProperties/a~1("),
        (
            properties(a={"pattern": "(?:[01]{0,200}1[01]{200}){30}!"}),
            "NOT_AVAILABLE",
            "/input_schema/properties/a/pattern",
        ),
        (properties(**{f"a{n}": {"pattern": "a"} for n in range(51)}), "TOO_LARGE", "/input_schema"),
        ({"allOf": [{"unevaluatedProperties": False}] * 6}, "TOO_LARGE", "/input_schema"),
        ({"$id": "https://example.com/a"}, "NOT_AVAILABLE", "/input_schema/$id"),
        ({"$ref": "https://example.com/a"}, "NOT_AVAILABLE", "/input_schema/$ref"),
        ({"$ref": "#/$defs/a"}, "NOT_AVAILABLE", "/input_schema/$ref"),
        ({"$ref": "#"}, "NOT_AVAILABLE", "/input_schema/$ref"),
        ({"$ref": "#/$defs/b", "$defs": {"a": {}}}, "NOT_AVAILABLE", "/input_schema/$ref"),
        ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "NOT_AVAILABLE", "/input_schema"),
        (
            {"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}},
            "NOT_AVAILABLE",
            "/input_schema",
        ),
        (properties(**{f"a{n}": {"$ref": "#/$defs/a"} for n in range(21)}), "TOO_LARGE", "/input_schema"),
        (properties(a={"enum": ["x" * 70_000]}), "TOO_LARGE", "/input_schema"),
    ],
)
def test_refuses_what_reaches_out_or_runs_away(schema: dict[str, Any], code: str, pointer: str):
    assert found(schema) == [(code, pointer)]


def test_what_pydantic_writes_for_a_decimal_is_refused_with_what_to_write() -> None:
    def hint(pattern: str) -> str:
        schema = properties(price={"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]})
        (finding,) = validate(document({"a": {}}, input_schema=schema), stand_in_catalog()).findings
        assert finding.code == "NOT_AVAILABLE"
        return finding.hint or ""

    told = hint(r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$")
    assert r"`^[+-]?0*\d*\.?\d*$`" in told
    assert found(properties(price={"type": "string", "pattern": r"^[+-]?0*\d*\.?\d*$"})) == []
    assert "pydantic" not in hint("^(?!x)y$")


@pytest.mark.parametrize(
    ("schema", "pointer", "sentence", "hint"),
    [
        ({"type": ["string", "nul"]}, "/type/1", '"nul" is not a type', "did you mean `null`?"),
        ({"type": "nul"}, "/type", '"nul" is not a type', "did you mean `null`?"),
        ({"type": ["Strng", "null"]}, "/type/0", '"Strng" is not a type', "did you mean `string`?"),
        ({"type": "float"}, "/type", '"float" is not a type', "did you mean `number`?"),
        (properties(a={"type": ["text", "null"]}), "/properties/a/type/0", '"text" is not a type', "`string`?"),
        (properties(type={"type": "dict"}), "/properties/type/type", '"dict" is not a type', "did you mean `object`?"),
        (properties(type="string"), "/properties/type", '"string" is not a schema.', 'such as {"type": "string"}'),
        ({"items": ["string"]}, "/items", '["string"] is not a schema.', 'such as {"type": "string"}'),
        ({"items": [{"type": "string"}]}, "/items", "is not a schema.", "schemas by place are `prefixItems`"),
        ({"minimum": 0, "exclusiveMinimum": True}, "/exclusiveMinimum", "true is not", "in place of `minimum`"),
        ({"exclusiveMaximum": False}, "/exclusiveMaximum", "false is not", "write the bound itself in `exclusiveM"),
        ({"type": ["string", 5]}, "/type/1", "5 is not a type", ""),
        ({"type": []}, "/type", "names one at least", ""),
        ({"type": ["null", "null"]}, "/type", "A type is listed twice.", ""),
    ],
)
def test_a_type_that_is_none_is_told_at_its_place_with_the_one_that_was_meant(
    schema: dict[str, Any], pointer: str, sentence: str, hint: str
) -> None:
    assert found({"type": ["string", "null"]}) == []
    (finding,) = validate(document({"a": {}}, input_schema=schema), stand_in_catalog()).findings
    assert (finding.code, finding.pointer) == ("SCHEMA_VIOLATION", f"/input_schema{pointer}")
    assert sentence in finding.message
    assert hint in (finding.hint or "")


def test_a_wrong_type_hides_nothing_else_and_is_told_in_words() -> None:
    schema = properties(a={"type": "strng"}, b={"pattern": "("}, c={"$ref": "#/$defs/gone"}, d={"pattern": 7})
    assert sorted(found(schema)) == [
        ("NOT_AVAILABLE", "/input_schema/properties/b/pattern"),
        ("NOT_AVAILABLE", "/input_schema/properties/c/$ref"),
        ("SCHEMA_VIOLATION", "/input_schema/properties/a/type"),
        ("SCHEMA_VIOLATION", "/input_schema/properties/d/pattern"),
    ]
    validation = validate(document({"a": {}}, input_schema={"type": "strng"}), stand_in_catalog())
    (finding,) = validation.findings
    assert finding.message.endswith(
        '"strng" is not a type; there are array, boolean, integer, null, number, object, string.'
    )


NULLABLE = {"type": "string", "nullable": True}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (properties(a=NULLABLE), "/properties/a/nullable"),
        ({"anyOf": [NULLABLE, {"type": "integer"}]}, "/anyOf/0/nullable"),
        ({"items": STRING, "additionalItems": {"type": "null"}}, "/additionalItems"),
        ({"type": "integer", "divisibleBy": 5}, "/divisibleBy"),
        ({"type": "string", "nullable": False}, None),
        (properties(nullable={"type": "boolean"}), None),
        ({"type": "object", "example": {"nullable": True}, "default": {"nullable": True}}, None),
    ],
)
def test_a_keyword_of_another_draft_is_told_to_have_no_effect(schema: dict[str, Any], place: str | None) -> None:
    told = [] if place is None else [("KEYWORD_IGNORED", f"/input_schema{place}")]
    assert found(schema) == told
    output = validate(document({"a": {}}, output_schema=schema), stand_in_catalog())
    assert output.valid
    assert len(output.findings) == len(told)


@pytest.mark.parametrize(
    ("step", "config", "place"),
    [
        ("human_task", {"task_type": "input", "form": properties(a=NULLABLE)}, "/form/properties/a/nullable"),
        (
            "llm_agent",
            {"prompt": "x", "response_schema": properties(a=NULLABLE)},
            "/response_schema/properties/a/nullable",
        ),
        (
            "llm_agent",
            {
                "prompt": "x",
                "tools": [{"name": "t", "client_ref": "c", "path": "/", "parameters": properties(a=NULLABLE)}],
            },
            "/tools/0/parameters/properties/a/nullable",
        ),
    ],
)
def test_it_is_told_of_the_schemas_in_configs_too(step: str, config: dict[str, Any], place: str) -> None:
    codes = judged(document({f"a:{step}": config}))
    assert ("KEYWORD_IGNORED", f"/steps/0/config{place}") in codes
