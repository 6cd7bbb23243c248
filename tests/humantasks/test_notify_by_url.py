"""A tenant is told by its own URL what becomes of its human tasks, by the rules of callbacks, beside a run's own."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient
from standardwebhooks.webhooks import Webhook

from foundation.scope import unscoped
from humantasks.models import HumanTask
from humantasks.services import claim_task
from kernel.clock import utc_now
from runs.engine.host.host import Host
from runs.models import Delivery
from tenants.models import Membership, Tenant
from tenants.services import create_api_key
from tests.support.callbacks import a_key, new_secret, start_with_callback
from tests.support.engine import get_run, make_tenant, queue_run, wait_for, wait_until_over
from tests.support.http_server import Answer, CountingServer
from tests.support.tasks import ask, decide, person, task_of

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


def listed(client: APIClient) -> set[tuple[str, str]]:
    return {(one["target"], one["status"]) for one in client.get("/api/v1/deliveries").json()["data"]}


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
    wait_for(lambda: listed(client) == {("tenant", "delivered")})


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


@pytest.mark.usefixtures("ann", "host")
def test_who_is_asked_next_and_who_claims_is_told_too(
    acme: Tenant, bob: Membership, client: APIClient, receiver: CountingServer
) -> None:
    client.put("/api/v1/tenant/notifications", {"url": f"{receiver.url}/tasks"})
    chain = {"assignee_ref": "ann@acme.example", "escalation_chain": ["bob@acme.example"]}
    run_id = queue_run(acme, ask("approved -> yes", timeout_hours=1 / 3600, **chain))
    wait_for(lambda: len(told(receiver)) == 2)
    task = task_of(run_id)
    with unscoped("the second has time"):
        HumanTask.objects.filter(id=task.id).update(due_at=utc_now() + timedelta(hours=1))
    claim_task(tenant=acme, person=person(bob), task_id=task.id)
    wait_for(lambda: len(told(receiver)) == 3)
    by_type = {call.json()["type"]: call.json()["task"] for call in receiver.calls}
    assert set(by_type) == {CREATED, "human.task_escalated", "human.task_assigned"}
    assert {body["task_id"] for body in by_type.values()} == {str(task.id)}
    assert by_type["human.task_escalated"]["assignee_id"] == str(bob.id)
    assert by_type["human.task_assigned"]["claimed_by"]["name"] == "Bob"


def test_what_a_reviewer_changed_is_told_nobody(
    acme: Tenant, ann: Membership, host: Host, client: APIClient, receiver: CountingServer
) -> None:
    client.put("/api/v1/tenant/notifications", {"url": f"{receiver.url}/tasks"})
    form = {"type": "object", "properties": {"note": {"type": "string"}}}
    document = ask("modified -> yes", "approved -> yes", task_type="review", form=form)
    run_id = queue_run(acme, document, input={"note": CANARY})
    decide(ann, task_of(run_id), "modified", data={"note": f"{CANARY} changed"}, comment="a word in it was wrong")
    assert wait_until_over(run_id) == ["completed"]
    wait_for(lambda: len(told(receiver)) == 2)
    assert f"{CANARY} changed" in json.dumps(get_run(run_id).output), "the canary is really there"
    bodies = b"".join(call.body for call in receiver.calls).decode()
    assert "a word in it was wrong" in bodies
    assert CANARY not in bodies


def test_a_url_that_is_changed_gets_what_was_not_told_yet_and_one_that_is_cleared_nothing(
    acme: Tenant, ann: Membership, host: Host, client: APIClient, receiver: CountingServer
) -> None:
    receiver.route("POST", "/tasks", Answer(status=503))
    client.put("/api/v1/tenant/notifications", {"url": f"{receiver.url}/tasks"})
    run_id = queue_run(acme, ask())
    task_of(run_id)
    wait_for(lambda: len(told(receiver)) == 1)
    wait_for(lambda: tries(client) == 1, what="the answer is written down")
    with CountingServer() as other:
        other.route("POST", "/*", Answer(status=503))
        client.put("/api/v1/tenant/notifications", {"url": f"{other.url}/moved"})
        (delivery,) = client.get("/api/v1/deliveries").json()["data"]
        assert delivery["host"] == f"127.0.0.1:{other.port}"
        again = f"/api/v1/runs/{run_id}/deliveries/{delivery['delivery_id']}/redeliver"
        client.post(again)
        wait_for(lambda: told(other, "/moved") == [CREATED])
        wait_for(lambda: tries(client) == 2, what="the answer is written down")
        client.delete("/api/v1/tenant/notifications")
        assert listed(client) == {("tenant", "blocked")}
        client.post(again)
        wait_for(lambda: last_error(client) == ("blocked", "TARGET_CLEARED"))
        assert (len(told(receiver)), len(told(other, "/moved"))) == (1, 1)


def tries(client: APIClient) -> int:
    (delivery,) = client.get("/api/v1/deliveries").json()["data"]
    return len(delivery["attempts"])


def last_error(client: APIClient) -> tuple[str, str | None]:
    (delivery,) = client.get("/api/v1/deliveries").json()["data"]
    return delivery["status"], delivery["attempts"][-1]["error_code"]


def test_a_tenant_without_a_url_has_no_row_and_one_with_it_hears_of_its_own_runs_only(
    acme: Tenant, ann: Membership, host: Host, client: APIClient, receiver: CountingServer
) -> None:
    globex = make_tenant("globex")
    client.put("/api/v1/tenant/notifications", {"url": f"{receiver.url}/tasks"})
    theirs, ours = queue_run(globex, ask()), queue_run(acme, ask())
    task_of(theirs)
    task_of(ours)
    wait_for(lambda: len(told(receiver)) == 1)
    assert receiver.calls[0].json()["run_id"] == str(ours)
    with unscoped("tests look everywhere"):
        assert [row.run_id for row in Delivery.objects.all()] == [ours]


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
