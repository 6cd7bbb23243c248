"""Roles of the console: an operator does all, an auditor reads, support reads what has no data of tenants."""

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from llmteam.operators.roles import OF_SUPPORT, ROLES
from runs.models import Run, RunStatus
from tenants.models import TenantExport, User
from tests.support.admin_pages import MODELS, a_row_of, page
from tests.support.console import World, a_run, a_task, an_event

SECRET = "canary-of-a-tenant"


def signed_in(client: Client, role: str) -> Client:
    User.objects.get_or_create(username=f"the-{role}")
    call_command("console_role", f"the-{role}", role)
    client.force_login(User.objects.get(username=f"the-{role}"))
    return client


@pytest.fixture
def told(acme_world: World) -> Run:
    """A run that is full of its tenant's data."""
    error = {"code": "HTTP_STATUS", "message": SECRET, "step_id": "hello"}
    run = a_run(
        acme_world.revision, status=RunStatus.STALLED, error=error, output=SECRET, metadata={"note": SECRET},
        client_reference=SECRET,
    )  # fmt: skip
    an_event(run, type_="segment.started", payload={"input": SECRET})
    refs = {"inputs": {"input": {"seq": 1, "port": "output"}}}
    an_event(run, type_="step.started", payload=refs, step_id="hello", activation=1, attempt=1)
    with unscoped("rows for a test"):
        task = a_task(run)
        type(task).objects.filter(pk=task.pk).update(title=SECRET)
        Run.objects.filter(pk=run.pk).update(input=SECRET)
    return run


def test_an_operator_opens_every_page_and_may_change(client: Client, acme_world: World) -> None:
    console = signed_in(client, "operator")
    for model in MODELS:
        assert console.get(page(model, "changelist")).status_code == 200, model
    assert console.get(reverse("admin:tenants_tenant_change", args=[acme_world.tenant.pk])).status_code == 200
    shown = console.get(page(Run, "change", acme_world.run.pk)).context["actions_detail"]
    assert len(shown) == 3


def test_an_auditor_reads_every_page_and_changes_nothing(client: Client, told: Run, acme_world: World) -> None:
    console = signed_in(client, "auditor")
    for model in MODELS:
        assert console.get(page(model, "changelist")).status_code == 200, model
        assert console.get(page(model, "add")).status_code == 403, model
    answer = console.get(page(Run, "change", told.pk))
    assert SECRET in answer.text
    assert answer.context["actions_detail"] == []
    tenant = reverse("admin:tenants_tenant_change", args=[acme_world.tenant.pk])
    assert console.post(tenant, {"name": "Mine", "is_active": "on", "weight": "1"}).status_code == 403
    asked = {"action": "cancel_runs", "_selected_action": [str(told.pk)], "confirmed": "1", "reason": "x"}
    console.post(page(Run, "changelist"), asked)
    with unscoped("looking at what was written"):
        assert not told.signals.exists()


def readable(model: type[Model]) -> bool:
    """Whether support may; who sees a tenant sees that it was exported, never the archive."""
    return f"view_{model._meta.model_name}" in OF_SUPPORT or model is TenantExport


def test_support_opens_pages_without_data_of_tenants_and_no_others(client: Client, told: Run) -> None:
    console = signed_in(client, "support")
    assert {readable(model) for model in MODELS} == {True, False}
    for model in MODELS:
        answer = console.get(page(model, "changelist"))
        assert answer.status_code == (200 if readable(model) else 403), model
        assert SECRET not in answer.text, model
        if readable(model):
            shown = console.get(page(model, "change", a_row_of(model).pk))
            assert shown.status_code == 200, model
            assert SECRET not in shown.text, model
    assert SECRET not in console.get("/admin/").text


def test_support_sees_of_a_run_how_it_goes_and_nothing_it_was_given(client: Client, told: Run) -> None:
    console = signed_in(client, "support")
    answer = console.get(page(Run, "change", told.pk))
    assert SECRET not in answer.text
    assert answer.context["view"].error == "It failed. Step hello. (HTTP_STATUS)"
    assert [row.name for row in answer.context["view"].steps.rows] == ["hello"]
    assert console.get(reverse("admin:runs_run_event", args=[told.pk, 1])).status_code == 403
    compared = console.get(reverse("admin:runs_run_compare", args=[told.pk, told.pk]))
    assert (compared.status_code, SECRET in compared.text) == (200, False)
    for term in (SECRET, f"note={SECRET}"):
        assert console.get(page(Run, "changelist"), {"q": term}).context["cl"].result_count == 0


def test_a_role_is_given_by_a_command_that_leaves_an_entry(db: None) -> None:
    user = User.objects.create(username="the-newcomer", is_superuser=True)
    for role in ROLES:
        call_command("console_role", "the-newcomer", role)
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser, [group.name for group in user.groups.all()]) == (True, False, ["support"])
    with unscoped("looking at what was written"):
        last = Entry.objects.filter(action="user.role_changed").latest("id")
    assert (last.before, last.after) == ({"roles": ["auditor"]}, {"roles": ["support"]})
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("console_role", "nobody", "auditor")
