"""A run as one document, whose checksum anybody can work out again."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.models import Run
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.host import running_host

Api = Callable[[Customer], APIClient]
LIMIT = 64 * 1024 * 1024


def checksum_of(document: dict[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name != "checksum"}
    return hashlib.sha256(rfc8785.dumps(rest)).hexdigest()


@pytest.mark.django_db(transaction=True)
def test_has_all_of_an_executed_run_and_proves_it(acme: Customer, api: Api) -> None:
    client = api(acme)
    odd = {"zahl": 1e21, "klein": 0.1, "ganz": 9007199254740991, "text": "Grüße \u20ac \U0001f600", "€": [None, True]}
    with running_host():
        row = steps_in_a_row("input", "{'twice': [input, input]}")
        run = client.post("/api/v1/runs?wait=20", {"segment": row, "input": odd}).json()
        assert run["status"] == "completed"
    answer = client.get(run["links"]["snapshot"])
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    document = json.loads(answer.content)
    assert list(document) == ["format", "journal", "revision", "run", "state", "checksum"]
    assert document["checksum"] == checksum_of(document)
    events = client.get(run["links"]["events"]).json()["data"]
    stored = [event for event in events if event["event_type"] != "data.produced"]
    assert [(fact["seq"], fact["type"], fact["payload"]) for fact in document["journal"]] == [
        (event["seq"], event["event_type"], event["payload"]) for event in stored
    ]
    assert document["state"]["over"] is True
    assert document["state"]["output"] == run["output"] == document["run"]["output"]
    assert document["state"]["counts"] == {"step_1": 1, "step_2": 1}
    assert document["run"]["run_id"] == run["run_id"]
    assert document["run"]["last_seq"] == len(document["journal"])
    assert [step["step_id"] for step in document["revision"]["definition"]["steps"]] == ["step_1", "step_2"]


def test_a_changed_word_is_found(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input"), "input": "paid"}).json()
    document = json.loads(client.get(run["links"]["snapshot"]).content)
    assert document["checksum"] == checksum_of(document)
    assert document["journal"] == []
    document["run"]["input"] = "owed"
    assert document["checksum"] != checksum_of(document)


def test_a_journal_over_its_bound_is_refused(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()
    for size, status in ((LIMIT, 200), (LIMIT + 1, 409)):
        with unscoped("stands in for the engine"):
            Run.objects.update(journal_bytes=size)
        assert client.get(run["links"]["snapshot"]).status_code == status
    assert client.get(run["links"]["snapshot"]).json()["code"] == "SNAPSHOT_TOO_LARGE"


def test_a_run_whose_step_type_is_gone_has_no_state(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()
    assert json.loads(client.get(run["links"]["snapshot"]).content)["state"] is not None
    with unscoped("a type is taken away"):
        revision = Run.objects.get().revision
        revision.definition["steps"][0]["type"] = "long_gone"
        revision.save(update_fields=["definition"])
    document = json.loads(client.get(run["links"]["snapshot"]).content)
    assert document["state"] is None
    assert document["checksum"] == checksum_of(document)
