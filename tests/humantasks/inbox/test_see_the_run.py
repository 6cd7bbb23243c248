"""The picture of a run is for those who are asked something in it, and shows nothing of what other steps work on."""

import re
from datetime import timedelta

from foundation.scope import tenant_scope
from kernel.clock import utc_now
from runs.models import Run
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.console import an_event
from tests.support.inbox import a_task, a_waiting_run, client_of

GRAPH = {
    "segment_id": "refund",
    "name": "Refund desk",
    "entrypoint": "read",
    "steps": [
        {"step_id": "read", "type": "transform", "name": "Read the <b>order</b>"},
        {"step_id": "ask", "type": "human_task", "name": "Ask"},
        {"step_id": "pay", "type": "http_action", "name": "Pay", "config": {"url": "https://secret.test/canary"}},
    ],
    "edges": [{"from": "read", "to": "ask"}, {"from": "ask", "from_port": "approved", "to": "pay"}],
}


def a_run_that_asks(acme: Customer) -> Run:
    run = a_waiting_run(acme.tenant, GRAPH, waiting_for=[{"kind": "human", "ref": "ask#1"}], output={"x": "canary"})
    payload = {"inputs": {}, "ports": {"output": "canary of the data"}}
    an_event(run, type_="step.started", payload={"inputs": {}}, step_id="read", activation=1, attempt=1)
    an_event(run, type_="step.completed", payload=payload, step_id="read", activation=1, attempt=1)
    an_event(run, type_="step.started", payload={"inputs": {}}, step_id="ask", activation=1, attempt=1)
    return run


def test_each_step_shows_how_it_stands(acme: Customer, ann: Membership) -> None:
    run = a_run_that_asks(acme)
    task = a_task(acme.tenant, run=run)
    answer = client_of(ann).get(f"/inbox/runs/{run.id}/")
    assert answer.status_code == 200
    states = {box.step_id: box.status for box in answer.context["page"].steps}
    assert states == {"read": "completed", "ask": "asked", "pay": "not_reached"}
    assert task.title in answer.text
    assert "Refund desk" in answer.text


def test_nothing_of_the_data_or_the_configuration_is_there(acme: Customer, ann: Membership) -> None:
    run = a_run_that_asks(acme)
    a_task(acme.tenant, run=run, data={"mine": "shown elsewhere"})
    html = client_of(ann).get(f"/inbox/runs/{run.id}/").text
    assert "canary" not in html
    assert "shown elsewhere" not in html
    assert "<b>order</b>" not in html
    assert not re.search(r"\sstyle=", html)


def test_it_is_for_those_who_are_asked(acme: Customer, ann: Membership, gus: Membership) -> None:
    run = a_run_that_asks(acme)
    assert client_of(ann).get(f"/inbox/runs/{run.id}/").status_code == 404
    a_task(acme.tenant, run=run)
    assert client_of(ann).get(f"/inbox/runs/{run.id}/").status_code == 200
    assert client_of(gus).get(f"/inbox/runs/{run.id}/").status_code == 404


def test_a_run_that_ended_has_stopped_steps(acme: Customer, ann: Membership) -> None:
    run = a_run_that_asks(acme)
    a_task(acme.tenant, run=run)
    with tenant_scope(acme.tenant.id):
        Run.objects.filter(id=run.id).update(status="cancelled", wake_at=None, waiting_for=[])
    states = {box.step_id: box.status for box in client_of(ann).get(f"/inbox/runs/{run.id}/").context["page"].steps}
    assert states["ask"] == "stopped"


def test_a_run_that_waits_for_room_says_how_many_are_ahead(acme: Customer, ann: Membership) -> None:
    run = a_run_that_asks(acme)
    a_task(acme.tenant, run=run)
    address = f"/inbox/runs/{run.id}/"
    with tenant_scope(acme.tenant.id):
        Run.objects.filter(id=run.id).update(wake_at=utc_now() + timedelta(hours=1))
    assert "waits for a free place" not in client_of(ann).get(address).text
    first = a_waiting_run(acme.tenant, GRAPH)
    due = utc_now() - timedelta(seconds=1)
    with tenant_scope(acme.tenant.id):
        Run.objects.filter(id=first.id).update(status="queued", wake_at=due, created_at=due)
        Run.objects.filter(id=run.id).update(status="queued", wake_at=due)
    assert "The run waits for a free place. Runs ahead of it: 1." in client_of(ann).get(address).text
