"""What people bring along from another tool is recognised, and its words are told in ours."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import Customer
from tests.support.stand_in_catalog import document

pytestmark = pytest.mark.django_db

Api = Callable[[Customer], APIClient]
POINT = {"x": 0, "y": 0}
MODULE = {"id": 1, "module": "http:ActionSendData", "version": 3, "parameters": {}, "mapper": {"url": "https://x"}}
GRAPH: dict[str, Any] = {
    "nodes": [{"id": "1", "type": "custom", "data": {"type": "start"}, "position": POINT}],
    "edges": [{"id": "e1", "source": "1", "target": "2"}],
    "viewport": {**POINT, "zoom": 1},
}
WIRED = {"id": "b2", "type": "http request", "z": "a1", "name": "", **POINT, "wires": [["c3"]]}
NODES = [{"name": "Start", "type": "n8n-nodes-base.webhook", "typeVersion": 1, "position": [0, 0], "parameters": {}}]
STATES = {"First": {"Type": "Task", "Resource": "arn:aws:lambda:x", "Next": "Last"}, "Last": {"Type": "Succeed"}}
LOGIC = {"$schema": "https://schema.management.azure.com/x", "contentVersion": "1.0.0.0", "triggers": {}, "actions": {}}
EXPORTS: list[tuple[str, Any, str, str]] = [
    ("Make", {"name": "Orders", "flow": [MODULE], "metadata": {"version": 1}}, "/steps", "docs/howto/make.md"),
    ("Make", {"blueprint": {"name": "Orders", "flow": [MODULE]}}, "/steps", "each module of `flow`"),
    (
        "Dify",
        {"app": {"mode": "workflow"}, "kind": "app", "version": "0.3.0", "workflow": {"graph": GRAPH}},
        "/steps",
        "each node of `workflow.graph`",
    ),
    ("Langflow", {"name": "Chat", "data": GRAPH, "is_component": False}, "/steps", "each node of `data.nodes`"),
    ("Node-RED", [{"id": "a1", "type": "tab", "label": "Flow"}, WIRED], "", "each wire as an edge"),
    ("Node-RED", {"rev": "1", "flows": [{"id": "a1", "type": "tab"}, WIRED]}, "/steps", "each node with `wires`"),
    ("Amazon States Language", {"Comment": "x", "StartAt": "First", "States": STATES}, "/steps", "as `entrypoint`"),
    ("Power Automate or Logic Apps", {"definition": LOGIC}, "/steps", "`runAfter`"),
    ("n8n or React Flow", {"name": "Orders", "nodes": NODES, "connections": {}}, "/steps", "docs/howto/n8n.md"),
    ("n8n or React Flow", [{"name": "Orders", "nodes": NODES, "connections": {}}], "", "each connection as an edge"),
    ("n8n or React Flow", GRAPH, "/steps", "each node as a step"),
]


def validated(client: APIClient, segment: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/v1/segments/validate", segment)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["findings"]
    return found


@pytest.mark.parametrize(("tool", "export", "pointer", "advice"), EXPORTS)
def test_an_export_is_told_by_its_tool_s_name_and_by_nothing_else(
    acme: Customer, api: Api, *, tool: str, export: Any, pointer: str, advice: str
) -> None:
    client = api(acme)
    (found,) = validated(client, export)
    assert (found["severity"], found["pointer"]) == ("error", pointer)
    assert f"looks like an export of {tool}. Nothing else was checked." in found["message"]
    assert f"an export of {tool} is not read as it is: write each" in found["hint"]
    assert advice in found["hint"]
    if isinstance(export, dict):
        saved = client.put("/api/v1/segments/orders", export)
        assert (saved.status_code, tool in saved.json()["detail"]) == (422, True)
        run = client.post("/api/v1/runs", {"segment": export})
        assert (run.status_code, tool in run.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    "more",
    [{"flow": [MODULE]}, {"data": GRAPH}, {"workflow": {"graph": GRAPH}}, {"States": STATES}, {"nodes": NODES}],
)
def test_what_has_steps_is_a_segment_whatever_stands_beside_them(
    acme: Customer, api: Api, more: dict[str, Any]
) -> None:
    (found,) = validated(api(acme), document({"a:transform": {"expression": "input"}}, **more))
    assert (found["code"], found["pointer"]) == ("UNKNOWN_FIELD", f"/{next(iter(more))}")


def test_what_is_no_export_is_told_what_is_missing(acme: Customer, api: Api) -> None:
    client = api(acme)
    for plain in ({}, {"edges": []}, {"flow": "x"}, {"data": {"nodes": 1}}, {"workflow": {}}, {"definition": {}}):
        found = validated(client, plain)
        assert ("/steps", "'steps' is missing.") in [(one["pointer"], one["message"]) for one in found], plain
        assert {"/segment_id", "/name"} <= {one["pointer"] for one in found}
    for no_segment in ([], [1], [{"wires": 1}]):
        assert [one["message"] for one in validated(client, no_segment)] == ["A segment is an object, not a list."]


@pytest.mark.parametrize(
    ("key", "hint"), [("nodes", "use `steps`"), ("States", "use `steps`"), ("StartAt", "use `entrypoint`")]
)
def test_a_key_of_another_tool_beside_steps_is_told_in_our_words(acme: Customer, api: Api, key: str, hint: str) -> None:
    (found,) = validated(api(acme), document({"a:transform": {"expression": "input"}}, **{key: "x"}))
    assert (found["code"], found["pointer"], found["hint"]) == ("UNKNOWN_FIELD", f"/{key}", hint)


@pytest.mark.parametrize(
    ("type_id", "hint"),
    [
        *(
            (name, "call the service's API with `http_action`")
            for name in ("email", "Send Email", "e-mail", "n8n-nodes-base.emailSend", "gmail:ActionSendEmail", "slack")
        ),
        ("postgres", "no step reads databases"),
        ("http:ActionSendData", "use `http_action`"),
        ("builtin:BasicRouter", "use `condition`"),
        ("Choice", "use `condition`"),
        ("Pass", "use `transform`"),
        ("Succeed", "no step is needed"),
        ("inject", "no step is needed"),
        ("fial", "did you mean `fail`?"),
    ],
)
def test_a_step_type_of_another_tool_is_told_what_does_its_work(
    acme: Customer, api: Api, type_id: str, hint: str
) -> None:
    segment = document({"a:transform": {"expression": "input"}})
    assert validated(api(acme), segment) == []
    segment["steps"][0]["type"] = type_id
    (found,) = validated(api(acme), segment)
    assert (found["code"], found["pointer"]) == ("UNKNOWN_TYPE", "/steps/0/type")
    assert found["hint"].startswith(hint)


@pytest.mark.parametrize(
    ("step", "config", "key", "ours"),
    [
        ("human_task", {"task_type": "approval"}, "email", "assignee_ref"),
        ("human_task", {"task_type": "approval"}, "assignee", "assignee_ref"),
        ("human_task", {"task_type": "approval"}, "deadline", "timeout_hours"),
        ("http_action", {"url": "https://shop.example", "method": "GET"}, "payload", "body"),
        ("http_action", {"url": "https://shop.example", "method": "GET"}, "params", "query"),
        ("llm_agent", {"prompt": "x"}, "system", "system_prompt"),
    ],
)
def test_a_key_of_a_config_is_told_in_our_words(
    acme: Customer, api: Api, *, step: str, config: dict[str, Any], key: str, ours: str
) -> None:
    client = api(acme)
    told = [one["code"] for one in validated(client, document({f"a:{step}": config}))]
    assert "UNKNOWN_FIELD" not in told
    found = validated(client, document({f"a:{step}": {**config, key: "x"}}))
    (unknown,) = [one for one in found if one["code"] == "UNKNOWN_FIELD"]
    assert (unknown["pointer"], unknown["hint"]) == (f"/steps/0/config/{key}", f"use `{ours}`")
