"""A run that is due and not executed says what it waits for, with numbers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.ids import new_id
from runs import selectors
from runs.models import Run, Worker
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import set_limits

Api = Callable[[Customer], APIClient]


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    return api(acme)


def start(client: APIClient, **more: Any) -> str:
    answer = client.post("/api/v1/runs", {"segment": steps_in_a_row("input"), **more})
    assert answer.status_code == 202, answer.json()
    run_id: str = answer.json()["run_id"]
    return run_id


def waits_of(client: APIClient, run_id: str) -> list[dict[str, Any]]:
    waits: list[dict[str, Any]] = client.get(f"/api/v1/runs/{run_id}").json()["waiting_for"]
    return waits


def change(run_id: str, **fields: Any) -> None:
    with unscoped("stands in for the engine"):
        Run.objects.filter(id=run_id).update(**fields)


def test_tells_limit_running_and_how_many_are_ahead(client: APIClient, acme: Customer) -> None:
    set_limits(acme.tenant, concurrent_runs=7)
    executed, first, second = start(client), start(client), start(client)
    host = Worker.objects.create(name="host", lease_until=utc_now())
    change(executed, owner=host.id, wake_at=None, status="running")
    assert waits_of(client, executed) == []
    (wait,) = waits_of(client, second)
    assert datetime.fromisoformat(wait.pop("since")) <= utc_now()
    assert wait == {"kind": "slot", "limit": 7, "running": 1, "ahead": 1}
    urgent = start(client, priority=5)
    assert [waits_of(client, one)[0]["ahead"] for one in (urgent, first, second)] == [0, 1, 2]


def test_a_parked_run_that_woke_says_so_too_and_is_ahead_by_its_age(client: APIClient) -> None:
    parked, queued = start(client), start(client)
    timer = {"kind": "timer", "ref": "wait#1"}
    change(parked, status="waiting", waiting_for=[timer], wake_at=utc_now() + timedelta(hours=1))
    assert waits_of(client, parked) == [timer]
    assert waits_of(client, queued)[0]["ahead"] == 0
    change(parked, wake_at=utc_now() - timedelta(seconds=1))
    assert [wait["kind"] for wait in waits_of(client, parked)] == ["timer", "slot"]
    assert waits_of(client, queued)[0]["ahead"] == 1


@pytest.mark.parametrize("status", ["paused", "stalled", "completed"])
def test_a_run_that_is_not_to_be_executed_waits_for_no_slot(client: APIClient, status: str) -> None:
    run_id = start(client)
    assert [wait["kind"] for wait in waits_of(client, run_id)] == ["slot"]
    change(run_id, status=status, wake_at=None)
    assert waits_of(client, run_id) == []


def test_a_long_queue_is_counted_to_a_bound(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "COUNTED_AHEAD", 3)
    run_ids = [start(client) for _ in range(6)]
    assert [waits_of(client, run_id)[0]["ahead"] for run_id in run_ids] == [0, 1, 2, 3, 3, 3]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        waits_of(client, run_ids[0])
    read = [query["sql"] for query in queries if '"runs_run"."priority"' in query["sql"] and "LIMIT 3" in query["sql"]]
    assert len(read) == 2, "what is due is read up to the bound, of the queue and of those that woke"


def test_runs_of_other_tenants_are_not_told(client: APIClient, globex: Customer, api: Api) -> None:
    for _ in range(3):
        start(api(globex))
    change(start(api(globex)), owner=new_id(), wake_at=None, status="running")
    run_id = start(client)
    (wait,) = waits_of(client, run_id)
    assert (wait["running"], wait["ahead"]) == (0, 0)
    assert api(globex).get(f"/api/v1/runs/{run_id}").status_code == 404
