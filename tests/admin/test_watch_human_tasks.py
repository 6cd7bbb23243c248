"""Operators see what people are asked and how long they take, hand tasks on within a tenant, and decide nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from humantasks.mail.outbox import NOT_NEEDED
from humantasks.models import HumanTask, Notice
from kernel.clock import utc_now
from runs.models import Delivery, NotificationTarget
from tenants.models import User
from tests.conftest import Customer
from tests.support.console import World, a_delivery
from tests.support.tasks import make_member

TASKS, MAILS = reverse("admin:humantasks_humantask_changelist"), reverse("admin:humantasks_notice_changelist")
REPORT = reverse("admin:humantasks_humantask_report")
TARGETS, ADD_TARGET = reverse("admin:runs_notificationtarget_changelist"), reverse("admin:runs_notificationtarget_add")
SECRET = "canary-of-an-address"


def task_of(world: World) -> HumanTask:
    with unscoped("looking at what was written"):
        return HumanTask.objects.get(run=world.run)


def change(world: World, **fields: Any) -> HumanTask:
    with unscoped("rows for a test"):
        HumanTask.objects.filter(run=world.run).update(**fields)
    return task_of(world)


def test_tasks_are_found_by_run_and_told_apart_by_what_is_late_and_flagged(
    console: Client, acme_world: World, globex_world: World
) -> None:
    late = change(acme_world, due_at=utc_now() - timedelta(hours=1), is_flagged=True)
    other = task_of(globex_world)
    for query in ({"overdue": "yes"}, {"is_flagged__exact": "1"}, {"q": str(late.run_id)}, {"q": str(late.id)}):
        page = console.get(TASKS, query).text
        assert late.title in page, query
        assert other.title not in page, query
    page = console.get(TASKS, {"overdue": "no"}).text
    assert (late.title in page, other.title in page) == (False, True)


def test_a_task_s_page_shows_its_data_for_reading_and_offers_no_decision(console: Client, acme_world: World) -> None:
    task = change(acme_world, data={"note": "<b>bold</b>", "amount": 12})
    page = console.get(reverse("admin:humantasks_humantask_change", args=[task.pk])).text
    assert "&quot;note&quot;: &quot;&lt;b&gt;bold&lt;/b&gt;&quot;" in page
    for word in ("decide", "approve", "cancel"):
        assert f"/{word}" not in page.lower()


def test_a_task_is_handed_on_to_a_member_of_its_own_tenant_only(
    console: Client, operator: User, acme_world: World, globex_world: World
) -> None:
    stranger, colleague = make_member(globex_world.tenant, "eve"), make_member(acme_world.tenant, "ann")
    task = task_of(acme_world)
    asked = {"action": "delegate_tasks", ACTION_CHECKBOX_NAME: [str(task.pk)], "confirmed": "1", "reason": "ill"}
    for ref in (stranger.user.email, str(stranger.id), "nobody@acme.example"):
        answer = console.post(TASKS, {**asked, "member": ref}, follow=True)
        assert "no such active member" in answer.text
    assert task_of(acme_world).assignee_id is None
    console.post(TASKS, {**asked, "member": colleague.user.email})
    assert task_of(acme_world).assignee_id == colleague.id
    with unscoped("looking at what was written"):
        entries = Entry.objects.filter(object_id=str(task.pk), actor=f"user:{operator.pk}")
        assert set(entries.values_list("action", flat=True)) == {"task.delegated", "human_task.handed_on"}
        assert Notice.objects.filter(task=task, kind="delegated", member=colleague).count() == 1


def test_what_came_of_mails_is_seen_and_told_apart(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        notice = Notice.objects.get(tenant=acme_world.tenant)
    row = reverse("admin:humantasks_notice_change", args=[notice.pk])
    for state, shown, fields in (
        ("waiting", "To be sent", {"next_at": utc_now()}),
        ("sent", "Sent", {"next_at": None, "sent_at": utc_now()}),
        ("not_needed", "Not needed", {"sent_at": None, "error": NOT_NEEDED}),
        ("given_up", "Given up", {"error": "The mail server does not answer (OSError)."}),
    ):
        with unscoped("rows for a test"):
            Notice.objects.update(**fields)
        found = [one for one in ("waiting", "sent", "not_needed", "given_up") if row in mails_in(console, one)]
        assert found == [state]
        assert shown in console.get(row).text
    assert "The mail server does not answer (OSError)." in console.get(row).text


def mails_in(console: Client, state: str) -> str:
    return str(console.get(MAILS, {"state": state}).text)


def test_the_report_is_shown_for_one_tenant_and_its_days(
    console: Client, acme_world: World, globex_world: World
) -> None:
    now = utc_now()
    change(
        acme_world, status="completed", created_at=now - timedelta(hours=3), ended_at=now,
        first_claimed_at=now - timedelta(hours=2, minutes=58), candidate_groups=["<finance>"],
    )  # fmt: skip
    change(globex_world, segment_id="of_globex")
    assert REPORT in console.get(TASKS).text
    assert "<table" not in console.get(REPORT).text
    asked = {"tenant": str(acme_world.tenant.pk), "by": "segment"}
    answer = console.get(REPORT, asked)
    assert answer.context["rows"] == [
        ["greet", "1", "0", "0", "1", "0", "0", "2.0 min", "2.0 min", "2.0 min", "3.0 h", "3.0 h", "3.0 h"]
    ]
    assert "of_globex" not in answer.text
    by_group = console.get(REPORT, {**asked, "by": "group"}).text
    assert "&lt;finance&gt;" in by_group
    created, today = (now - timedelta(hours=3)).date(), now.date()
    assert console.get(REPORT, {**asked, "first": created, "last": today}).context["rows"]
    long_ago = created - timedelta(days=9)
    assert console.get(REPORT, {**asked, "last": long_ago}).context["rows"] == []
    assert console.get(REPORT, {**asked, "first": today + timedelta(days=1)}).context["rows"] == []


@pytest.mark.parametrize(
    "flaw", [{"tenant": "nobody"}, {"by": "person"}, {"first": "yesterday"}, {"last": "2026-13-01"}], ids=str
)
def test_a_report_that_cannot_be_made_says_why(console: Client, acme_world: World, flaw: dict[str, str]) -> None:
    answer = console.get(REPORT, {"tenant": str(acme_world.tenant.pk), "by": "segment", **flaw})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == list(flaw)
    assert answer.context["rows"] is None


def test_the_report_is_for_those_who_may_see_tasks(client: Client, acme_world: World) -> None:
    assert client.get(REPORT).status_code == 302
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    assert client.get(REPORT).status_code == 403


def filled(customer: Customer, **more: str) -> dict[str, str]:
    typed = {"url": f"https://hooks.example.com/tasks?key={SECRET}", "headers": f'{{"X-Key": "{SECRET}"}}'}
    return {"tenant": str(customer.tenant.pk), **typed, **more}


def targets() -> list[NotificationTarget]:
    with unscoped("looking at what was written"):
        return list(NotificationTarget.objects.all())


def test_a_tenant_s_notification_url_is_set_changed_and_cleared_and_never_shown(
    console: Client, operator: User, acme: Customer
) -> None:
    assert re.search(r'<textarea name="headers"[^>]*>\s*{}</textarea>', console.get(ADD_TARGET).text)
    assert console.post(ADD_TARGET, filled(acme)).status_code == 302
    (row,) = targets()
    assert (row.host, row.runs_url) == ("hooks.example.com", "http://127.0.0.1:8000/api/v1/runs")
    address = reverse("admin:runs_notificationtarget_change", args=[row.pk])
    shown = console.get(address).text + console.get(TARGETS).text
    assert SECRET not in shown
    assert "hooks.example.com" in shown
    assert console.post(address, filled(acme, url="https://other.example.com/", headers="")).status_code == 302
    assert targets()[0].host == "other.example.com"
    assert (
        console.post(reverse("admin:runs_notificationtarget_delete", args=[row.pk]), {"post": "yes"}).status_code == 302
    )
    assert not targets()
    with unscoped("looking at what was written"):
        entries = list(Entry.objects.filter(action__startswith="notifications.").order_by("id"))
    assert [entry.action for entry in entries] == ["notifications.set", "notifications.set", "notifications.cleared"]
    assert {entry.actor for entry in entries} == {f"user:{operator.pk}"}
    assert SECRET not in str([(entry.before, entry.after) for entry in entries])


@pytest.mark.parametrize(
    ("flaw", "field"),
    [
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "ftp://hooks.example.com/"}, "url"),
        ({"url": ""}, "url"),
        ({"headers": '{"webhook-id": "x"}'}, "headers"),
        ({"headers": '["X-Key"]'}, "headers"),
        ({"headers": '{"X-Key": 7}'}, "headers"),
        ({"headers": "X-Key: 7"}, "headers"),
    ],
    ids=str,
)
def test_an_address_that_may_not_be_called_is_refused_at_its_field(
    console: Client, acme: Customer, flaw: dict[str, str], field: str
) -> None:
    answer = console.post(ADD_TARGET, filled(acme, **flaw))
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not targets()
    assert console.post(ADD_TARGET, filled(acme)).status_code == 302


def test_deliveries_are_told_apart_by_whom_they_tell(console: Client, acme_world: World) -> None:
    told = a_delivery(acme_world.run, seq=7, target="tenant")
    with unscoped("looking at what was written"):
        other = Delivery.objects.exclude(id=told.id).get(run=acme_world.run)
    page = console.get(reverse("admin:runs_delivery_changelist"), {"target__exact": "tenant"}).text
    assert (told.webhook_id in page, other.webhook_id in page) == (True, False)
