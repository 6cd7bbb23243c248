"""Segments that ask people, the people, and what they say."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from foundation.scope import tenant_scope, unscoped
from humantasks.models import HumanTask
from humantasks.people import person_of
from humantasks.rules import Person
from humantasks.services import decide_task
from humantasks.types import MISSING, TaskAnswer
from kernel.clock import utc_now
from tenants.models import Membership, Tenant, User
from tests.support.engine import get_run
from tests.support.process_ends import eventually


def make_member(tenant: Tenant, name: str, *groups: str, role: str = "reviewer", **more: Any) -> Membership:
    """A person of a tenant: ``ann`` has the e-mail ``ann@acme.example``."""
    with unscoped("tests look everywhere"):
        user = User.objects.create(
            username=f"{name}@{tenant.slug}", email=f"{name}@{tenant.slug}.example", first_name=name.capitalize()
        )
        return Membership.objects.create(tenant=tenant, user=user, role=role, groups=list(groups), **more)


def person(member: Membership) -> Person:
    with tenant_scope(member.tenant_id):
        return person_of(member)


def ask(*edges: str, step: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    """One human task between nothing and a transform for each way out: ``approved -> yes``."""
    steps: list[dict[str, Any]] = [
        {"step_id": "ask", "type": "human_task", "name": "Ask", "config": config, **(step or {})}
    ]
    found = []
    for edge in edges or ("approved -> yes", "rejected -> no"):
        port, target = edge.split(" -> ")
        found.append({"from": "ask", "from_port": port, "to": target})
        if target not in {one["step_id"] for one in steps}:
            told = {"way": f"'{target}'", "told": "input"}
            steps.append({"step_id": target, "type": "transform", "name": target, "config": {"mapping": told}})
    return {
        "version": "1.0",
        "segment_id": "asking",
        "name": "Asking",
        "entrypoint": "ask",
        "steps": steps,
        "edges": found,
    }


def task_of(run_id: UUID, step_id: str = "ask", activation: int = 1) -> HumanTask:
    """The task of an activation, once it is there."""

    def find() -> HumanTask | None:
        with unscoped("tests look everywhere"):
            rows = HumanTask.objects.select_related("tenant", "run").prefetch_related("decisions")
            return rows.filter(run_id=run_id, step_id=step_id, activation=activation).first()

    assert eventually(lambda: find() is not None, seconds=15), "no task was opened"
    task = find()
    assert task is not None
    return task


def decide(member: Membership | Person, task: HumanTask, decision: str = "approved", **more: Any) -> HumanTask:
    """Decide as somebody; ``data`` counts as sent when it is given, null too."""
    who = member if isinstance(member, Person) else person(member)
    content_hash = more.pop("content_hash", None)
    answer = TaskAnswer(decision, more.pop("data", MISSING), **more)
    return decide_task(tenant=task.tenant, person=who, task_id=task.id, answer=answer, content_hash=content_hash)


def is_parked(run_id: UUID) -> bool:
    """Whether a run waits, and nobody owns it."""
    run = get_run(run_id)
    return run.status == "waiting" and run.owner is None


def an_open_task(tenant: Tenant, run_id: str) -> HumanTask:
    """A task of a run for every reviewer, made past the services."""
    with tenant_scope(tenant.id):
        return HumanTask.objects.create(
            tenant=tenant,
            run_id=run_id,
            segment_id="order_total",
            step_id="ask",
            activation=1,
            task_type="approval",
            title="Pay?",
            data={"amount": 12},
            is_for_all=True,
            timeout_seconds=3600,
            due_at=utc_now() + timedelta(hours=1),
        )
