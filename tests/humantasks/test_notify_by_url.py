"""A tenant is told by its own URL what becomes of its human tasks, by the rules of callbacks, beside a run's own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient
from standardwebhooks.webhooks import Webhook

from runs.engine.host import Host
from runs.models import Delivery
from tenants.context import unscoped
from tenants.models import Membership, Tenant
from tenants.services import create_api_key
from tests.support.callbacks import a_key, new_secret, start_with_callback
from tests.support.engine import queue_run, wait_for, wait_until_over
from tests.support.http_server import Answer, CountingServer
from tests.support.tasks import ask, decide, task_of

CANARY = "canary-of-the-data"
CREATED, COMPLETED = "human.task_created", "human.task_completed"


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def receiver() -> Iterator[CountingServer]:
    with CountingServer() as server:
        server.route("POST", "/*", Answer(status=204))
        yield server


@pytest.fixture
def client(acme: Tenant) -> APIClient:
    made = APIClient(headers={"X-API-Key": create_api_key(tenant=acme, name="tests").text})
    made.default_format = "json"
    return made


def told(receiver: CountingServer, path: str = "/tasks") -> list[str]:
    return [call.json()["type"] for call in receiver.calls if call.path == path]


def test_everything_about_a_task_is_told_signed_and_without_its_data(
    acme: Tenant, ann: Membership, host: Host, client: APIClient, receiver: CountingServer
) -> None:
    secret = new_secret(acme)
    url = f"{receiver.url}/tasks?key=s%2Fecret"
    answer = client.put("/api/v1/tenant/notifications", {"url": url, "headers": {"X-Team": "returns"}})
    assert (answer.status_code, answer.json()["host"]) == (200, f"127.0.0.1:{receiver.port}")
    assert "ecret" not in answer.content.decode() + client.get("/api/v1/tenant/notifications").content.decode()
    run_id = queue_run(acme, ask(title="Pay?"), input={"note": CANARY})
    task = task_of(run_id)
    decide(ann, task, comment="fine")
    assert wait_until_over(run_id) == ["completed"]
    wait_for(lambda: len(told(receiver)) == 2)
    assert sorted(told(receiver)) == [COMPLETED, CREATED]
    by_type = {call.json()["type"]: call for call in receiver.calls}
    for call in by_type.values():
        assert call.target == "/tasks?key=s%2Fecret"
        assert call.headers["x-team"] == "returns"
        Webhook(secret).verify(call.body.decode(), dict(call.headers))
        assert CANARY not in call.body.decode()
    body = by_type[CREATED].json()
    assert (body["run_id"], body["step_id"], body["activation"], body["status"]) == (str(run_id), "ask", 1, "waiting")
    assert (body["task"]["task_id"], body["task"]["title"]) == (str(task.id), "Pay?")
    assert by_type[COMPLETED].json()["task"]["decided_by"]["name"] == "Ann"
    listed = client.get("/api/v1/deliveries").json()["data"]
    assert {(one["target"], one["status"]) for one in listed} == {("tenant", "delivered")}


def test_a_runs_own_callback_may_ask_for_the_same_and_both_are_told_once(
    acme: Tenant, ann: Membership, host: Host, client: APIClient, receiver: CountingServer
) -> None:
    a_key(acme)
    client.put("/api/v1/tenant/notifications", {"url": f"{receiver.url}/tasks"})
    run_id = start_with_callback(acme, f"{receiver.url}/own", events=[CREATED, "segment.completed"], document=ask())
    decide(ann, task_of(run_id))
    assert wait_until_over(run_id) == ["completed"]
    wait_for(lambda: len(receiver.calls) >= 4)
    assert sorted(told(receiver, "/own")) == [CREATED, "segment.completed"]
    assert sorted(told(receiver)) == [COMPLETED, CREATED]


def test_it_is_tried_again_and_told_nowhere_once_it_is_cleared(
    acme: Tenant, ann: Membership, host: Host, client: APIClient, receiver: CountingServer
) -> None:
    receiver.route("POST", "/tasks", [Answer(status=503), Answer(status=204)])
    client.put("/api/v1/tenant/notifications", {"url": f"{receiver.url}/tasks"})
    run_id = queue_run(acme, ask())
    task = task_of(run_id)
    wait_for(lambda: len(told(receiver)) == 1)
    (delivery,) = client.get("/api/v1/deliveries").json()["data"]
    assert delivery["status"] == "pending"
    again = client.post(f"/api/v1/runs/{run_id}/deliveries/{delivery['delivery_id']}/redeliver")
    assert again.status_code == 202
    wait_for(lambda: len(told(receiver)) == 2)
    assert client.delete("/api/v1/tenant/notifications").status_code == 204
    assert client.get("/api/v1/tenant/notifications").json()["host"] is None
    decide(ann, task)
    assert wait_until_over(run_id) == ["completed"]
    with unscoped("tests look everywhere"):
        assert Delivery.objects.filter(run_id=run_id).count() == 1
    assert len(told(receiver)) == 2


@pytest.mark.parametrize(
    ("flaw", "pointer"),
    [
        ({"url": "http://169.254.169.254/"}, "/url"),
        ({"url": "ftp://hooks.example.com"}, "/url"),
        ({"url": "https://hooks.example.com/", "headers": {"webhook-id": "x"}}, "/headers"),
    ],
)
def test_an_address_that_may_not_be_called_is_refused(
    acme: Tenant, client: APIClient, flaw: dict[str, Any], pointer: str
) -> None:
    assert client.put("/api/v1/tenant/notifications", {"url": "https://hooks.example.com/"}).status_code == 200
    refused = client.put("/api/v1/tenant/notifications", flaw)
    assert refused.status_code == 422
    assert [item["pointer"] for item in refused.json()["errors"]] == [pointer]
    assert client.get("/api/v1/tenant/notifications").json()["host"] == "hooks.example.com"
    assert json.dumps(flaw["url"]) not in refused.content.decode()
