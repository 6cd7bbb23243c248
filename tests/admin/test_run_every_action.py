"""Every action and button of the console: asked about first, then done through the service, then in the audit."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from humantasks.models import HumanTask, Notice
from kernel.clock import utc_now
from runs.models import Delivery, Run, RunStatus, Signal, SignalKind
from segments.models import PromptTemplate, Segment
from tenants.access.issuing import rotate_api_key
from tenants.models import (
    ApiKey,
    CallbackSecret,
    Connection,
    Identity,
    Invitation,
    Membership,
    Tenant,
    TenantExport,
    User,
)
from tests.support.console import World

Done = Callable[[], bool]
MORE = {
    "delegate_tasks": {"member": "colleague@acme.example"},
    "suspend_tenants": {"runs": "pause"},
    "confirm_deletions": {"short_name": "acme"},
    "rotate_keys": {"old_secret_seconds": "86400"},
}
"""What an action's form asks beside the reason."""


def signalled(kind: SignalKind) -> Callable[[World], tuple[Model, Done]]:
    def prepare(world: World) -> tuple[Model, Done]:
        def done() -> bool:
            signal = Signal.objects.get()
            assert (signal.run_id, signal.kind) == (world.run.id, kind)
            run = Run.objects.get(id=world.run.id)
            is_sent = run.status == "queued" if kind is SignalKind.RESUME else run.signals_pending
            return is_sent and signal.payload["reason"] == "it is a test"

        if kind is SignalKind.RESUME:
            Run.objects.filter(id=world.run.id).update(status=RunStatus.PAUSED, wake_at=None)
        return world.run, done

    return prepare


def replayed(world: World) -> tuple[Model, Done]:
    return world.run, lambda: Run.objects.filter(replay_of=world.run.id).count() == 1


def revoked(world: World) -> tuple[Model, Done]:
    key = ApiKey.objects.get(name="key of acme")
    return key, lambda: ApiKey.objects.get(id=key.id).revoked_at is not None


def rotated(world: World) -> tuple[Model, Done]:
    key = ApiKey.objects.get(name="key of acme")

    def done() -> bool:
        now = ApiKey.objects.get(id=key.id)
        return now.secret_hash != key.secret_hash and now.old_secret_hash == key.secret_hash

    return key, done


def ended(world: World) -> tuple[Model, Done]:
    key = ApiKey.objects.get(name="key of acme")
    rotate_api_key(tenant=world.tenant, api_key_id=key.id)
    return key, lambda: ApiKey.objects.get(id=key.id).old_secret_until is None


def archived(world: World) -> tuple[Model, Done]:
    return world.segment, lambda: Segment.objects.get(id=world.segment.id).archived_at is not None


def prompt_archived(world: World) -> tuple[Model, Done]:
    template = PromptTemplate.objects.get(tenant=world.tenant)
    return template, lambda: PromptTemplate.objects.get(id=template.id).archived_at is not None


def tried(world: World) -> tuple[Model, Done]:
    row = Connection.objects.get(tenant=world.tenant)
    return row, lambda: Entry.objects.get(action="connection.tested").after["code"] == "EGRESS_BLOCKED"


def sent_again(world: World) -> tuple[Model, Done]:
    delivery = Delivery.objects.get(run=world.run)
    return delivery, lambda: Delivery.objects.get(id=delivery.id).status == "pending"


def signed_anew(world: World) -> tuple[Model, Done]:
    return world.tenant, lambda: CallbackSecret.objects.filter(tenant=world.tenant).exists()


def suspended(world: World) -> tuple[Model, Done]:
    return world.tenant, lambda: Tenant.objects.get(id=world.tenant.id).suspended_runs == "pause"


def resumed(world: World) -> tuple[Model, Done]:
    Tenant.objects.filter(id=world.tenant.id).update(suspended_at=utc_now(), suspended_runs="finish")
    return world.tenant, lambda: Tenant.objects.get(id=world.tenant.id).suspended_at is None


def exported(world: World) -> tuple[Model, Done]:
    return world.tenant, lambda: TenantExport.objects.filter(tenant=world.tenant, status="queued").count() == 1


def asked_to_go(world: World) -> tuple[Model, Done]:
    return world.tenant, lambda: Tenant.objects.get(id=world.tenant.id).deletion_due_at is not None


def due(world: World) -> None:
    later = utc_now() + timedelta(days=7)
    Tenant.objects.filter(id=world.tenant.id).update(deletion_requested_at=utc_now(), deletion_due_at=later)


def told_to_go_now(world: World) -> tuple[Model, Done]:
    due(world)
    return world.tenant, lambda: Tenant.objects.filter(id=world.tenant.id, deletion_due_at__lte=utc_now()).exists()


def kept(world: World) -> tuple[Model, Done]:
    due(world)
    return world.tenant, lambda: Tenant.objects.get(id=world.tenant.id).deletion_due_at is None


def deactivated(world: World) -> tuple[Model, Done]:
    member = Membership.objects.get(tenant=world.tenant)
    return member, lambda: Membership.objects.get(id=member.id).deactivated_at is not None


def reactivated(world: World) -> tuple[Model, Done]:
    member = Membership.objects.get(tenant=world.tenant)
    Membership.objects.filter(id=member.id).update(deactivated_at=utc_now())
    return member, lambda: Membership.objects.get(id=member.id).deactivated_at is None


def taken_back(world: World) -> tuple[Model, Done]:
    row = Invitation.objects.get(tenant=world.tenant)
    return row, lambda: Invitation.objects.get(id=row.id).revoked_at is not None


def unlinked(world: World) -> tuple[Model, Done]:
    row = Identity.objects.get(user__memberships__tenant=world.tenant)
    return row, lambda: not Identity.objects.filter(id=row.id).exists()


def given_back(world: World) -> tuple[Model, Done]:
    task = HumanTask.objects.get(run=world.run)
    assert task.claimed_by_id is not None
    return task, lambda: HumanTask.objects.get(id=task.id).claimed_by_id is None


def handed_on(world: World) -> tuple[Model, Done]:
    member = Membership.objects.select_related("user").get(tenant=world.tenant)
    member.user.email = MORE["delegate_tasks"]["member"]
    member.user.save()
    task = HumanTask.objects.get(run=world.run)
    return task, lambda: HumanTask.objects.get(id=task.id).assignee_id == member.id


def mailed_again(world: World) -> tuple[Model, Done]:
    notice = Notice.objects.get(tenant=world.tenant)
    return notice, lambda: Notice.objects.get(id=notice.id).next_at is not None


ACTIONS: dict[tuple[str, str], tuple[Callable[[World], tuple[Model, Done]], str]] = {
    ("runs.Run", "pause_runs"): (signalled(SignalKind.PAUSE), "run.pause_requested"),
    ("runs.Run", "resume_runs"): (signalled(SignalKind.RESUME), "run.resume_requested"),
    ("runs.Run", "cancel_runs"): (signalled(SignalKind.CANCEL), "run.cancel_requested"),
    ("runs.Run", "replay_runs"): (replayed, "run.replayed"),
    ("runs.Delivery", "redeliver_deliveries"): (sent_again, "delivery.redelivered"),
    ("humantasks.HumanTask", "release_tasks"): (given_back, "human_task.given_back"),
    ("humantasks.HumanTask", "delegate_tasks"): (handed_on, "human_task.handed_on"),
    ("humantasks.Notice", "send_notices_again"): (mailed_again, "notice.sent_again"),
    ("tenants.Tenant", "rotate_callback_secrets"): (signed_anew, "tenant.callback_secret_rotated"),
    ("tenants.Tenant", "suspend_tenants"): (suspended, "tenant.suspended"),
    ("tenants.Tenant", "resume_tenants"): (resumed, "tenant.resumed"),
    ("tenants.Tenant", "export_tenants"): (exported, "export.requested"),
    ("tenants.Tenant", "request_deletions"): (asked_to_go, "tenant.deletion_requested"),
    ("tenants.Tenant", "confirm_deletions"): (told_to_go_now, "tenant.deletion_confirmed"),
    ("tenants.Tenant", "withdraw_deletions"): (kept, "tenant.deletion_withdrawn"),
    ("tenants.ApiKey", "revoke_keys"): (revoked, "api_key.revoked"),
    ("tenants.ApiKey", "rotate_keys"): (rotated, "api_key.rotated"),
    ("tenants.ApiKey", "end_old_secrets"): (ended, "api_key.old_secret_ended"),
    ("tenants.Membership", "deactivate_members"): (deactivated, "member.deactivated"),
    ("tenants.Membership", "reactivate_members"): (reactivated, "member.reactivated"),
    ("tenants.Invitation", "revoke_invitations"): (taken_back, "invitation.revoked"),
    ("tenants.Identity", "unlink_accounts"): (unlinked, "member.account_unlinked"),
    ("segments.Segment", "archive_segments"): (archived, "segment.archived"),
    ("segments.PromptTemplate", "archive_prompts"): (prompt_archived, "prompt.archived"),
    ("tenants.Connection", "try_connections"): (tried, "connection.tested"),
}
BUTTONS = {
    ("runs.Run", "pause"): "pause_runs",
    ("runs.Run", "resume"): "resume_runs",
    ("runs.Run", "cancel"): "cancel_runs",
    ("runs.Run", "replay"): "replay_runs",
    ("runs.Delivery", "redeliver_delivery"): "redeliver_deliveries",
    ("humantasks.HumanTask", "release"): "release_tasks",
    ("humantasks.HumanTask", "delegate"): "delegate_tasks",
    ("humantasks.Notice", "send_notice_again"): "send_notices_again",
    ("tenants.Tenant", "rotate_callback_secret"): "rotate_callback_secrets",
    ("tenants.Tenant", "suspend"): "suspend_tenants",
    ("tenants.Tenant", "resume"): "resume_tenants",
    ("tenants.Tenant", "export_one"): "export_tenants",
    ("tenants.Tenant", "request_one"): "request_deletions",
    ("tenants.Tenant", "confirm_one"): "confirm_deletions",
    ("tenants.Tenant", "withdraw_one"): "withdraw_deletions",
    ("tenants.ApiKey", "revoke_key"): "revoke_keys",
    ("tenants.ApiKey", "rotate_key"): "rotate_keys",
    ("tenants.ApiKey", "end_old_secret"): "end_old_secrets",
    ("tenants.Membership", "deactivate"): "deactivate_members",
    ("tenants.Membership", "reactivate"): "reactivate_members",
    ("tenants.Invitation", "revoke"): "revoke_invitations",
    ("tenants.Identity", "unlink"): "unlink_accounts",
    ("segments.Segment", "archive"): "archive_segments",
    ("segments.PromptTemplate", "archive_one"): "archive_prompts",
    ("tenants.Connection", "try_one"): "try_connections",
}
PRESSED_ELSEWHERE = {
    ("tenants.IdentityProvider", "try_it"),
    ("audit.AuditLog", "verify_now"),
    ("audit.AuditLog", "export_one"),
}
"""Whoever may look may press them: tests/tenants/sign_in/test_try_a_provider.py, test_look_into_the_log.py."""
RUN_ELSEWHERE = {("audit.AuditLog", "verify_logs"), ("audit.AuditLog", "export_logs"), ("runs.Run", "compare_runs")}
"""Likewise: test_look_into_the_log.py, test_compare_two_runs.py."""
OUTLIVES_THE_TENANT = {"request_deletions", "confirm_deletions", "withdraw_deletions"}
"""Told to the log of the installation."""
SHOWS_WHAT_IT_MADE = {"rotate_callback_secrets", "rotate_keys"}
DJANGOS_OWN = {
    ("tenants.Membership", "delete_selected"),
    ("tenants.Connection", "delete_selected"),
    ("runs.NotificationTarget", "delete_selected"),
    ("tenants.LimitOverride", "delete_selected"),
}


def a_request(operator: User) -> HttpRequest:
    request = RequestFactory().get("/")
    request.user = operator
    return request


def changelist(label: str) -> str:
    app, model = label.lower().split(".")
    return reverse(f"admin:{app}_{model}_changelist")


def chosen(action: str, row: Model, **more: str) -> dict[str, Any]:
    return {"action": action, ACTION_CHECKBOX_NAME: [str(row.pk)], **more}


def confirmed(action: str, row: Model) -> dict[str, Any]:
    return chosen(action, row, confirmed="1", reason="it is a test", **MORE.get(action, {}))


def test_every_action_is_run_by_these_tests(operator: User) -> None:
    registered = {
        (model._meta.label, name)
        for model, page in admin.site._registry.items()
        for name in page.get_actions(a_request(operator))
    }
    assert registered == set(ACTIONS) | RUN_ELSEWHERE | DJANGOS_OWN


def test_every_button_is_pressed_by_these_tests() -> None:
    registered = {
        (model._meta.label, name)
        for model, page in admin.site._registry.items()
        for kind in ("actions_detail", "actions_list", "actions_row", "actions_submit_line")
        for name in getattr(page, kind)
    }
    assert registered == set(BUTTONS) | PRESSED_ELSEWHERE


@pytest.mark.parametrize(("label", "action"), ACTIONS)
def test_an_action_asks_first_and_changes_nothing(console: Client, acme_world: World, label: str, action: str) -> None:
    prepare, entry = ACTIONS[label, action]
    with unscoped("rows for a test"):
        row, _ = prepare(acme_world)
    answer = console.post(changelist(label), chosen(action, row, index="0", select_across="0"))
    assert answer.status_code == 200
    assert answer.context["question"].counts[0][1] == 1
    assert f'value="{row.pk}"' in answer.text
    with unscoped("looking at what was written"):
        assert not Entry.objects.filter(action=entry).exists()


@pytest.mark.parametrize(("label", "action"), ACTIONS)
def test_an_action_is_done_when_confirmed(
    console: Client, operator: User, acme_world: World, label: str, action: str
) -> None:
    prepare, entry_action = ACTIONS[label, action]
    with unscoped("rows for a test"):
        row, done = prepare(acme_world)
    answer = console.post(changelist(label), confirmed(action, row))
    assert answer.status_code == (200 if action in SHOWS_WHAT_IT_MADE else 302)
    with unscoped("looking at what was written"):
        assert done()
        entry = Entry.objects.get(action=entry_action)
    assert entry.actor == f"user:{operator.pk}"
    assert entry.tenant_id == (None if action in OUTLIVES_THE_TENANT else acme_world.tenant.pk)


@pytest.mark.parametrize(("label", "button"), BUTTONS)
def test_a_button_asks_about_its_row_and_its_form_does_the_action(
    console: Client, acme_world: World, label: str, button: str
) -> None:
    action = BUTTONS[label, button]
    prepare, _ = ACTIONS[label, action]
    with unscoped("rows for a test"):
        row, done = prepare(acme_world)
    app, model = label.lower().split(".")
    address = reverse(f"admin:{app}_{model}_{button}", args=[row.pk])
    assert address in console.get(reverse(f"admin:{app}_{model}_change", args=[row.pk])).text
    page = console.get(address)
    assert page.context["question"].action == action
    assert page.context["target"] == changelist(label)
    console.post(page.context["target"], confirmed(action, row))
    with unscoped("looking at what was written"):
        assert done()


@pytest.mark.parametrize(("label", "action"), ACTIONS)
def test_an_action_needs_the_right(client: Client, acme_world: World, label: str, action: str) -> None:
    app, model = label.lower().split(".")
    reader = User.objects.create(username="clerk", is_staff=True)
    with unscoped("rows for a test"):
        reader.user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
        row, _ = ACTIONS[label, action][0](acme_world)
    client.force_login(reader)
    assert client.get(changelist(label)).status_code == 200
    client.post(changelist(label), confirmed(action, row))
    with unscoped("looking at what was written"):
        assert not Entry.objects.filter(action=ACTIONS[label, action][1]).exists()
    button = next(name for (of, name), does in BUTTONS.items() if of == label and does == action)
    assert client.get(reverse(f"admin:{app}_{model}_{button}", args=[row.pk])).status_code == 403


def test_a_member_can_be_taken_out_and_the_audit_says_so(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        membership = Membership.objects.get()
    asked = chosen("delete_selected", membership)
    assert console.post(changelist("tenants.Membership"), {**asked, "index": "0"}).status_code == 200
    console.post(changelist("tenants.Membership"), {**asked, "post": "yes"})
    with unscoped("looking at what was written"):
        assert not Membership.objects.exists()
        assert Entry.objects.get(action="membership.deleted").tenant_id == acme_world.tenant.pk
