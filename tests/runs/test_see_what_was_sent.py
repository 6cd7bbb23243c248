"""What a step sends is in the journal before it is sent, and shown with its step."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.models import RunEvent
from tests.conftest import Customer
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "canary-of-the-connection"
CRM = {"kind": "http", "headers": {"X-Team": "returns"}, "auth": {"type": "header", "name": "X-Key"}, "secret": SECRET}
STEP = {
    "client_ref": "crm",
    "path": "/orders/{{ input.id }}?token=canary-of-the-step",
    "headers": {"X-Order": "{{ input.id }}", "Cookie": "session=canary-of-the-step"},
    "body": {"note": f"say {SECRET} and canary-of-the-step", "password": "canary-by-name", "text": "{{ input.text }}"},
    "timeout_seconds": 0.5,
    "retry_count": 3,
}


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def journals() -> list[list[dict[str, Any]]]:
    """What was committed of actions whenever the server was called."""
    return []


@pytest.fixture
def server(journals: list[list[dict[str, Any]]]) -> Iterator[CountingServer]:
    def answer(request: RecordedRequest) -> Answer:
        with unscoped("tests look everywhere"):
            journals.append(list(RunEvent.objects.filter(type="action.started").values_list("payload", flat=True)))
        connection.close()
        return Answer(body={"n": 1}, delay_seconds=1.0 if request.path.endswith("/slow") else 0.0)

    with CountingServer() as running:
        running.route("POST", "/base/*", answer)
        yield running


def steps_of(client: APIClient, value: dict[str, Any], **step: Any) -> list[dict[str, Any]]:
    segment = {
        "version": "1.0",
        "segment_id": "order",
        "name": "Order",
        "entrypoint": "call",
        "steps": [{"step_id": "call", "type": "http_action", "config": STEP, **step}],
        "edges": [],
    }
    with running_host():
        started = client.post("/api/v1/runs?wait=20", {"segment": segment, "input": value}).json()
    found: list[dict[str, Any]] = client.get(started["links"]["steps"]).json()["data"]
    return found


def test_it_is_committed_before_it_is_sent_and_shown_without_secrets(
    acme: Customer, api: Api, server: CountingServer, journals: list[list[dict[str, Any]]]
) -> None:
    client = api(acme)
    assert client.put("/api/v1/connections/crm", {**CRM, "base_url": f"{server.url}/base"}).status_code == 201
    (done,) = steps_of(client, {"id": "7/8", "text": "x" * 5_000})
    (call,) = server.calls
    assert (done["status"], call.headers["x-key"], call.target) == (
        "completed",
        SECRET,
        "/base/orders/7%2F8?token=canary-of-the-step",
    )
    ((sent,),) = journals
    assert (sent["method"], sent["url"], sent["connection"]) == (
        "POST",
        f"{server.url}/base/orders/7%2F8?token=[cut]",
        "crm",
    )
    assert (sent["headers"]["x-order"], sent["headers"]["cookie"]) == ("7/8", "[cut]")
    assert sent["idempotency_key"] == call.idempotency_key
    assert sent["body"]["beginning"].startswith('{"note":"say [cut] and ')
    assert sent["body"]["characters"] > 5_000
    ((shown,),) = [step["calls"] for step in (done,)]
    assert shown["sent"] == sent
    assert (shown["attempt"], shown["result"]["status"]) == (1, 200)
    assert "canary" not in json.dumps([done, journals])


def test_a_post_that_became_a_get_is_a_warning_among_the_events(
    acme: Customer, api: Api, server: CountingServer
) -> None:
    client = api(acme)
    client.put("/api/v1/connections/crm", {**CRM, "base_url": f"{server.url}/base"})
    severities = []
    for status in (307, 302):
        server.route("POST", "/base/orders/7", Answer(status, headers={"Location": "/made"}))
        for method in ("GET", "POST"):
            server.route(method, "/made", Answer(body=[]))
        (done,) = steps_of(client, {"id": "7", "text": "x"})
        assert done["calls"][0]["result"]["status"] == 200
        (run,) = client.get("/api/v1/runs?limit=1").json()["data"]
        events = client.get(run["links"]["events"]).json()["data"]
        severities.append([one["severity"] for one in events if one["event_type"] == "action.completed"])
    assert severities == [["info"], ["warning"]]


def test_a_url_without_a_scheme_fails_by_its_config(acme: Customer, api: Api, server: CountingServer) -> None:
    segment = {
        "version": "1.0",
        "segment_id": "calls",
        "name": "calls",
        "entrypoint": "call",
        "edges": [],
        "steps": [{"step_id": "call", "type": "http_action", "config": {"method": "GET", "url": "{{ input.url }}"}}],
    }
    server.route("GET", "/a", Answer(body=[]))
    client = api(acme)
    with running_host():
        found = [
            client.post("/api/v1/runs?wait=20", {"segment": segment, "input": {"url": url}}).json()
            for url in (f"{server.url}/a", "x.example/a")
        ]
    assert [run["status"] for run in found] == ["completed", "failed"]
    assert found[1]["error"]["code"] == "CONFIG_INVALID"
    assert "A URL begins with https:// or http://." in str(found[1]["error"])


@pytest.mark.parametrize("step", [{}, {"timeout_seconds": 0.3}], ids=["call", "step"])
def test_a_call_without_an_answer_in_time_is_made_once_and_shown_with_what_came_of_it(
    acme: Customer, api: Api, server: CountingServer, step: dict[str, Any]
) -> None:
    client = api(acme)
    client.put("/api/v1/connections/crm", {**CRM, "base_url": f"{server.url}/base"})
    (found,) = steps_of(client, {"id": "slow", "text": "hello"}, **step)
    assert (found["status"], found["attempts"], server.count()) == ("failed", 1, 1)
    assert found["error"]["code"] == found["calls"][0]["result"]["code"] == "REQUEST_TIMED_OUT"
    assert found["calls"][0]["sent"]["body"]["text"] == "hello"
