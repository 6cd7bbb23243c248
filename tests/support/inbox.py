"""Tasks and the people they wait for, made as the step makes them."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse
from django.test import Client

from foundation.scope import tenant_scope, unscoped
from humantasks.forms import default_form
from humantasks.models import HumanTask
from humantasks.opening import TaskSpec, open_task
from humantasks.people import person_of
from humantasks.rules import Person
from humantasks.types import Priority
from runs.models import Run, RunStatus
from segments.models import Revision
from tenants.members.sessions import TENANT
from tenants.models import MemberRole, Membership, Tenant, User
from tests.support.console import a_run, a_segment
from tests.support.forms import posted_of

_numbers = itertools.count(1)
INVOICE = {
    "order_id": 1234567,
    "customer": {"name": "Ann Noble", "email": "ann@customer.test"},
    "amount": 1250.5,
    "ordered_on": "2026-11-20",
    "lines": [{"sku": "lamp", "quantity": 2, "price": 500}, {"sku": "bulb", "quantity": 5, "price": 50.1}],
    "note": "Broken on arrival.\nThe customer sent pictures.",
}


def a_member(tenant: Tenant, name: str, *, role: str = MemberRole.REVIEWER, groups: Sequence[str] = ()) -> Membership:
    """A member whose person is known by their first name."""
    with unscoped("rows for a test"):
        user = User.objects.create(
            username=f"{name}-{tenant.slug}-{next(_numbers)}",
            first_name=name.title(),
            email=f"{name}@{tenant.slug}.test",
        )
        return Membership.objects.create(tenant=tenant, user=user, role=role, groups=list(groups))


def client_of(member: Membership) -> Client:
    """A browser in which a member is signed in."""
    client = Client()
    client.force_login(member.user)
    session = client.session
    session[TENANT] = str(member.tenant_id)
    session.save()
    return client


def as_person(member: Membership) -> Person:
    """The member as the rules see them."""
    with tenant_scope(member.tenant_id):
        return person_of(member)


def a_waiting_run(tenant: Tenant, definition: Mapping[str, Any] | None = None, **fields: Any) -> Run:
    """A run that waits, of a segment of its own."""
    _, revision = a_segment(tenant, f"refund_{next(_numbers)}")
    if definition is not None:
        with unscoped("rows for a test"):
            Revision.objects.filter(id=revision.id).update(definition=definition)
        revision.refresh_from_db()
    return a_run(revision, status=RunStatus.WAITING, **fields)


def a_task(tenant: Tenant, task_type: str = "approval", *, run: Run | None = None, **spec: Any) -> HumanTask:
    """An open task, by default of a run of its own and for every reviewer."""
    data = spec.pop("data", INVOICE)
    fields = {
        "title": f"Refund {next(_numbers)}",
        "description": "",
        "data": data,
        "form": default_form(task_type, data),
        "choices": [],
        "ports": ["approved", "rejected"],
        "assignee_ref": None,
        "candidate_groups": [],
        "needed": 1,
        "voters": 1,
        "four_eyes": False,
        "priority": Priority.NORMAL,
        "timeout_seconds": 86_400.0,
        "reminder_seconds": None,
        **spec,
    }
    run = run or a_waiting_run(tenant)
    return open_task(
        tenant_id=tenant.id,
        run_id=run.id,
        step_id=f"ask_{next(_numbers)}",
        activation=1,
        spec=TaskSpec(task_type=task_type, **fields),
    )


def again(task: HumanTask) -> HumanTask:
    """The task as it is now."""
    with tenant_scope(task.tenant_id):
        return HumanTask.objects.select_related("claimed_by__user").prefetch_related("decisions").get(id=task.id)


def send(browser: Client, task: HumanTask, decision: str, *, form: bool = True, **fields: Any) -> HttpResponse:
    """Post what the task's page would, with some fields typed anew; spaces in names stand for slashes."""
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    posted: dict[str, Any] = {"decision": decision, "content_hash": page.answer.content_hash, "comment": ""}
    if form and page.answer.form is not None:
        posted |= posted_of(page.answer.form)
    posted |= {name.replace("__", "/"): value for name, value in fields.items()}
    answer: Any = browser.post(f"/inbox/tasks/{task.id}/decide/", posted)
    return answer  # type: ignore[no-any-return]  # the client's answers have no types
