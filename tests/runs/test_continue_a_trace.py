"""A run belongs to the trace of the request that started it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from foundation.scope import unscoped
from runs.models import Run
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

pytestmark = pytest.mark.django_db(transaction=True)


def kept(answer: Any) -> str:
    assert answer.status_code == 202
    with unscoped("tests look everywhere"):
        return Run.objects.get(id=UUID(answer.json()["run_id"])).traceparent


def test_the_callers_span_is_the_runs_parent(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put("/api/v1/segments/row", steps_in_a_row("input"))
    for path, body in (("segments/row/runs", {"input": 1}), ("runs", {"segment": steps_in_a_row("input")})):
        assert kept(client.post(f"/api/v1/{path}", body, headers={"traceparent": PARENT})) == PARENT


def test_a_trace_that_begins_with_the_request_is_the_one_answered(acme: Customer, api: Api) -> None:
    answer = api(acme).post("/api/v1/runs", {"segment": steps_in_a_row("input")})
    _, trace_id, span_id, _ = answer["traceparent"].split("-")
    assert kept(answer) == f"00-{trace_id}-{span_id}-01", "whoever makes spans of it decides what is kept"


@pytest.mark.parametrize("text", ["x" * 55, PARENT.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01", PARENT + "-more"])
def test_what_is_no_trace_is_not_kept(acme: Customer, api: Api, text: str) -> None:
    body = {"segment": steps_in_a_row("input")}
    assert kept(api(acme).post("/api/v1/runs", body, headers={"traceparent": PARENT})) == PARENT
    found = kept(api(acme).post("/api/v1/runs", body, headers={"traceparent": text}))
    assert TRACE not in found
    assert len(found) == 55


def test_a_replay_belongs_to_the_request_that_asked_for_it(acme: Customer, api: Api) -> None:
    client = api(acme)
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()
    assert kept(client.post(run["links"]["replay"], headers={"traceparent": PARENT})) == PARENT
