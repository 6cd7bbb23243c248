"""Four eyes and quorum look through delegation: what a key does in a member's name counts as that key as well."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from humantasks.models import HumanTask, TaskDecision
from runs.engine.host.host import Host
from runs.models import RunEvent
from tenants.members.sessions import TENANT
from tenants.models import Membership, Tenant
from tenants.services import create_api_key
from tests.support.engine import queue_run, wait_until_over
from tests.support.tasks import ask, decide, task_of

TASKS = ["tasks:read", "tasks:write", "runs:write"]
WAYS = ("approved -> yes", "rejected -> no")


class Program:
    """A program with a key, which may act for members."""

    def __init__(self, tenant: Tenant, name: str) -> None:
        made = create_api_key(tenant=tenant, name=name)
        self.key = made.api_key.public_id
        self.client = APIClient(headers={"X-API-Key": made.text})
        self.client.default_format = "json"

    def for_member(self, member: Membership, scopes: list[str] = TASKS[:2]) -> APIClient:
        answer = self.client.post("/api/v1/tokens", {"scopes": scopes, "member": str(member.id)})
        assert answer.status_code == 201, answer.content
        client = APIClient(headers={"Authorization": f"Bearer {answer.json()['token']}"})
        client.default_format = "json"
        return client

    def ask(self, **config: Any) -> HumanTask:
        return ask_by(self.client, **config)


@pytest.fixture
def canvas(acme: Tenant) -> Program:
    return Program(acme, "canvas")


@pytest.fixture
def other(acme: Tenant) -> Program:
    return Program(acme, "other")


def ask_by(client: APIClient, **config: Any) -> HumanTask:
    started = client.post("/api/v1/runs", {"segment": ask(*WAYS, **config)})
    assert started.status_code == 202, started.content
    return task_of(started.json()["run_id"])


def in_person(member: Membership) -> APIClient:
    client = APIClient()
    client.default_format = "json"
    client.force_login(member.user)
    session = client.session
    session[TENANT] = str(member.tenant_id)
    session.save()
    return client


def approve(client: APIClient, task: HumanTask) -> str:
    """Approve, and give what came of it: the task's status, or the rule that forbids it."""
    answer = client.post(f"/api/v1/human-tasks/{task.id}/complete", {"decision": "approved"})
    body = answer.json()
    return str(body["status"] if answer.status_code == 200 else body["reason"])


def test_the_key_that_started_a_run_decides_it_in_nobodys_name(
    host: Host, canvas: Program, other: Program, ann: Membership, bob: Membership
) -> None:
    assert approve(canvas.for_member(ann), canvas.ask()) == "completed", "without four eyes it may"
    task = canvas.ask(four_eyes=True)
    for member in (ann, bob):
        client = canvas.for_member(member)
        assert approve(client, task) == "four_eyes"
        assert client.post(f"/api/v1/human-tasks/{task.id}/claim").json()["reason"] == "four_eyes"
        assert client.get(f"/api/v1/human-tasks/{task.id}").json()["may"]["decide"] is False
    assert approve(canvas.client, task) == "four_eyes"
    assert approve(other.for_member(ann), task) == "completed", "another key may"
    task = canvas.ask(four_eyes=True)
    assert approve(in_person(ann), task) == "completed", "and the member in person"


def test_who_had_a_run_started_by_a_key_does_not_decide_it_in_person(
    host: Host, canvas: Program, other: Program, ann: Membership, bob: Membership
) -> None:
    with tenant_scope(ann.tenant_id):
        Membership.objects.filter(id=ann.id).update(role="admin")
    task = ask_by(canvas.for_member(ann, TASKS), four_eyes=True)
    assert approve(in_person(ann), task) == "four_eyes"
    assert approve(other.for_member(ann), task) == "four_eyes"
    assert approve(canvas.for_member(bob), task) == "four_eyes"
    assert approve(in_person(bob), task) == "completed"


def test_a_key_has_one_vote_for_whomever_it_acts(
    host: Host, canvas: Program, other: Program, ann: Membership, bob: Membership
) -> None:
    task = canvas.ask(quorum={"approvals": 2, "of": 3})
    assert approve(canvas.for_member(ann), task) == "open"
    for client in (canvas.for_member(bob), canvas.client, in_person(ann), other.for_member(ann)):
        assert approve(client, task) == "decided_already"
    assert approve(in_person(bob), task) == "completed"


def test_of_a_key_that_votes_for_many_at_once_one_vote_counts(
    host: Host, canvas: Program, ann: Membership, bob: Membership
) -> None:
    task = canvas.ask(quorum={"approvals": 2, "of": 3})
    clients = [canvas.for_member(ann), canvas.for_member(bob)] * 4
    start = threading.Barrier(len(clients), timeout=30)

    def say(client: APIClient) -> str:
        start.wait()
        try:
            return approve(client, task)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(clients)) as pool:
        said = list(pool.map(say, clients))
    assert sorted(said) == ["decided_already"] * 7 + ["open"]
    with unscoped("tests look everywhere"):
        decision = TaskDecision.objects.get(task=task)
        assert decision.key == canvas.key
        twice = TaskDecision(tenant=task.tenant, task=task, actor="key:x for member:y", key=canvas.key, name="y")
        with pytest.raises(IntegrityError, match="task_decision_once_a_key"), transaction.atomic():
            twice.save(force_insert=True)
        twice.key, twice.member_id = "", decision.member_id
        with pytest.raises(IntegrityError, match="task_decision_once_a_member"), transaction.atomic():
            twice.save(force_insert=True)


def test_audit_journal_and_api_name_the_key_and_the_member(host: Host, canvas: Program, ann: Membership) -> None:
    task = canvas.ask()
    client, both = canvas.for_member(ann), f"key:{canvas.key} for member:{ann.id}"
    assert client.post(f"/api/v1/human-tasks/{task.id}/claim").status_code == 200
    assert approve(client, task) == "completed"
    assert wait_until_over(task.run_id) == ["completed"]
    with unscoped("tests look everywhere"):
        actors = dict(Entry.objects.filter(object_id=str(task.id)).values_list("action", "actor"))
        told = dict(RunEvent.objects.filter(run_id=task.run_id).values_list("type", "payload"))
    assert {name: actors[name] for name in ("task.claimed", "task.decided", "task.completed")} == {
        "task.claimed": both,
        "task.decided": both,
        "task.completed": both,
    }
    written = {"member_id": str(ann.id), "name": "Ann", "key": canvas.key}
    assert told["human.task_assigned"]["by"] == written
    assert told["human.task_completed"]["decided_by"] == written
    assert client.get(f"/api/v1/human-tasks/{task.id}").json()["decisions"][0]["key"] == canvas.key
    page = in_person(ann).get(f"/inbox/tasks/{task.id}/").content.decode()
    assert f"Ann (through key {canvas.key}) decided: Approved" in page
    alone = canvas.ask()
    assert approve(in_person(ann), alone) == "completed"
    assert in_person(ann).get(f"/api/v1/human-tasks/{alone.id}").json()["decisions"][0]["key"] is None


def test_what_else_a_key_does_for_a_member_is_recorded_of_both(acme: Tenant, canvas: Program, ann: Membership) -> None:
    with tenant_scope(acme.id):
        Membership.objects.filter(id=ann.id).update(role="admin")
    started = canvas.for_member(ann, TASKS).post("/api/v1/runs", {"segment": ask()})
    with tenant_scope(acme.id):
        entry = Entry.objects.get(object_id=started.json()["run_id"])
    assert entry.actor == f"key:{canvas.key} for member:{ann.id}"


def test_an_operator_who_started_a_run_does_not_decide_it_as_a_member(
    acme: Tenant, host: Host, ann: Membership, bob: Membership
) -> None:
    run_id = queue_run(acme, ask(*WAYS, four_eyes=True))
    task = task_of(run_id)
    with unscoped("as if an operator who is a member had replayed it in the console"):
        HumanTask.objects.filter(id=task.id).update(started_by=f"user:{ann.user_id}")
    assert approve(in_person(ann), task) == "four_eyes"
    decide(bob, task)
    assert wait_until_over(run_id) == ["completed"]
