"""A suspended tenant starts nothing; it reads, cancels and decides, and resuming undoes exactly what was done."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from runs.commands import command_run
from runs.lifecycle.suspensions import settle_suspensions
from runs.models import Run, SignalKind, SuspendedRun
from tenants.lifecycle.suspension import resume_tenant, suspend_tenant
from tenants.models import RunsWhileSuspended, Tenant
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import get_run, queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.segments import segment, step
from tests.support.tasks import ask, decide, make_member, task_of

Api = Callable[[Customer], APIClient]
FINISH, PAUSE = RunsWhileSuspended.FINISH, RunsWhileSuspended.PAUSE
LATER = segment(step("later", "wait", mode="delay", seconds=3600))
QUICK = segment(step("only", "transform", expression="input"))


def suspend(tenant: Tenant, runs: RunsWhileSuspended = FINISH, reason: str = "The bill is open.") -> None:
    suspend_tenant(tenant_id=tenant.id, runs=runs, reason=reason, actor="user:1")


def resume(tenant: Tenant) -> None:
    resume_tenant(tenant_id=tenant.id, actor="user:1")


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_starts_of_every_kind_are_refused_with_the_reason_until_it_is_resumed(acme: Customer, api: Api) -> None:
    client = api(acme)
    client.put("/api/v1/segments/live", steps_in_a_row("input", segment_id="live"))
    first = client.post("/api/v1/segments/live/runs", {"input": {}}).json()
    starts: list[tuple[str, dict[str, Any]]] = [
        ("/api/v1/segments/live/runs", {"input": {}}),
        ("/api/v1/runs", {"segment": steps_in_a_row("input")}),
        ("/api/v1/catalog/transform/test", {"config": {"expression": "1"}, "inputs": {}}),
        (first["links"]["replay"], {}),
    ]
    for path, body in starts:
        assert client.post(path, body).status_code == 202, path
    suspend(acme.tenant)
    for path, body in starts:
        answer = client.post(path, body)
        assert code(answer) == (409, "TENANT_SUSPENDED"), path
        assert answer.json()["state"] == "suspended"
        assert "The bill is open." in answer.json()["detail"]
    resume(acme.tenant)
    for path, body in starts:
        assert client.post(path, body).status_code == 202, path


def test_it_reads_cancels_and_saves_while_another_tenant_starts(acme: Customer, globex: Customer, api: Api) -> None:
    client = api(acme)
    run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()
    assert client.get("/api/v1/me").json()["tenant"]["state"] == "active"
    suspend(acme.tenant)
    assert client.get("/api/v1/me").json()["tenant"]["state"] == "suspended"
    for path in (run["links"]["self"], run["links"]["events"], "/api/v1/runs", run["links"]["snapshot"]):
        assert client.get(path).status_code == 200, path
    assert client.post(run["links"]["cancel"]).status_code == 202
    assert api(globex).post("/api/v1/runs", {"segment": steps_in_a_row("input")}).status_code == 202


def test_a_start_that_is_repeated_under_its_key_is_answered_as_before(acme: Customer, api: Api) -> None:
    client, headers = api(acme), {"Idempotency-Key": "k1"}
    body = {"segment": steps_in_a_row("input")}
    first = client.post("/api/v1/runs", body, headers=headers)
    suspend(acme.tenant)
    assert client.post("/api/v1/runs", body, headers=headers).json()["run_id"] == first.json()["run_id"]
    assert code(client.post("/api/v1/runs", body)) == (409, "TENANT_SUSPENDED")


@pytest.mark.django_db(transaction=True)
def test_runs_finish_or_are_paused_as_is_chosen(acme: Customer) -> None:
    with running_host():
        parked = queue_run(acme.tenant, LATER)
        wait_for(lambda: get_run(parked).status == "waiting")
        suspend(acme.tenant, FINISH)
        assert settle_suspensions() == 0
        queued = queue_run(acme.tenant, QUICK)
        assert wait_until_over(queued) == ["completed"], "it was started before"
        suspend(acme.tenant, PAUSE)
        assert settle_suspensions() == 1
        wait_for(lambda: get_run(parked).status == "paused")
        suspend(acme.tenant, FINISH)
        assert settle_suspensions() == 1
        wait_for(lambda: get_run(parked).status == "waiting")


@pytest.mark.django_db(transaction=True)
def test_resuming_undoes_exactly_what_suspending_did(acme: Customer, globex: Customer, api: Api) -> None:
    with running_host():
        ours, peoples, others = (queue_run(one.tenant, LATER) for one in (acme, acme, globex))
        for run_id in (ours, peoples, others):
            wait_for(lambda run_id=run_id: get_run(run_id).status == "waiting")
        command_run(tenant=acme.tenant, actor="user:1", run_id=peoples, command=SignalKind.PAUSE)
        wait_for(lambda: get_run(peoples).status == "paused")
        suspend(acme.tenant, PAUSE)
        settle_suspensions()
        wait_for(lambda: get_run(ours).status == "paused")
        assert settle_suspensions() == 0, "done once"
        refused = api(acme).post(f"/api/v1/runs/{ours}/resume")
        assert code(refused) == (409, "TENANT_SUSPENDED")
        resume(acme.tenant)
        assert settle_suspensions() == 1
        wait_for(lambda: get_run(ours).status == "waiting")
        assert (get_run(peoples).status, get_run(others).status) == ("paused", "waiting")
        assert api(acme).post(f"/api/v1/runs/{peoples}/resume").status_code == 202
    with unscoped("tests look at everything"):
        assert not SuspendedRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_task_is_decided_and_a_run_cancelled_while_all_stands_still(acme: Customer) -> None:
    with running_host():
        ann = make_member(acme.tenant, "ann", "finance")
        asking = queue_run(acme.tenant, ask(title="Pay?", assignee="group:finance"))
        doomed = queue_run(acme.tenant, LATER)
        for run_id in (asking, doomed):
            wait_for(lambda run_id=run_id: get_run(run_id).status == "waiting")
        suspend(acme.tenant, PAUSE)
        settle_suspensions()
        for run_id in (asking, doomed):
            wait_for(lambda run_id=run_id: get_run(run_id).status == "paused")
        command_run(tenant=acme.tenant, actor="user:1", run_id=doomed, command=SignalKind.CANCEL)
        assert wait_until_over(doomed) == ["cancelled"]
        decide(ann, task_of(asking))
        resume(acme.tenant)
        settle_suspensions()
        assert wait_until_over(asking) == ["completed"]


def test_a_settling_that_is_killed_half_way_is_finished_by_the_next(
    acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [queue_run(acme.tenant, QUICK) for _ in range(3)]
    suspend(acme.tenant, PAUSE)
    with monkeypatch.context() as patch:
        told: list[Any] = []

        def dies_at_the_third(**command: Any) -> Run:
            told.append(command)
            if len(told) == 3:
                raise KeyboardInterrupt
            return command_run(**command)

        patch.setattr("runs.lifecycle.suspensions.command_run", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            settle_suspensions()
    assert settle_suspensions() == 1
    assert [get_run(run_id).pause_requested for run_id in runs] == [True] * 3
    with unscoped("tests look at everything"):
        assert SuspendedRun.objects.count() == 3


def test_the_commands_do_the_same_and_the_audit_tells(acme: Customer, api: Api) -> None:
    call_command("suspend_tenant", "acme", runs="pause", reason="The bill is open.")
    assert code(api(acme).post("/api/v1/runs", {"segment": steps_in_a_row("input")})) == (409, "TENANT_SUSPENDED")
    call_command("resume_tenant", "acme")
    assert api(acme).post("/api/v1/runs", {"segment": steps_in_a_row("input")}).status_code == 202
    with pytest.raises(CommandError, match="not suspended"):
        call_command("resume_tenant", "acme")
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        call_command("suspend_tenant", "nobody", reason="x")
    with unscoped("tests look at everything"):
        entries = Entry.objects.filter(tenant=acme.tenant, action__startswith="tenant.").order_by("id")
        told = [(entry.action, entry.after["runs"]) for entry in entries if "runs" in (entry.after or {})]
    assert told == [("tenant.suspended", "pause"), ("tenant.resumed", "")]
