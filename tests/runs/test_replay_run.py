"""Replaying as callers see it; what the engine makes of it is shown there."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from runs.models import Run, RunEvent
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.host import running_host

Api = Callable[[Customer], APIClient]


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    return api(acme)


@pytest.fixture
def run(client: APIClient) -> dict[str, Any]:
    """A run whose journal says that its first step has begun."""
    fields = {"client_reference": "order-1", "metadata": {"shop": "x"}, "priority": 3, "timeout_seconds": 50}
    body = client.post("/api/v1/runs", {"segment": steps_in_a_row("input", "input"), "input": 5, **fields}).json()
    with unscoped("stands in for the engine"):
        row = Run.objects.get()
        begun = {"step_id": "step_1", "activation": 1, "attempt": 1}
        facts: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            ("segment.started", {"input": 5}, {}),
            ("step.started", {"inputs": {"input": {"seq": 1, "port": "input"}}}, begun),
        ]
        for seq, (kind, payload, more) in enumerate(facts, 1):
            RunEvent.objects.create(tenant_id=row.tenant_id, run=row, seq=seq, type=kind, payload=payload, **more)
        Run.objects.update(last_seq=2)
    found: dict[str, Any] = body
    return found


def test_makes_a_new_run_like_the_old_one(client: APIClient, run: dict[str, Any]) -> None:
    answer = client.post(run["links"]["replay"])
    new = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, new["links"]["self"])
    assert new["run_id"] != run["run_id"]
    assert new["replay_of"] == run["run_id"]
    assert run["replay_of"] is None
    same = ("segment_id", "revision", "input", "client_reference", "metadata", "priority", "timeout_seconds")
    assert {name: new[name] for name in same} == {name: run[name] for name in same}
    with unscoped("tests look at everything"):
        old_row, new_row = Run.objects.get(id=run["run_id"]), Run.objects.get(id=new["run_id"])
        entry = Entry.objects.get(action="run.replayed")
    assert new_row.last_seq == 0
    assert new_row.step_types == old_row.step_types == ["transform@1"]
    assert entry.object_id == new["run_id"]
    assert entry.after == {"replay_of": run["run_id"], "from_activation": None}


def test_begins_with_the_old_journal(client: APIClient, run: dict[str, Any]) -> None:
    new = client.post(run["links"]["replay"], {"from_activation": "step_1#1"}).json()
    events = client.get(new["links"]["events"]).json()["data"]
    assert [(event["event_type"], event["payload"]) for event in events] == [
        ("segment.started", {"input": 5, "replayed_from": f"{run['run_id']}:1"})
    ]
    with unscoped("tests look at everything"):
        assert Entry.objects.get(action="run.replayed").after["from_activation"] == "step_1#1"


@pytest.mark.parametrize("activation", ["step_1#2", "step_2#1", "ghost#1", "step_1", "step_1#0", "#1", "step_1#x"])
def test_an_activation_that_has_not_begun_is_a_422(client: APIClient, run: dict[str, Any], activation: str) -> None:
    assert client.post(run["links"]["replay"], {"from_activation": "step_1#1"}).status_code == 202
    answer = client.post(run["links"]["replay"], {"from_activation": activation})
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".")
    with unscoped("tests look at everything"):
        assert Run.objects.count() == 2


def test_the_same_key_makes_one_run(client: APIClient, run: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "again"}
    first = client.post(run["links"]["replay"], {}, headers=headers)
    second = client.post(run["links"]["replay"], {}, headers=headers)
    assert first.json()["run_id"] == second.json()["run_id"]
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    other = client.post(run["links"]["replay"], {"from_activation": "step_1#1"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    elsewhere = client.post(first.json()["links"]["replay"], {}, headers=headers)
    assert elsewhere.status_code == 422, "another run is another request"
    with unscoped("tests look at everything"):
        assert Run.objects.count() == 2
        assert Entry.objects.filter(action="run.replayed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_executes_it_while_the_caller_waits(acme: Customer, api: Api) -> None:
    client = api(acme)
    with running_host():
        row = steps_in_a_row("input + 1", "input * 2")
        run = client.post("/api/v1/runs?wait=20", {"segment": row, "input": 5}).json()
        assert run["output"] == 12
        answer = client.post(run["links"]["replay"] + "?wait=20", {"from_activation": "step_2#1"})
    assert (answer.status_code, answer.json()["status"], answer.json()["output"]) == (200, "completed", 12)
