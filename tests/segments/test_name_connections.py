"""A step that names what its tenant does not have is told so when the segment is saved, and still saved."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from runs.runtime import PlainClient, runtime
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tests.conftest import Customer

Api = Callable[[Customer], APIClient]


def calling(ref: str) -> dict[str, Any]:
    config = {"client_ref": ref, "path": "/x", "method": "GET"}
    step = {"step_id": "call", "type": "http_action", "name": "call", "config": config}
    return {
        "version": "1.0",
        "segment_id": "calls",
        "name": "calls",
        "entrypoint": "call",
        "steps": [step],
        "edges": [],
    }


def warnings(answer: Any) -> list[dict[str, Any]]:
    return [item for item in answer.json()["findings"] if item["code"] == "UNKNOWN_CONNECTION"]


def codes_of(answer: Any) -> list[str]:
    return [item["code"] for item in answer.json()["findings"]]


@pytest.fixture
def crm(acme: Customer) -> None:
    spec = ConnectionSpec(kind="http", base_url="https://crm.example.com")
    save_connection(tenant=acme.tenant, actor="system", ref="crm", spec=spec)
    save_connection(tenant=acme.tenant, actor="system", ref="gpt", spec=ConnectionSpec(kind="llm", provider="openai"))


def test_one_that_is_there_is_fine_and_one_that_is_not_a_warning(acme: Customer, crm: None, api: Api) -> None:
    client = api(acme)
    assert warnings(client.post("/api/v1/segments/validate", calling("crm"))) == []
    (found,) = warnings(client.post("/api/v1/segments/validate", calling("crn")))
    assert (found["severity"], found["pointer"]) == ("warning", "/steps/0/config/client_ref")
    assert "crm" in found["hint"]
    saved = client.put("/api/v1/segments/calls", calling("crn"))
    assert saved.status_code == 201
    assert len(warnings(saved)) == 1


def test_one_of_another_kind_is_a_warning(acme: Customer, crm: None, api: Api) -> None:
    (found,) = warnings(api(acme).post("/api/v1/segments/validate", calling("gpt")))
    assert "language model" in found["message"]


def test_another_tenant_s_does_not_count(acme: Customer, globex: Customer, crm: None, api: Api) -> None:
    (found,) = warnings(api(globex).post("/api/v1/segments/validate", calling("crm")))
    assert found["hint"] is None


def test_what_the_installation_has_is_everybody_s(acme: Customer, api: Api) -> None:
    assert len(warnings(api(acme).post("/api/v1/segments/validate", calling("shop")))) == 1
    runtime.clients.register("shop", PlainClient("shop", "https://shop.example.com"))
    try:
        assert warnings(api(acme).post("/api/v1/segments/validate", calling("shop"))) == []
    finally:
        runtime.clients.forget("shop")


def test_a_name_that_a_template_makes_is_left_to_the_run(acme: Customer, api: Api) -> None:
    assert warnings(api(acme).post("/api/v1/segments/validate", calling("{{ input.ref }}"))) == []


def asking(**config: Any) -> dict[str, Any]:
    step = {"step_id": "ask", "type": "llm_agent", "name": "ask", "config": {"llm_ref": "gpt", **config}}
    return {**calling("crm"), "segment_id": "asks", "entrypoint": "ask", "steps": [step]}


def test_those_inside_tools_and_fallbacks_are_looked_at_too(acme: Customer, crm: None, api: Api) -> None:
    tool = {"name": "look_up", "client_ref": "crm", "path": "/x"}
    fine = asking(prompt="x", tools=[tool], fallback=["gpt", {"llm_ref": "gpt"}])
    assert codes_of(api(acme).post("/api/v1/segments/validate", fine)) == ["TOOLS_NOT_ALLOWED"]
    assert (
        api(acme)
        .put("/api/v1/connections/crm", {"kind": "http", "base_url": "https://crm.example.com", "allows_tools": True})
        .status_code
        == 200
    )
    assert codes_of(api(acme).post("/api/v1/segments/validate", fine)) == []
    wrong = asking(prompt="x", tools=[{**tool, "client_ref": "gpt"}], fallback=["gtp", {"llm_ref": "crm"}])
    found = warnings(api(acme).post("/api/v1/segments/validate", wrong))
    assert sorted(item["pointer"].removeprefix("/steps/0/config/") for item in found) == [
        "fallback/0", "fallback/1/llm_ref", "tools/0/client_ref"
    ]  # fmt: skip


def test_a_stored_prompt_that_is_not_there_is_a_warning(acme: Customer, globex: Customer, crm: None, api: Api) -> None:
    client = api(acme)

    def prompts(name: str) -> list[dict[str, Any]]:
        answer = client.post("/api/v1/segments/validate", asking(prompt_template_id=name)).json()
        assert answer["valid"]
        return [item for item in answer["findings"] if item["code"] == "UNKNOWN_PROMPT"]

    client.put("/api/v1/prompts/letter", {"prompt": "Write."})
    api(globex).put("/api/v1/prompts/of_globex", {"prompt": "Write."})
    assert prompts("letter") == prompts("letter@1") == prompts("{{ input.which }}") == []
    (found,) = prompts("leter")
    assert (found["severity"], found["pointer"]) == ("warning", "/steps/0/config/prompt_template_id")
    assert "letter" in found["hint"]
    (found,) = prompts("letter@2")
    assert "no version 2" in found["message"]
    assert len(prompts("of_globex")) == 1
    client.delete("/api/v1/prompts/letter")
    assert len(prompts("letter")) == 1
