"""The question before runs are cancelled: what it counts, what it wants, and what it leaves alone."""

from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from foundation.console import MAX_AT_ONCE, changelist_url
from foundation.scope import unscoped
from runs.models import Run, RunStatus, Signal
from tests.support.console import World, a_run

RUNS = "runs.run"


def chosen(action: str, row: Model, **more: str) -> dict[str, Any]:
    return {"action": action, ACTION_CHECKBOX_NAME: [str(row.pk)], **more}


def test_a_question_about_nothing_offers_no_act(console: Client, acme_world: World) -> None:
    over = a_run(acme_world.revision, status=RunStatus.COMPLETED)
    for run, offered in [(acme_world.run, True), (over, False)]:
        page = console.get(reverse("admin:runs_run_cancel", args=[run.pk])).text
        assert ("Cancel these runs" in page) == offered


def test_cancelling_needs_a_reason(console: Client, acme_world: World) -> None:
    answer = console.post(changelist_url(RUNS), chosen("cancel_runs", acme_world.run, confirmed="1", reason=" "))
    assert answer.status_code == 200
    assert "required" in answer.text
    with unscoped("looking at what was written"):
        assert not Signal.objects.exists()


def test_cancelling_counts_by_status_and_leaves_ended_runs_alone(console: Client, acme_world: World) -> None:
    queued = a_run(acme_world.revision, status=RunStatus.QUEUED)
    over = a_run(acme_world.revision, status=RunStatus.COMPLETED)
    ids = [str(run.pk) for run in (acme_world.run, queued, over)]
    asked = {"action": "cancel_runs", ACTION_CHECKBOX_NAME: ids}
    counts = dict(console.post(changelist_url(RUNS), {**asked, "index": "0"}).context["question"].counts)
    assert counts["will be cancelled"] == 2
    assert counts["over already, left alone"] == 1
    assert counts["of them queued"] == 1
    console.post(changelist_url(RUNS), {**asked, "confirmed": "1", "reason": "clearing up"})
    with unscoped("looking at what was written"):
        assert set(Signal.objects.values_list("run_id", flat=True)) == {acme_world.run.pk, queued.pk}


def test_more_runs_than_one_request_can_stop_are_left_for_another_time(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        Run.objects.bulk_create(
            Run(tenant=acme_world.tenant, revision=acme_world.revision, segment_id="greet", timeout_seconds=60)
            for _ in range(MAX_AT_ONCE + 2)
        )
    asked = chosen("cancel_runs", acme_world.run, select_across="1", index="0")
    counts = dict(console.post(changelist_url(RUNS), asked).context["question"].counts)
    assert counts["will be cancelled"] == MAX_AT_ONCE
    assert counts[f"not in this action (at most {MAX_AT_ONCE} at once)"] == 3


def test_cancelling_everything_a_filter_finds(console: Client, acme_world: World, globex_world: World) -> None:
    address = f"{changelist_url(RUNS)}?tenant__id__exact={acme_world.tenant.pk}"
    asked = chosen("cancel_runs", acme_world.run, select_across="1")
    more = a_run(acme_world.revision)
    page = console.post(address, {**asked, "index": "0"})
    assert page.context["question"].counts[0][1] == 2
    console.post(page.context["target"], {**asked, "confirmed": "1", "reason": "clearing up"})
    with unscoped("looking at what was written"):
        assert set(Signal.objects.values_list("run_id", flat=True)) == {acme_world.run.pk, more.pk}
