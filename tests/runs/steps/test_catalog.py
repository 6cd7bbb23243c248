"""The public contract of the catalog, written down once more and held against what the models give."""

from typing import Any

import jsonschema
import pytest

from segments.catalog import CATEGORIES, Port
from tests.support.stand_in_catalog import document, judged, stand_in_catalog

TEXT = {"type": "string"}
ANY = ("any", True)
OBJECT = ("object", True)
ERROR = ("object", False)

# display name, description, category, icon, color
FACES = {
    "llm_agent": ("LLM Agent", "Execute LLM prompt with optional tools", "ai", "robot", "#4A90D9"),
    "http_action": ("HTTP Request", "Make HTTP request to external API", "integration", "globe", "#50C878"),
    "human_task": ("Human Task", "Request human input or approval", "human", "user", "#FF6B6B"),
    "condition": ("Condition", "Branch based on condition", "control", "git-branch", "#9B59B6"),
    "parallel_split": ("Parallel Split", "Execute multiple branches in parallel", "control", "git-fork", "#9B59B6"),
    "parallel_join": ("Parallel Join", "Wait for all parallel branches", "control", "git-merge", "#9B59B6"),
    "transform": ("Transform", "Transform data using expression", "data", "shuffle", "#F39C12"),
    "wait": ("Wait", "Wait for a time or a call", "control", "clock", "#9B59B6"),
    "fail": ("Fail", "End the run as failed", "control", "octagon-x", "#E74C3C"),
}
OURS = {"wait", "fail"}
"""Beside the seven; what they do not do is not offered."""

# The contract's config keys, exactly; then what is ours and optional; then what the card calls required, or the ways to
# give it.
CONFIGS: dict[str, tuple[dict[str, Any], set[str], list[Any]]] = {
    "llm_agent": (
        {
            "llm_ref": {**TEXT, "default": "default"},
            "prompt_template_id": TEXT,
            "temperature": {"type": "number", "default": 0.7, "minimum": 0, "maximum": 2},
            "max_tokens": {"type": "integer", "default": 1000, "minimum": 1},
        },
        {
            *("prompt", "system_prompt", "messages", "model", "top_p", "stop", "extra"),
            *("response_schema", "tools", "fallback", "budget", "on_circuit_open"),
        },
        ["llm_ref"],
    ),
    "http_action": (
        {
            "client_ref": TEXT,
            "method": {**TEXT, "enum": ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"], "default": "POST"},
            "path": TEXT,
            "headers": {"type": "object", "additionalProperties": TEXT},
            "retry_count": {"type": "integer", "default": 3, "minimum": 0},
        },
        {"url", "query", "body", "timeout_seconds", "accept_statuses", "select", "pagination"}
        | {"honours_idempotency_key", "on_circuit_open", "response_as", "response_headers"},
        [["client_ref", "path"], ["url"]],
    ),
    "human_task": (
        {
            "task_type": {**TEXT, "enum": ["approval", "input", "review", "choice"], "default": "approval"},
            "title": TEXT,
            "description": TEXT,
            "assignee_ref": TEXT,
            "timeout_hours": {"type": "number", "default": 24},
            "escalation_chain": {"type": "array", "items": TEXT},
        },
        {
            *("choices", "form", "candidate_groups", "quorum", "four_eyes", "priority", "reminder_hours"),
            "on_timeout",
        },
        ["task_type"],
    ),
    "condition": (
        {"expression": TEXT},
        {"field", "operator", "value", "true_branch", "false_branch"},
        [["expression"], ["field"]],
    ),
    "parallel_split": (
        {"branches": {"type": ["integer", "array"], "default": 2, "minimum": 2, "items": TEXT}},
        {"items"},
        [],
    ),
    "parallel_join": (
        {"merge_strategy": {**TEXT, "enum": ["all", "any", "first", "quorum"], "default": "all"}},
        {"count", "on_branch_failure"},
        [],
    ),
    "transform": ({"expression": TEXT, "mapping": {"type": "object", "additionalProperties": True}}, {"default"}, []),
    "wait": (
        {"seconds": {"type": "number", "exclusiveMinimum": 0, "maximum": 158_112_000}, "until": TEXT},
        {"call"},
        [],
    ),
    "fail": (
        {
            "code": {**TEXT, "pattern": "^[A-Z][A-Z0-9_]*$"},
            "message": TEXT,
            "details": {"type": "object", "additionalProperties": True},
        },
        set(),
        ["code"],
    ),
}

# by name: type, required
INPUTS = {
    "llm_agent": {"input": OBJECT},
    "http_action": {"body": OBJECT},
    "human_task": {"data": OBJECT},
    "condition": {"input": ANY},
    "parallel_split": {"input": ANY},
    "parallel_join": {"branch_1": ANY, "branch_2": ANY},
    "transform": {"input": ANY},
    "wait": {"input": ANY},
    "fail": {"input": ANY},
}
OUTPUTS = {
    "llm_agent": {"output": ("string", True), "truncated": ERROR, "error": ERROR},
    "http_action": {"response": OBJECT, "status": ("integer", True), "headers": ERROR, "error": ERROR},
    "human_task": {"approved": OBJECT, "rejected": OBJECT, "modified": OBJECT, "timeout": ERROR},
    "condition": {"true": ANY, "false": ANY, "error": ERROR},
    "parallel_split": {"branch_1": ANY, "branch_2": ANY},
    "parallel_join": {"output": ("array", True), "error": ERROR},
    "transform": {"output": ANY, "error": ERROR},
    "wait": {"output": ANY, "timeout": ERROR},
    "fail": {},
}
KEYS = {
    *("type_id", "version", "display_name", "description", "category", "icon", "color", "config_schema"),
    *("input_ports", "output_ports", "supports_retry", "supports_timeout", "supports_parallel", "is_async"),
    *("docs_url", "examples"),
}


def test_exports_the_catalog_as_canvases_read_it():
    exported = stand_in_catalog().export_for_ui()
    assert exported["version"] == "1.0"
    assert exported["categories"] == ["ai", "data", "integration", "control", "human", "utility"] == list(CATEGORIES)
    assert set(exported["types"]) == set(FACES)


@pytest.mark.parametrize("type_id", FACES)
def test_each_card_has_its_face(type_id: str):
    card = stand_in_catalog()[type_id].card()
    assert set(card) == KEYS
    shown = (card["display_name"], card["description"], card["category"], card["icon"], card["color"])
    assert shown == FACES[type_id]
    assert (card["type_id"], card["version"]) == (type_id, "1.0")
    assert card["supports_retry"] is card["supports_timeout"] is (type_id not in OURS)
    assert card["is_async"] is True
    assert card["supports_parallel"] is (type_id == "parallel_split")


@pytest.mark.parametrize("type_id", CONFIGS)
def test_each_config_has_its_keys_types_defaults_and_bounds(type_id: str):
    keys, ours, required = CONFIGS[type_id]
    schema = stand_in_catalog()[type_id].card()["config_schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    properties = {
        key: {word: value for word, value in found.items() if word != "description"}
        for key, found in schema["properties"].items()
    }
    assert {key: found for key, found in properties.items() if key not in ours} == keys
    assert set(properties) == {*keys, *ours}
    ways = [way["required"] for way in schema.get("anyOf", ())]
    assert (ways or schema.get("required", [])) == required
    assert (schema["type"], schema["additionalProperties"]) == ("object", True)


@pytest.mark.parametrize(
    ("type_id", "config", "flaw"),
    [
        ("http_action", {"url": "https://shop.example/orders", "method": "GET"}, {"method": "GET"}),
        ("http_action", {"client_ref": "crm", "path": "/x"}, {"client_ref": "crm"}),
        ("condition", {"field": "input.total", "operator": "gt", "value": 5}, {"operator": "gt", "value": 5}),
        ("condition", {"expression": "input.total > 5"}, {}),
        ("parallel_split", {"branches": ["mail", "letter"]}, {"branches": [1, 2]}),
        ("parallel_split", {"branches": 3}, {"branches": 1}),
    ],
)
def test_a_form_made_of_the_card_takes_what_the_platform_takes(type_id: str, config: Any, flaw: Any):
    step_type = stand_in_catalog()[type_id]
    form = jsonschema.Draft202012Validator(step_type.card()["config_schema"])
    for given, is_taken in ((config, True), (flaw, False)):
        assert form.is_valid(given) is is_taken
        assert (judged(document({"a": {}, f"b:{type_id}": given}, ["a -> b"]), "error") == []) is is_taken


@pytest.mark.parametrize("type_id", OUTPUTS)
def test_each_card_has_its_ports(type_id: str):
    card = stand_in_catalog()[type_id].card()
    for side, expected in (("input_ports", INPUTS), ("output_ports", OUTPUTS)):
        ports = card[side]
        assert {port["name"]: (port["type"], port["required"]) for port in ports} == expected[type_id]
        assert all(set(port) == {"name", "type", "description", "required"} for port in ports)
    assert stand_in_catalog()[type_id].primary_port == next(iter(OUTPUTS[type_id]), "")


@pytest.mark.parametrize("type_id", CONFIGS)
def test_each_example_is_a_valid_config(type_id: str):
    step_type = stand_in_catalog()[type_id]
    for example in step_type.examples:
        step_type.config.model_validate(example)


def test_a_port_shows_its_default_and_schema_only_when_set():
    assert Port("a", default=1, schema={"type": "integer"}).to_dict()["default"] == 1
    assert "schema" in Port("a", schema={"type": "integer"}).to_dict()
