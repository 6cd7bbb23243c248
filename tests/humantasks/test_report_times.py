"""A report tells how long people take, by segment and by group, of one tenant."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from foundation.scope import tenant_scope
from humantasks.models import HumanTask
from kernel.clock import utc_now
from runs.models import Run
from tests.conftest import Customer, make_customer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import make_revision
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]
NOW = utc_now()


@pytest.fixture
def acme(db: None) -> Customer:
    return make_customer("acme", "Acme")


def task(customer: Customer, segment_id: str, *groups: str, claimed: float | None = None, **more: Any) -> None:
    revision = make_revision(customer.tenant, steps_in_a_row("input"))
    ended = more.pop("decided", None)
    facts: dict[str, Any] = {"status": "open", "due_at": NOW + timedelta(days=1), **more}
    if ended is not None:
        facts |= {"status": "completed", "ended_at": NOW + timedelta(seconds=ended)}
    elif facts["status"] != "open":
        facts["ended_at"] = NOW
    with tenant_scope(customer.tenant.id):
        run = Run.objects.create(tenant=customer.tenant, revision=revision, segment_id=segment_id, timeout_seconds=60)
        HumanTask.objects.create(
            tenant=customer.tenant,
            run=run,
            segment_id=segment_id,
            step_id="ask",
            activation=1,
            task_type="approval",
            title="Pay?",
            timeout_seconds=60,
            candidate_groups=list(groups),
            created_at=facts.pop("created_at", NOW),
            first_claimed_at=None if claimed is None else NOW + timedelta(seconds=claimed),
            **facts,
        )


def lines(api: Api, customer: Customer, **query: Any) -> dict[str | None, dict[str, Any]]:
    answer = api(customer).get("/api/v1/human-tasks/report", query)
    assert answer.status_code == 200, answer.content
    return {line["name"]: line for line in answer.json()["lines"]}


def test_times_and_ends_are_told_by_segment(acme: Customer, api: Api) -> None:
    for seconds in (10, 20, 90):
        task(acme, "refunds", "finance", claimed=seconds / 10, decided=seconds)
    task(acme, "refunds", "finance", status="timed_out")
    task(acme, "refunds", "finance", due_at=NOW - timedelta(hours=1))
    task(acme, "letters", status="cancelled")
    found = lines(api, acme)
    refunds = found["refunds"]
    names = ("created", "open", "completed", "timed_out", "cancelled", "overdue")
    assert [refunds[name] for name in names] == [5, 1, 3, 1, 0, 1]
    assert refunds["to_decide"] == {"average": 40.0, "p50": 20.0, "p95": pytest.approx(83)}
    assert refunds["to_claim"]["p50"] == pytest.approx(2)
    assert found["letters"]["to_decide"] == {"average": None, "p50": None, "p95": None}
    assert list(found) == ["refunds", "letters"], "the most frequent first"


def test_a_task_of_two_groups_counts_in_each(acme: Customer, api: Api) -> None:
    task(acme, "refunds", "finance", "legal", decided=10)
    task(acme, "refunds", "finance", decided=30)
    task(acme, "refunds")
    found = lines(api, acme, by="group")
    assert {name: line["created"] for name, line in found.items()} == {"finance": 2, "legal": 1, None: 1}
    assert found["finance"]["to_decide"]["average"] == 20


def test_only_the_period_that_is_asked_for(acme: Customer, api: Api) -> None:
    task(acme, "old", created_at=NOW - timedelta(days=10))
    task(acme, "new")
    assert list(lines(api, acme, after=(NOW - timedelta(days=1)).isoformat())) == ["new"]
    assert list(lines(api, acme, before=(NOW - timedelta(days=1)).isoformat())) == ["old"]
    assert set(lines(api, acme)) == {"old", "new"}


def test_another_tenant_sees_none_of_it_and_a_reviewer_is_refused(acme: Customer, globex: Customer, api: Api) -> None:
    task(acme, "refunds")
    assert lines(api, globex) == {}
    made = make_member(acme.tenant, "ann")
    token = api(acme).post("/api/v1/tokens", {"scopes": ["tasks:read"], "member": str(made.id)}).json()["token"]
    refused = APIClient(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/human-tasks/report")
    assert (refused.status_code, refused.json()["code"]) == (403, "REPORT_REFUSED")
