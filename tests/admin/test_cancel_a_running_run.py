"""A run that is executing right now, stopped from the console."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client

from tests.conftest import Customer
from tests.support.engine import queue_runs, wait_for, wait_until_over
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step
from tests.support.worker import running_worker


@pytest.mark.django_db(transaction=True)
def test_its_worker_ends_it_and_the_journal_names_the_reason(console: Client, acme: Customer) -> None:
    with CountingServer() as server, running_worker():
        server.route("GET", "/slow", Answer(body={}, delay_seconds=20))
        slow = step("slow", "http_action", method="GET", url=f"{server.url}/slow")
        (run_id,) = queue_runs(acme.tenant, segment(slow), 1)
        wait_for(lambda: server.count() == 1, what="the step calls")
        assert "Running" in console.get(f"/admin/runs/run/{run_id}/change/").text
        asked = {"action": "cancel_runs", ACTION_CHECKBOX_NAME: [str(run_id)], "confirmed": "1"}
        answer = console.post("/admin/runs/run/", {**asked, "reason": "the shop asked us to stop"}, follow=True)
        assert "Asked to be cancelled: 1" in answer.text
        assert wait_until_over(run_id, seconds=10) == ["cancelled"]
    page = console.get(f"/admin/runs/run/{run_id}/change/").text
    assert "segment.cancelled" in page
    assert "the shop asked us to stop" in page
