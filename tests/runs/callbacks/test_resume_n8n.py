"""Callbacks that resume workflows of an n8n: every one arrives, none twice, whenever the workflow waits."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import Delivery, Run
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.support.callbacks import deliveries_of, log_of, start_with_callback, wait_for_status
from tests.support.definitions import steps_in_a_row
from tests.support.engine import eventually
from tests.support.host import running_host
from tests.support.n8n import WaitNode, Workflow, retry_on_fail

MOST_JUMPS = 80


@pytest.fixture
def n8n() -> Iterator[WaitNode]:
    with WaitNode() as running:
        yield running


def pending() -> list[Delivery]:
    with unscoped("tests look everywhere"):
        return list(Delivery.objects.filter(status="pending").order_by("next_at"))


def is_still() -> bool:
    """Whether nothing is due and nothing under way."""
    return all(not one.is_claimed and one.next_at and one.next_at > utc_now() for one in pending())


def tell_all(n8n: WaitNode, *run_ids: UUID) -> None:
    """Wait until all is delivered, with the time between tries left out for both sides."""
    assert eventually(lambda: all(deliveries_of(run_id) for run_id in run_ids), seconds=10)
    for _ in range(MOST_JUMPS):
        assert eventually(is_still, seconds=10)
        left = pending()
        if not left:
            return
        assert left[0].next_at
        seconds = (left[0].next_at - utc_now()).total_seconds()
        n8n.advance(seconds)
        with unscoped("a test moves the clock"):
            Delivery.objects.filter(status="pending").update(next_at=F("next_at") - timedelta(seconds=seconds))
    raise AssertionError(f"still pending: {[log_of(run_id) for run_id in run_ids]}")


@pytest.mark.parametrize(("waits_at", "most_tries"), [(0, 1), (1, 1), (5, 3), (40, 5)])
def test_a_workflow_that_waits_late_is_resumed_soon_behind_it(
    acme: Tenant, n8n: WaitNode, waits_at: float, most_tries: int
) -> None:
    began = n8n.now
    workflow = Workflow(known_at=began + waits_at / 2, waits_at=began + waits_at)
    url = n8n.add(workflow, "4711")
    with running_host():
        run_id = start_with_callback(acme, url, is_quick=True)
        tell_all(n8n, run_id)
    assert len(workflow.resumed_by) == 1
    assert [delivery.status for delivery in deliveries_of(run_id)] == ["delivered"]
    assert {one.status_code for one in log_of(run_id)} <= {404, 409, 200}
    assert len(log_of(run_id)) <= most_tries, "after 2, 4, 9, 24 and 54 seconds"


def test_ten_items_to_one_url_resume_ten_waits(acme: Tenant, n8n: WaitNode) -> None:
    workflow = Workflow(waits=10, busy_seconds=0.5)
    url = n8n.add(workflow, "4711")
    with running_host():
        run_ids = [start_with_callback(acme, url) for _ in range(10)]
        tell_all(n8n, *run_ids)
    told = [delivery.webhook_id for run_id in run_ids for delivery in deliveries_of(run_id)]
    assert sorted(workflow.resumed_by) == sorted(told)
    assert len(set(told)) == 10


def test_a_restart_of_half_a_minute_loses_none_and_repeats_none(acme: Tenant, n8n: WaitNode) -> None:
    workflows = [Workflow(), Workflow(), Workflow()]
    urls = [n8n.add(workflow, str(number)) for number, workflow in enumerate(workflows)]
    n8n.restart(at=n8n.now, seconds=30)
    with running_host():
        run_ids = [start_with_callback(acme, url) for url in urls]
        tell_all(n8n, *run_ids)
    assert [len(workflow.resumed_by) for workflow in workflows] == [1, 1, 1]
    for run_id in run_ids:
        assert [one.status_code for one in log_of(run_id)] == [None] * (len(log_of(run_id)) - 1) + [200]
        assert len(log_of(run_id)) > 1, "it was away"


def test_a_wait_for_get_is_resumed_once_it_takes_post(acme: Tenant, n8n: WaitNode) -> None:
    workflow = Workflow(takes="GET")
    url = n8n.add(workflow, "4711")
    with running_host():
        run_id = start_with_callback(acme, url)
        assert eventually(lambda: bool(log_of(run_id)) and is_still(), seconds=10)
        workflow.takes = "POST"
        tell_all(n8n, run_id)
        wait_for_status(run_id, "delivered")
    assert [one.status_code for one in log_of(run_id)] == [404, 200]


def test_a_node_that_retries_without_a_key_starts_one_run_per_success(acme: Tenant) -> None:
    client = APIClient(headers={"Authorization": f"Bearer {create_api_key(tenant=acme, name='n8n').text}"})
    segment = steps_in_a_row("input")
    starts = [
        {"segment": {**segment, "entrypoint": "nowhere"}},
        {"segment": segment, "input": {"item": 1}},
        {"segment": segment, "input": {"item": 1}},
    ]
    answers = (client.post("/api/v1/runs", start, format="json") for start in starts)
    with running_host():
        assert retry_on_fail((answer.status_code, answer.json()) for answer in answers) == 2, "one was refused"
    with unscoped("tests look everywhere"):
        assert Run.objects.count() == 1
