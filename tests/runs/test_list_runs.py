"""Lists of runs: filters and pages."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.models import Run, RunStatus
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]


@pytest.fixture
def client(acme: Customer, api: Api) -> APIClient:
    client = api(acme)
    for number in range(6):
        segment = steps_in_a_row("input", segment_id="odd" if number % 2 else "even")
        body = {"segment": segment, "input": number, "client_reference": f"order-{number // 3}"}
        assert client.post("/api/v1/runs", body).status_code == 202
    with unscoped("stands in for the engine"):
        ids = list(Run.objects.order_by("id").values_list("id", flat=True))
        Run.objects.filter(id=ids[0]).update(status=RunStatus.WAITING)
        Run.objects.filter(id=ids[1]).update(status=RunStatus.PAUSED)
        Run.objects.filter(id=ids[2]).update(status=RunStatus.COMPLETED, wake_at=None)
    return client


def inputs(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [run["input"] for run in answer.json()["data"]]


def test_newest_first(client: APIClient) -> None:
    assert inputs(client.get("/api/v1/runs")) == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=waiting", [0]),
        ("status=waiting,paused", [1, 0]),
        ("status=queued", [5, 4, 3]),
        ("segment=odd", [5, 3, 1]),
        ("segment=nowhere", []),
        ("client_reference=order-0", [2, 1, 0]),
        ("segment=even&client_reference=order-0&status=completed,queued", [2]),
    ],
)
def test_filters_add_up(client: APIClient, query: str, found: list[int]) -> None:
    assert inputs(client.get(f"/api/v1/runs?{query}")) == found


def test_times_filter_exclusively(client: APIClient) -> None:
    third = client.get("/api/v1/runs").json()["data"][2]["created_at"]
    assert inputs(client.get(f"/api/v1/runs?created_after={quote(third)}")) == [5, 4]
    assert inputs(client.get(f"/api/v1/runs?created_before={quote(third)}")) == [2, 1, 0]


def test_pages_keep_their_filters_and_miss_nothing(client: APIClient) -> None:
    answer = client.get("/api/v1/runs?segment=even&limit=1")
    found = inputs(answer)
    while answer.json()["next_url"]:
        answer = client.get(answer.json()["next_url"])
        found += inputs(answer)
    assert found == [4, 2, 0]
