"""The activations of a run, folded from its journal: splits, joins, retries, failures; through a real worker."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from runs.api.serializers import StepShape
from runs.selectors import IN_BETWEEN, OUTCOMES
from tests.conftest import Customer
from tests.support.host import running_host

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)

EACH_ITEM = {
    "version": "1.0",
    "segment_id": "each_item",
    "name": "Each item",
    "entrypoint": "split",
    "params": {"parallel_execution": True},
    "steps": [
        {"step_id": "split", "type": "parallel_split", "config": {"items": "input.numbers"}},
        {"step_id": "double", "type": "transform", "config": {"expression": "item * 2"}},
        {"step_id": "join", "type": "parallel_join", "config": {}},
    ],
    "edges": [
        {"from": "split", "from_port": "branch_1", "to": "double"},
        {"from": "double", "to": "join", "to_port": "input_1"},
    ],
}
FAILS = {
    "version": "1.0",
    "segment_id": "fails",
    "name": "Fails",
    "entrypoint": "good",
    "steps": [
        {"step_id": "good", "type": "transform", "config": {"expression": "input + 1"}},
        {"step_id": "bad", "type": "transform", "config": {"expression": "input / 0"}},
    ],
    "edges": [{"from": "good", "to": "bad"}],
}


def run_to_its_end(client: APIClient, segment: dict[str, Any], value: Any) -> dict[str, Any]:
    with running_host():
        answer = client.post("/api/v1/runs", {"segment": segment, "input": value})
        assert answer.status_code == 202, answer.content
        run: dict[str, Any] = client.get(answer.json()["links"]["self"] + "?wait=20").json()
    return run


def test_each_item_is_an_activation_with_its_own_input(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = run_to_its_end(client, EACH_ITEM, {"numbers": [1, 2, 3]})
    assert (run["status"], run["output"]) == ("completed", [2, 4, 6]), run
    steps = client.get(run["links"]["steps"]).json()["data"]
    doubles = [step for step in steps if step["step_id"] == "double"]
    assert [step["activation"] for step in doubles] == [1, 2, 3]
    assert sorted(value for step in doubles for value in step["inputs"].values()) == [1, 2, 3]
    for step in doubles:
        assert list(step["output"].values()) == [2 * value for value in step["inputs"].values()]
    (split,) = (step for step in steps if step["step_id"] == "split")
    assert split["output"] == {"branch_1": [1, 2, 3]}
    (join,) = (step for step in steps if step["step_id"] == "join")
    assert list(join["inputs"].values()) == [[2, 4, 6]]
    assert run["progress"] == {"activations": 5, "active": 0}
    page = client.get(run["links"]["steps"] + "?limit=2").json()
    paged = page["data"]
    while page["next_url"]:
        page = client.get(page["next_url"]).json()
        paged += page["data"]
    assert paged == steps


def test_a_failed_step_shows_its_error_and_its_input(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = run_to_its_end(client, FAILS, 1)
    assert run["status"] == "failed"
    assert (run["error"]["step_id"], run["error"]["activation"]) == ("bad", 1)
    good, bad = client.get(run["links"]["steps"]).json()["data"]
    assert (good["status"], bad["status"], bad["attempts"]) == ("completed", "failed", 1)
    assert list(bad["inputs"].values()) == [2]
    assert (bad["output"], bad["error"]["code"]) == (None, run["error"]["code"])
    events = client.get(run["links"]["events"]).json()["data"]
    assert [event["event_type"] for event in events if event["severity"] == "error"] == [
        "step.failed",
        "segment.failed",
    ]
    assert events[-1]["error"]["step_id"] == "bad"


def test_events_go_on_behind_the_last_one_seen(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = run_to_its_end(client, EACH_ITEM, {"numbers": [1, 2]})
    address = run["links"]["events"]
    all_events = client.get(address).json()["data"]
    page = client.get(address + "?limit=2").json()
    found = page["data"]
    while page["next_url"]:
        page = client.get(page["next_url"]).json()
        found += page["data"]
    assert found == all_events
    last = all_events[-1]["seq"]
    assert client.get(f"{address}?after={last}").json() == {"data": [], "next_cursor": None, "next_url": None}
    assert client.get(f"{address}?after={last - 1}").json()["data"] == all_events[-1:]
    for query in ("after=-1", "after=x", "after=99999999999", "limit=0", "cursor=1"):
        assert client.get(f"{address}?{query}").status_code == 422


def test_every_status_of_a_step_is_described() -> None:
    described = StepShape().fields["status"].choices
    assert set(described) == {"running", *IN_BETWEEN.values(), *OUTCOMES.values()}
