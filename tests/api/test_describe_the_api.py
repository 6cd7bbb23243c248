"""The API's description: complete, true, and good enough to make a client of."""

import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from audit.reading.jobs import request_verification
from audit.sealing.sealer import seal_entries
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from runs.api.examples import RUN_EXAMPLE
from runs.core import EventType
from runs.models import Delivery, DeliveryAttempt
from segments.examples import TWO_STEPS, TWO_STEPS_INPUT
from tenants.connections.serializers import LLM_EXAMPLE
from tenants.models import Identity
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.python_client import make_python_client
from tests.support.server import ServerProcess
from tests.support.tasks import an_open_task, make_member
from tests.support.worker import running_worker

Api = Callable[[Customer], APIClient]


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generation itself is the first test: a warning or an invalid document fails here."""
    file = tmp_path_factory.mktemp("description") / "openapi.json"
    call_command("spectacular", "--fail-on-warn", "--validate", "--format", "openapi-json", "--file", str(file))
    return file


@pytest.fixture(scope="module")
def document(description: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(description.read_text())
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_has_words_a_key_and_its_problems_with_examples(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    for method, path, operation in operations(document):
        place = f"{method} {path}"
        assert operation["operationId"], place
        assert operation["summary"], place
        assert operation["security"] == [{"bearer": []}, {"apiKey": []}], place
        assert {"401", "503"} <= operation["responses"].keys(), place
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= operation["responses"].keys(), place
        if "{" in path and method != "put":
            assert "404" in operation["responses"], place
        for status, response in operation["responses"].items():
            if status >= "400":
                problem = response["content"]["application/problem+json"]
                for code, example in problem["examples"].items():
                    assert (example["value"]["code"], example["value"]["status"]) == (code, int(status)), place


def test_it_names_its_server_and_says_what_each_tag_is_for(document: dict[str, Any], settings: Any) -> None:
    assert [server["url"] for server in document["servers"]] == [settings.PUBLIC_URL]
    used = {tag for _, _, operation in operations(document) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"] if tag["description"]}


def test_every_operation_can_succeed_and_streams_are_operations_of_their_own(document: dict[str, Any]) -> None:
    streams = set()
    for _, path, operation in operations(document):
        good = [response for status, response in operation["responses"].items() if status.startswith("2")]
        assert good, path
        kinds = {kind for response in good for kind in response.get("content", {})}
        if "text/event-stream" in kinds:
            streams.add(path)
            assert kinds == {"text/event-stream"}
    assert streams == {"/api/v1/events/stream", "/api/v1/runs/{run_id}/events/stream"}


def test_ids_have_one_form_in_paths_and_bodies_and_no_type_hides_a_usual_one(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert not {"Error", "Object", "Promise", "Map", "Set", "Date"} & schemas.keys()
    in_bodies = {
        name: found["format"]
        for schema in schemas.values()
        for name, found in schema.get("properties", {}).items()
        if name.endswith("_id") and found.get("format") == "uuid"
    }
    in_paths = {
        parameter["name"]: parameter["schema"].get("format")
        for _, _, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path"
    }
    ids = {"run_id", "task_id", "member_id", "invitation_id", "delivery_id", "account_id", "export_id", "endpoint_id"}
    ids |= {"verification_id"}
    assert {name for name in in_paths if name in in_bodies} == ids
    assert {in_paths[name] for name in ids} == {"uuid"}


def test_no_type_has_a_member_of_its_own_name_that_is_of_another_type(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        written = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        member = schema.get("properties", {}).get(written, {})
        assert "$ref" not in member, f"clients in Python take {written} for {name}"


def test_every_value_of_an_enum_has_a_meaning(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for value in schema.get("enum", ()):
            meaning = re.search(rf"^\* `{re.escape(value)}` - (.+)$", schema["description"], re.MULTILINE)
            assert meaning, (name, value)
            assert meaning[1].lower() != value, (name, value)
    for _, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if "enum" in parameter["schema"]:
                assert parameter["description"], (path, parameter["name"])


def test_events_have_payloads_by_type(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    mapping = schemas["Event"]["discriminator"]["mapping"]
    assert mapping.keys() == {*EventType, "data.produced"}
    for kind, ref in mapping.items():
        event = schemas[ref.rpartition("/")[2]]
        assert event["properties"]["event_type"]["const"] == kind
        assert schemas[event["properties"]["payload"]["$ref"].rpartition("/")[2]]["type"] == "object"
    assert schemas["Run"]["properties"]["usage"] == {"$ref": "#/components/schemas/RunUsage"}


def test_what_is_answered_is_what_is_described(
    acme: Customer, api: Api, document: dict[str, Any], transactional_db: None
) -> None:
    client = api(acme)
    saved = client.put("/api/v1/segments/order_total", TWO_STEPS)
    callback = {"url": "https://hooks.example.com/done", "events": ["segment.paused"]}
    started = client.post("/api/v1/segments/order_total/runs", {"input": TWO_STEPS_INPUT, "callback": callback})
    run_id = started.json()["run_id"]
    with running_worker():
        over = client.get(f"/api/v1/runs/{run_id}?wait=20")
    assert over.json()["status"] == "completed", over.content
    assert over.json()["output"] == RUN_EXAMPLE["output"], "the description shows a true run"
    assert saved.json()["definition"]["steps"] == TWO_STEPS["steps"]
    delivery = a_failed_delivery(acme, run_id)
    endpoints = "/api/v1/webhook-endpoints"
    endpoint = client.post(endpoints, {"url": "https://hooks.example.com/all", "signing": "ed25519"})
    one = f"{endpoints}/{endpoint.json()['id']}"
    task, member = an_open_task(acme.tenant, run_id), make_member(acme.tenant, "ann")
    account = Identity.objects.create(user=member.user, issuer="https://login.example.com", subject="ann")
    exported = client.post("/api/v1/tenant/export")
    export_id = exported.json()["export_id"]
    made = client.post("/api/v1/keys", {"name": "n8n", "scopes": ["runs:read"]})
    key_id = made.json()["id"]
    operator = api(Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="o", scopes=["operator:write"]).text))
    seal_entries()
    verification = request_verification(acme.tenant.id, actor="system")
    answers = {
        ("get", "/api/v1/audit/entries"): client.get("/api/v1/audit/entries"),
        ("get", "/api/v1/audit/entries/{n}/proof"): client.get("/api/v1/audit/entries/0/proof"),
        ("post", "/api/v1/audit/erase"): client.post("/api/v1/audit/erase", {"person": "member:nobody"}),
        ("get", "/api/v1/audit/export"): client.get("/api/v1/audit/export"),
        ("get", "/api/v1/audit/key"): client.get("/api/v1/audit/key"),
        ("get", "/api/v1/audit/log/{path}"): client.get("/api/v1/audit/log/checkpoint"),
        ("post", "/api/v1/audit/report"): client.post(
            "/api/v1/audit/report", {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
        ),
        ("get", "/api/v1/audit/verify"): client.get("/api/v1/audit/verify"),
        ("get", "/api/v1/audit/verify/{verification_id}"): client.get(f"/api/v1/audit/verify/{verification.id}"),
        ("put", "/api/v1/segments/{segment_id}"): saved,
        ("post", "/api/v1/segments/{segment_id}/runs"): started,
        ("get", "/api/v1/runs/{run_id}"): over,
        ("get", "/api/v1/runs/{run_id}/steps"): client.get(f"/api/v1/runs/{run_id}/steps"),
        ("get", "/api/v1/runs/{run_id}/events"): client.get(f"/api/v1/runs/{run_id}/events"),
        ("get", "/api/v1/runs"): client.get("/api/v1/runs?limit=1"),
        ("post", "/api/v1/runs"): client.post("/api/v1/runs", {"segment": {}}),
        ("post", "/api/v1/runs/{run_id}/pause"): client.post(f"/api/v1/runs/{run_id}/pause"),
        ("post", "/api/v1/runs/{run_id}/resume"): client.post(f"/api/v1/runs/{run_id}/resume"),
        ("post", "/api/v1/runs/{run_id}/cancel"): client.post(f"/api/v1/runs/{run_id}/cancel"),
        ("post", "/api/v1/runs/{run_id}/replay"): client.post(f"/api/v1/runs/{run_id}/replay"),
        ("get", "/api/v1/runs/{run_id}/snapshot"): client.get(f"/api/v1/runs/{run_id}/snapshot"),
        ("get", "/api/v1/runs/{run_id}/values/{seq}"): client.get(f"/api/v1/runs/{run_id}/values/1"),
        ("get", "/api/v1/runs/{run_id}/deliveries"): client.get(f"/api/v1/runs/{run_id}/deliveries"),
        ("post", "/api/v1/runs/{run_id}/deliveries/{delivery_id}/redeliver"): client.post(
            f"/api/v1/runs/{run_id}/deliveries/{delivery.id}/redeliver"
        ),
        ("get", "/api/v1/keys"): client.get("/api/v1/keys"),
        ("post", "/api/v1/keys"): made,
        ("get", "/api/v1/keys/{key_id}"): client.get(f"/api/v1/keys/{key_id}"),
        ("post", "/api/v1/keys/{key_id}/rotate"): client.post(f"/api/v1/keys/{key_id}/rotate"),
        ("post", "/api/v1/keys/{key_id}/end-old-secret"): client.post(f"/api/v1/keys/{key_id}/end-old-secret"),
        ("delete", "/api/v1/keys/{key_id}"): client.delete(f"/api/v1/keys/{key_id}"),
        ("get", "/api/v1/members"): client.get("/api/v1/members"),
        ("get", "/api/v1/members/{member_id}"): client.get(f"/api/v1/members/{member.id}"),
        ("patch", "/api/v1/members/{member_id}"): client.patch(f"/api/v1/members/{member.id}", {"groups": ["a"]}),
        ("post", "/api/v1/members/{member_id}/deactivate"): client.post(f"/api/v1/members/{member.id}/deactivate"),
        ("post", "/api/v1/members/{member_id}/reactivate"): client.post(f"/api/v1/members/{member.id}/reactivate"),
        ("put", "/api/v1/members/{member_id}/absence"): client.put(
            f"/api/v1/members/{member.id}/absence", {"away_from": "2026-12-24T00:00:00Z"}
        ),
        ("delete", "/api/v1/members/{member_id}/absence"): client.delete(f"/api/v1/members/{member.id}/absence"),
        ("get", "/api/v1/members/{member_id}/accounts"): client.get(f"/api/v1/members/{member.id}/accounts"),
        ("delete", "/api/v1/members/{member_id}/accounts/{account_id}"): client.delete(
            f"/api/v1/members/{member.id}/accounts/{account.id}?allow_last=true"
        ),
        ("get", "/api/v1/invitations"): client.get("/api/v1/invitations"),
        ("post", "/api/v1/invitations"): client.post("/api/v1/invitations", {"email": "bob@acme.example"}),
        ("delete", "/api/v1/invitations/{invitation_id}"): client.delete(f"/api/v1/invitations/{member.id}"),
        ("get", "/api/v1/human-tasks/report"): client.get("/api/v1/human-tasks/report"),
        ("get", "/api/v1/human-tasks"): client.get("/api/v1/human-tasks"),
        ("get", "/api/v1/human-tasks/{task_id}"): client.get(f"/api/v1/human-tasks/{task.id}"),
        ("get", "/api/v1/human-tasks/{task_id}/receipt"): client.get(f"/api/v1/human-tasks/{task.id}/receipt"),
        ("post", "/api/v1/human-tasks/{task_id}/claim"): client.post(f"/api/v1/human-tasks/{task.id}/claim"),
        ("post", "/api/v1/human-tasks/{task_id}/release"): client.post(f"/api/v1/human-tasks/{task.id}/release"),
        ("post", "/api/v1/human-tasks/{task_id}/delegate"): client.post(
            f"/api/v1/human-tasks/{task.id}/delegate", {"to": str(run_id)}
        ),
        ("post", "/api/v1/human-tasks/{task_id}/complete"): client.post(
            f"/api/v1/human-tasks/{task.id}/complete", {"decision": "maybe"}
        ),
        ("get", "/api/v1/webhook-endpoints"): client.get(endpoints),
        ("post", "/api/v1/webhook-endpoints"): endpoint,
        ("get", "/api/v1/webhook-endpoints/{endpoint_id}"): client.get(one),
        ("patch", "/api/v1/webhook-endpoints/{endpoint_id}"): client.patch(one, {"severity": "error"}),
        ("post", "/api/v1/webhook-endpoints/{endpoint_id}/rotate-secret"): client.post(f"{one}/rotate-secret"),
        ("post", "/api/v1/webhook-endpoints/{endpoint_id}/test"): client.post(f"{one}/test"),
        ("post", "/api/v1/webhook-endpoints/{endpoint_id}/redeliver"): client.post(f"{one}/redeliver", {"first": 1}),
        ("get", "/api/v1/webhook-endpoints/{endpoint_id}/deliveries"): client.get(f"{one}/deliveries"),
        ("get", "/api/v1/webhook-endpoints/{endpoint_id}/events"): client.get(f"{one}/events"),
        ("delete", "/api/v1/webhook-endpoints/{endpoint_id}"): client.delete(one),
        ("get", "/api/v1/deliveries"): client.get("/api/v1/deliveries"),
        ("get", "/api/v1/callback-secret"): client.get("/api/v1/callback-secret"),
        ("post", "/api/v1/callback-secret"): client.post("/api/v1/callback-secret"),
        ("get", "/api/v1/segments"): client.get("/api/v1/segments"),
        ("post", "/api/v1/segments"): client.post("/api/v1/segments", TWO_STEPS),
        ("get", "/api/v1/segments/{segment_id}"): client.get("/api/v1/segments/order_total"),
        ("delete", "/api/v1/segments/{segment_id}"): client.delete("/api/v1/segments/nowhere"),
        ("post", "/api/v1/segments/validate"): client.post("/api/v1/segments/validate", {}),
        ("get", "/api/v1/segments/{segment_id}/revisions"): client.get("/api/v1/segments/order_total/revisions"),
        ("get", "/api/v1/segments/{segment_id}/revisions/{number}"): client.get(
            "/api/v1/segments/order_total/revisions/1"
        ),
        ("get", "/api/v1/catalog"): client.get("/api/v1/catalog"),
        ("get", "/api/v1/catalog/{type_id}"): client.get("/api/v1/catalog/transform"),
        ("get", "/api/v1/schemas/segment"): client.get("/api/v1/schemas/segment"),
        ("get", "/api/v1/events"): client.get("/api/v1/events"),
        ("get", "/api/v1/events/stream"): client.get("/api/v1/events/stream?cursor=nonsense"),
        ("get", "/api/v1/runs/{run_id}/events/stream"): client.get("/api/v1/runs/nowhere/events/stream"),
        ("get", "/api/v1/tenant/usage"): client.get("/api/v1/tenant/usage"),
        ("put", "/api/v1/tenant/notifications"): client.put(
            "/api/v1/tenant/notifications", {"url": "https://hooks.example.com/tasks"}
        ),
        ("get", "/api/v1/tenant/notifications"): client.get("/api/v1/tenant/notifications"),
        ("delete", "/api/v1/tenant/notifications"): client.delete("/api/v1/tenant/notifications"),
        ("get", "/api/v1/tenant"): client.get("/api/v1/tenant"),
        ("get", "/api/v1/tenant/limits"): client.get("/api/v1/tenant/limits"),
        ("put", "/api/v1/tenant/suspension"): operator.put("/api/v1/tenant/suspension", {"reason": "A test."}),
        ("delete", "/api/v1/tenant/suspension"): operator.delete("/api/v1/tenant/suspension"),
        ("put", "/api/v1/tenant/deletion"): operator.put("/api/v1/tenant/deletion", {"reason": "A test."}),
        ("post", "/api/v1/tenant/deletion/confirm"): operator.post("/api/v1/tenant/deletion/confirm", {"slug": "x"}),
        ("delete", "/api/v1/tenant/deletion"): operator.delete("/api/v1/tenant/deletion"),
        ("get", "/api/v1/tenant/licence"): client.get("/api/v1/tenant/licence"),
        ("put", "/api/v1/tenant/licence"): client.put("/api/v1/tenant/licence", {"licence": "none"}),
        ("post", "/api/v1/tenant/trial"): client.post("/api/v1/tenant/trial"),
        ("post", "/api/v1/tenant/export"): exported,
        ("get", "/api/v1/tenant/export/{export_id}"): client.get(f"/api/v1/tenant/export/{export_id}"),
        ("get", "/api/v1/tenant/export/{export_id}/archive"): client.get(f"/api/v1/tenant/export/{export_id}/archive"),
        ("delete", "/api/v1/tenant/export/{export_id}"): client.delete(f"/api/v1/tenant/export/{export_id}"),
        ("patch", "/api/v1/tenant/limits"): client.patch("/api/v1/tenant/limits", {}),
        ("get", "/api/v1/circuits"): client.get("/api/v1/circuits"),
        ("post", "/api/v1/circuits/{circuit_id}/reset"): client.post("/api/v1/circuits/nowhere/reset"),
        ("post", "/api/v1/ws-tickets"): client.post("/api/v1/ws-tickets"),
        ("get", "/api/v1/me"): client.get("/api/v1/me"),
        ("put", "/api/v1/connections/{ref}"): client.put("/api/v1/connections/default", LLM_EXAMPLE),
        ("put", "/api/v1/prompts/{template_id}"): client.put("/api/v1/prompts/sort", {"prompt": "Sort."}),
        ("get", "/api/v1/prompts"): client.get("/api/v1/prompts"),
        ("get", "/api/v1/prompts/{template_id}"): client.get("/api/v1/prompts/sort"),
        ("get", "/api/v1/prompts/{template_id}/versions"): client.get("/api/v1/prompts/sort/versions"),
        ("get", "/api/v1/prompts/{template_id}/versions/{number}"): client.get("/api/v1/prompts/sort/versions/1"),
        ("delete", "/api/v1/prompts/{template_id}"): client.delete("/api/v1/prompts/nothing"),
        ("post", "/api/v1/catalog/{type_id}/test"): client.post(
            "/api/v1/catalog/transform/test?wait=0", {"config": {"expression": "input"}}
        ),
        ("post", "/api/v1/tokens"): client.post("/api/v1/tokens", {"scopes": ["runs:read"]}),
        ("get", "/api/v1/connections"): client.get("/api/v1/connections"),
        ("get", "/api/v1/connections/{ref}"): client.get("/api/v1/connections/default"),
        ("post", "/api/v1/connections/{ref}/test"): client.post("/api/v1/connections/nowhere/test"),
        ("delete", "/api/v1/connections/{ref}"): client.delete("/api/v1/connections/nowhere"),
    }
    assert answers.keys() == {(method, path) for method, path, _ in operations(document)}
    for (method, path), answer in answers.items():
        responses = document["paths"][path][method]["responses"]
        if answer.status_code == 204:
            assert (responses["204"].keys(), answer.content) == ({"description"}, b"")
            continue
        content = responses[str(answer.status_code)]["content"][answer["Content-Type"]]
        schema = {**content["schema"], "components": document["components"]}
        is_json = "json" in answer["Content-Type"]
        Draft202012Validator(schema).validate(answer.json() if is_json else answer.content.decode("latin-1"))


def a_failed_delivery(customer: Customer, run_id: str) -> Delivery:
    tenant, now = customer.tenant, utc_now()
    with tenant_scope(tenant.id):
        delivery = Delivery.objects.create(
            tenant=tenant, run_id=run_id, seq=1, type="segment.paused", host="hooks.example.com"
        )
        DeliveryAttempt.objects.create(tenant=tenant, delivery=delivery, number=1, at=now, error_code="HOST_LOST")
    return delivery


@pytest.mark.django_db(transaction=True)
def test_a_client_made_of_the_description_runs_a_segment(
    acme: Customer, server: ServerProcess, description: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_python_client(description, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    made, start, segments, models = _modules()
    definition = models.SaveSegmentBody.from_dict(TWO_STEPS)
    body = models.SavedStartRequest.from_dict({"input": TWO_STEPS_INPUT, "client_reference": "generated"})
    with made.AuthenticatedClient(base_url=server.url, token=acme.key) as client, running_worker():
        saved = segments.sync("order_total", client=client, body=definition)
        assert saved.revision == 1
        run = start.sync("order_total", client=client, body=body, wait=20)
    assert (run.status.value, run.output, run.client_reference) == ("completed", RUN_EXAMPLE["output"], "generated")


def _modules() -> tuple[ModuleType, ModuleType, ModuleType, ModuleType]:
    names = ("made_client", "made_client.api.segments.start_segment", "made_client.api.segments.save_segment")
    made, start, save = (import_module(name) for name in names)
    return made, start, save, import_module("made_client.models")
