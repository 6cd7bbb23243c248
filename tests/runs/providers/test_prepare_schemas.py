"""A schema is prepared for services, and the answer read back."""

import json
from typing import Any

import pytest

from runs.providers.model_json import answer_schema, read_arguments
from runs.providers.tokens import counted, estimate_input, estimate_tokens
from runs.step_api.language_models import CompletionRequest, Message, Tool, ToolCall

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "is_strict"),
    [
        (CLOSED, True),
        (CLOSED | {"properties": {"a": CLOSED}}, True),
        (CLOSED | {"properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        (CLOSED | {"properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}}, True),
        (CLOSED | {"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": CLOSED}}, True),
        ({"type": "string", "enum": ["x"]}, True),
        (CLOSED | {"required": []}, False),
        (CLOSED | {"additionalProperties": True}, False),
        (CLOSED | {"anyOf": [CLOSED]}, False),
        (CLOSED | {"allOf": [CLOSED]}, False),
        (CLOSED | {"properties": {"a": {"type": "object"}}}, False),
        (CLOSED | {"properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}}}, False),
        (CLOSED | {"properties": {"a": {"anyOf": [{"type": "string", "minLength": 1}]}}}, False),
        (CLOSED | {"$defs": {"b": {"type": "object"}}}, False),
        (CLOSED | {"properties": {"a": True}}, False),
        (CLOSED | {"required": [["a"]]}, False),
    ],
)
def test_strictness_is_for_closed_schemas_of_known_words(schema: dict[str, Any], *, is_strict: bool) -> None:
    assert answer_schema(schema).is_strict is is_strict


@pytest.mark.parametrize(
    ("schema", "text", "read"),
    [
        (CLOSED, '{"a": "x"}', '{"a": "x"}'),
        (CLOSED, '```json\n{"a": "x"}\n```', '{"a": "x"}'),
        (CLOSED, '```\n{"a": "x"}\n```\n', '{"a": "x"}'),
        (CLOSED, "no json", "no json"),
        ({"type": "integer"}, '{"answer": 7}', "7"),
        ({"type": "integer"}, "7", "7"),
        ({"type": "integer"}, "seven", "seven"),
        ({"type": "integer"}, '{"other": 7}', '{"other": 7}'),
    ],
)
def test_an_answer_is_read_without_what_was_put_around_it(schema: dict[str, Any], text: str, read: str) -> None:
    assert answer_schema(schema).read(text) == read


def test_references_of_a_wrapped_schema_still_lead_somewhere() -> None:
    schema = {"$id": "x", "type": "array", "items": {"$ref": "#/$defs/b"}, "$defs": {"b": CLOSED}}

    wrapped = answer_schema(schema).schema

    assert wrapped["$defs"] == {"b": CLOSED}
    assert wrapped["properties"] == {"answer": {"type": "array", "items": {"$ref": "#/$defs/b"}}}
    assert json.dumps(wrapped) in answer_schema(schema).instruction.replace('":', '": ').replace(",", ", ")


@pytest.mark.parametrize(
    ("written", "read"), [("", {}), (" ", {}), ("{}", {}), ('{"a":1}', {"a": 1}), ("{", "{"), ({"a": 1}, {"a": 1})]
)
def test_arguments_are_read_where_they_can_be(written: Any, read: Any) -> None:
    assert read_arguments(written) == read


def test_tokens_are_guessed_from_all_that_is_sent() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("abcde") == 2
    assert estimate_tokens("\ud800" * 4) > 0
    said = CompletionRequest("m", [Message("user", "x" * 400)])
    more = CompletionRequest(
        "m",
        [Message("user", "x" * 400), Message("assistant", tool_calls=(ToolCall("1", "look", {"a": "y" * 40}),))],
        tools=[Tool("look", "z" * 40, CLOSED)],
        response_schema=CLOSED,
    )
    assert estimate_input(said) == 104
    assert estimate_input(more) > 160


@pytest.mark.parametrize("told", [(None, 1), (1, None), ("one", 1), (1.5, 1), (0, 5), (5, -1)])
def test_a_count_that_cannot_be_is_none(told: tuple[Any, Any]) -> None:
    assert counted(5, 0) is not None
    assert counted(*told) is None
