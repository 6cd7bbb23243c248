"""A run's page names what holds the run up, in words that lead to it, and offers what its state allows."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.circuits.shared import PREFIX, open_circuits
from runs.models import Run, RunStatus, SignalKind, Worker
from tenants.models import Tenant
from tests.support.console import World, a_run, a_task, an_event
from tests.support.console import a_delivery as a_delivery_of


def page_of(run: Run) -> str:
    return reverse("admin:runs_run_change", args=[run.pk])


def blockers(console: Client, run: Run) -> list[str]:
    return [blocker.sentence for blocker in console.get(page_of(run)).context["view"].blockers]


def waiting(world: World, **wait: Any) -> Run:
    return a_run(world.revision, status=RunStatus.WAITING, waiting_for=[{"ref": "call#1", **wait}])


@pytest.fixture
def open_circuit(acme_world: World) -> Iterator[None]:
    tenant = str(acme_world.tenant.pk)
    name, now = f"{PREFIX}{tenant}:crm", int(utc_now().timestamp() * 1000)
    about = {"connection": "crm", "host": "crm.test:443"}
    kept = {"trips": 3, "opened_at": now, "open_until": now + 300_000, "why": "HTTP_STATUS 503"}
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.hset(name, mapping={**kept, "about": json.dumps(about)})
    indexes = (open_circuits(tenant), open_circuits())
    for names in indexes:
        client.zadd(names, {name: now})
    yield
    client.delete(name)
    for names in indexes:
        client.zrem(names, name)
    client.close()


@pytest.mark.usefixtures("open_circuit")
def test_a_circuit_is_named_with_since_when_it_is_open_and_the_next_probe(console: Client, acme_world: World) -> None:
    run = waiting(acme_world, kind="circuit", connection="crm", host="crm.test:443")
    (sentence,) = blockers(console, run)
    assert sentence.startswith("Step call waits for connection crm (crm.test:443): breaker open since 20")
    assert "after HTTP_STATUS 503, opened 3 times in a row, next probe 20" in sentence
    other = waiting(acme_world, kind="circuit", connection="erp", host="erp.test:443", last_failure="TIMEOUT")
    assert blockers(console, other) == ["Step call waits for connection erp: its breaker was open after TIMEOUT."]


def test_a_human_task_is_named_with_its_group_and_leads_there(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        run = a_run(acme_world.revision, status=RunStatus.WAITING, waiting_for=[{"kind": "human", "ref": "ask#1"}])
        task = a_task(run)
        type(task).objects.filter(pk=task.pk).update(is_for_all=False, candidate_groups=["finance"], claimed_by=None)
    answer = console.get(page_of(run))
    (blocker,) = answer.context["view"].blockers
    assert blocker.sentence.startswith(f"Human task “{task.title}” at step ask: group finance asked, claimed by nobody")
    assert blocker.address == reverse("admin:humantasks_humantask_change", args=[task.pk])
    assert f'href="{blocker.address}"' in answer.text


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        ({"kind": "timer", "until": "2030-01-01T00:00:00Z"}, "Timer of step call until 2030-01-01 00:00:00 UTC."),
        ({"kind": "call"}, "Step call waits for a call to its link."),
        ({"kind": "budget"}, "Step call waits for room in a budget of Acme (acme)."),
        ({"kind": "rate_limit", "connection": "crm"}, "Step call waits for the rate limit of connection crm."),
        ({"kind": "platform"}, "Step call met a fault of the platform and is tried again by another worker."),
        ({"kind": "retry", "until": "nonsense"}, "Step call waits for its next try until nonsense."),
        ({"kind": "human"}, "A person decides at step call."),
    ],
)
def test_every_kind_of_wait_is_a_sentence(console: Client, acme_world: World, wait: dict[str, Any], said: str) -> None:
    assert blockers(console, waiting(acme_world, **wait)) == [said]


def test_a_queued_run_names_the_slot_or_the_worker_that_is_missing(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision, status=RunStatus.QUEUED, step_types=["llm_agent"])
    with unscoped("rows for a test"):
        Run.objects.exclude(pk=run.pk).update(status=RunStatus.COMPLETED, wake_at=None)
        Worker.objects.update(step_types=["transform"])
        (said,) = blockers(console, run)
        assert said == "No worker that is alive can execute all that its steps need: llm_agent."
        Worker.objects.update(step_types=["transform", "llm_agent"])
        (said,) = blockers(console, run)
        assert said.endswith("0 of 500 of its tenant running, it is the next of its tenant.")
        Worker.objects.update(lease_until=utc_now() - timedelta(minutes=1))
        assert blockers(console, run) == ["No worker is alive: nothing is executed until one starts."]


def test_a_pause_names_who_asked_and_why_and_a_tenant_that_stands_still_is_named(
    console: Client, acme_world: World
) -> None:
    run = a_run(acme_world.revision, status=RunStatus.PAUSED)
    with unscoped("rows for a test"):
        run.signals.create(tenant=run.tenant, kind=SignalKind.PAUSE, payload={"reason": "month end", "actor": "system"})
        Tenant.objects.filter(pk=run.tenant_id).update(is_active=False)
    tenant, pause = blockers(console, run)
    assert tenant == "Its tenant Acme (acme) is not active: nothing of it is executed."
    assert pause.startswith("It is paused since 20")
    assert pause.endswith(": month end. It goes on when it is resumed.")


def test_a_stalled_run_says_what_it_lacks_and_one_that_is_over_waits_for_nothing(
    console: Client, acme_world: World
) -> None:
    error = {"code": "OWNER_LOST", "message": "Its owner was lost three times.", "step_id": "call"}
    stalled = a_run(acme_world.revision, status=RunStatus.STALLED, error=error)
    assert "It is stalled: Its owner was lost three times. It goes on when it is resumed." in blockers(console, stalled)
    failed = a_run(acme_world.revision, status=RunStatus.FAILED, error=error, waiting_for=[{"kind": "retry"}])
    view = console.get(page_of(failed)).context["view"]
    assert (view.blockers, view.error) == ([], "Its owner was lost three times. Step call. (OWNER_LOST)")


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        (RunStatus.RUNNING, {"pause", "cancel", "replay"}),
        (RunStatus.PAUSED, {"resume", "cancel", "replay"}),
        (RunStatus.STALLED, {"resume", "cancel", "replay"}),
        (RunStatus.COMPLETED, {"replay"}),
    ],
)
def test_only_what_the_state_allows_is_offered(
    console: Client, acme_world: World, status: RunStatus, offered: set[str]
) -> None:
    run = a_run(acme_world.revision, status=status)
    shown = console.get(page_of(run)).context["actions_detail"]
    assert {act["title"].split()[0].lower() for act in shown} == offered


def test_an_act_leads_back_to_the_run_and_a_replay_to_the_new_one(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision, status=RunStatus.RUNNING)
    question = console.get(reverse("admin:runs_run_cancel", args=[run.pk]))
    assert f'href="{page_of(run)}"' in question.text, "No, go back"
    asked = {ACTION_CHECKBOX_NAME: [str(run.pk)], question.context["stay"]: "1", "confirmed": "1", "reason": "test"}
    answer = console.post(question.context["target"], {"action": "pause_runs", **asked})
    assert answer["Location"] == page_of(run)
    answer = console.post(question.context["target"], {"action": "replay_runs", **asked}, follow=True)
    with unscoped("looking at what was written"):
        new = Run.objects.get(replay_of=run.pk)
    assert answer.redirect_chain[-1][0] == page_of(new)
    assert f'href="{reverse("admin:runs_run_compare", args=[run.pk, new.pk])}"' in answer.text
    without = {name: value for name, value in asked.items() if name != question.context["stay"]}
    answer = console.post(question.context["target"], {"action": "cancel_runs", **without})
    assert answer["Location"] == question.context["target"], "from the list it stays the list"


def test_steps_deliveries_and_audit_stand_on_the_page(console: Client, acme_world: World) -> None:
    run = a_run(acme_world.revision, status=RunStatus.COMPLETED, ended_at=utc_now())
    an_event(run, type_="segment.started", payload={"input": {"who": "<b>world"}})
    an_event(
        run, type_="step.started", payload={"inputs": {"input": {"seq": 1, "port": "output"}}}, step_id="hello",
        activation=1, attempt=1,
    )  # fmt: skip
    usage = [{"input_tokens": 30, "output_tokens": 12, "cost": "0.25", "estimated": False}]
    done = {"ports": {"output": "hi"}, "edges": [], "usage": usage}
    an_event(run, type_="step.completed", payload=done, step_id="hello", activation=1, attempt=1)
    with unscoped("rows for a test"):
        delivery = a_delivery_of(run)
    console.post("/admin/runs/run/", {"action": "replay_runs", ACTION_CHECKBOX_NAME: [str(run.pk)], "confirmed": "1"})
    answer = console.get(page_of(run))
    (row,) = answer.context["view"].steps.rows
    assert (row.name, row.status, row.attempts, row.tokens, row.cost) == ("hello", "completed", 1, 42, "0.25 USD")
    assert [name for name, _ in row.values] == ["Inputs", "Output"]
    assert "&lt;b&gt;world" in answer.text
    assert "<b>world" not in answer.text
    assert reverse("admin:runs_delivery_change", args=[delivery.pk]) in answer.text
    assert [lane.name for lane in answer.context["view"].timeline.lanes] == ["Run", "hello"]


def test_the_steps_of_a_long_run_are_read_page_by_page(console: Client, acme_world: World) -> None:
    run = acme_world.run
    for number in range(1, 53):
        an_event(run, type_="step.started", payload={"inputs": {}}, step_id="hello", activation=number, attempt=1)
    first = console.get(page_of(run)).context["view"].steps
    rest = console.get(page_of(run), {"steps": first.next}).context["view"].steps
    assert (len(first.rows), len(rest.rows), rest.next, rest.is_first) == (50, 2, None, False)
    assert len(console.get(page_of(run), {"steps": "nonsense"}).context["view"].steps.rows) == 50
