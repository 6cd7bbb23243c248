"""What a step says of its models is judged when the segment is saved, as far as it is known then."""

from typing import Any

import pytest

from runs.steps.llm_agent import LlmAgent
from segments.validation import validate
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

PARAMETERS = {"type": "object", "required": ["no"], "properties": {"no": {"type": "string"}}}
TOOL = {"name": "look_up", "client_ref": "shop", "path": "/orders/{no}", "parameters": PARAMETERS}
FULL: dict[str, Any] = {
    "llm_ref": "main",
    "prompt": "What?",
    "response_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
    "tools": [TOOL],
    "fallback": ["other", {"llm_ref": "third", "model": "m", "on": ["error", "budget"]}],
    "budget": {"tokens": 5_000, "cost": 0.5},
}


def found(config: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (code, pointer.removeprefix("/steps/0/config"))
        for code, pointer in judged(document({"ask:llm_agent": config}), "error", "warning")
    ]


def test_all_of_it_together_is_fine() -> None:
    assert found(FULL) == []


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"llm_ref": "gpt4"},
        {"model": "gpt-4", "system_prompt": "Analyze the data"},
        {"prompt": "", "prompt_template_id": "letter", "model": "", "tools": [], "fallback": [], "budget": {}},
        {"prompt_template_id": "", "prompt": "x"},
        {"prompt_template_id": "letter@12"},
        {"prompt_template_id": "{{ input.which }}"},
        {"response_schema": "{{ input.schema }}"},
        {"tools": [{**TOOL, "path": "/{{ run.id }}/x"}]},
        {"tools": [{**TOOL, "path": "/orders", "parameters": {"type": "object"}}]},
    ],
)
def test_what_canvases_write_is_taken(config: dict[str, Any]) -> None:
    assert found({"llm_ref": "main", **config}) == []


@pytest.mark.parametrize(
    ("flaw", "pointer"),
    [
        ({"prompt_template_id": "letter"}, ""),
        ({"prompt": None, "prompt_template_id": "Letter"}, "/prompt_template_id"),
        ({"prompt": None, "prompt_template_id": "letter@0"}, "/prompt_template_id"),
        ({"temperature": 2.1}, "/temperature"),
        ({"max_tokens": 0}, "/max_tokens"),
        ({"response_schema": []}, "/response_schema"),
        ({"response_schema": {"type": "objekt"}}, "/response_schema/type"),
        ({"response_schema": {"pattern": "(?=a)b"}}, "/response_schema/pattern"),
        ({"response_schema": {"$ref": "https://evil.example/schema"}}, "/response_schema/$ref"),
        ({"tools": [TOOL] * 2}, ""),
        ({"tools": [{**TOOL, "name": f"t{number}"} for number in range(21)]}, "/tools"),
        ({"tools": [{**TOOL, "name": "look up"}]}, "/tools/0/name"),
        ({"tools": [{**TOOL, "methods": "GET"}]}, "/tools/0/methods"),
        ({"tools": [{**TOOL, "method": "TRACE"}]}, "/tools/0/method"),
        ({"tools": [{**TOOL, "url": "https://evil.example"}]}, "/tools/0/url"),
        ({"tools": [{**TOOL, "parameters": {"type": "array"}}]}, "/tools/0"),
        ({"tools": [{**TOOL, "parameters": {**PARAMETERS, "required": []}}]}, "/tools/0"),
        ({"tools": [{**TOOL, "parameters": {**PARAMETERS, "properties": {"no": {"type": "object"}}}}]}, "/tools/0"),
        ({"tools": ["search"]}, "/tools/0"),
        ({"fallback": ["a"] * 6}, "/fallback"),
        ({"fallback": [{"model": "m"}]}, "/fallback/0"),
        ({"fallback": [{"llm_ref": "a", "on": ["rain"]}]}, "/fallback/0/on/0"),
        ({"fallback": [{"llm_ref": "a", "on": []}]}, "/fallback/0/on"),
        ({"budget": {"tokens": 0}}, "/budget/tokens"),
        ({"budget": {"cost": -1}}, "/budget/cost"),
        ({"budget": {"token": 5}}, "/budget/token"),
        ({"budget": 5}, "/budget"),
    ],
)
def test_a_flaw_is_told_where_it_is(flaw: dict[str, Any], pointer: str) -> None:
    assert found(FULL) == []
    assert [place for _, place in found({**FULL, **flaw})] == [pointer]


def test_a_key_that_is_missing_inside_is_named() -> None:
    flawed = document({"ask:llm_agent": {**FULL, "fallback": [{"model": "m"}]}})
    (finding,) = [one for one in validate(flawed, stand_in_catalog()).findings if one.severity == "error"]
    assert (finding.code, "llm_ref" in finding.message) == ("MISSING_FIELD", True)


def test_the_card_says_what_goes_inside() -> None:
    schema = LlmAgent.step_type.card()["config_schema"]
    fallback = schema["properties"]["fallback"]
    assert fallback["maxItems"] == 5
    assert {"type": "string"} in fallback["items"]["anyOf"]
    assert schema["$defs"]["AgentBudget"]["properties"]["cost"]["type"] == "number"
    parts = [part for name, part in schema["$defs"].items()]
    assert all(part["additionalProperties"] is False for part in parts)
    described = [key for part in (schema, *parts) for key in part["properties"].values()]
    assert all(key["description"] for key in described)
