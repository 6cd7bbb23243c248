"""A task reaches whom its step names, and nobody else; a name that means nobody reaches the default reviewers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from foundation.scope import tenant_scope
from humantasks.errors import AnswerInvalid, TaskChanged, TaskNotFound, TaskOver, TaskRefused, TaskTaken
from humantasks.models import HumanTask, Notice
from humantasks.opening import TaskSpec, open_task
from humantasks.selectors import TaskQuery, count_tasks, get_task, list_tasks
from humantasks.services import claim_task, delegate_task, release_task
from humantasks.types import Priority
from kernel.clock import utc_now
from runs.models import Run
from tenants.models import Membership, Tenant
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import make_revision, make_tenant
from tests.support.tasks import decide, make_member, person

Api = Callable[[Customer], APIClient]
WISH = TaskSpec(
    task_type="approval",
    title="Pay?",
    description="",
    data={"amount": 12},
    form={},
    choices=[],
    ports=["approved", "rejected"],
    assignee_ref=None,
    candidate_groups=[],
    needed=1,
    voters=1,
    four_eyes=False,
    priority=Priority.NORMAL,
    timeout_seconds=3600,
    reminder_seconds=None,
)


@pytest.fixture
def acme(db: None) -> Tenant:
    return make_tenant("acme")


def a_task(tenant: Tenant, *, started_by: str = "key:canvas", **spec: Any) -> HumanTask:
    revision = make_revision(tenant, steps_in_a_row("input"))
    with tenant_scope(tenant.id):
        run = Run.objects.create(
            tenant=tenant, revision=revision, segment_id="s", timeout_seconds=60, started_by_actor=started_by
        )
    facts = {name: getattr(WISH, name) for name in WISH.__dataclass_fields__}
    return open_task(tenant_id=tenant.id, run_id=run.id, step_id="ask", activation=1, spec=TaskSpec(**(facts | spec)))


def sees(member: Membership, task: HumanTask) -> bool:
    try:
        get_task(tenant=task.tenant, person=person(member), task_id=task.id)
    except TaskNotFound:
        return False
    return True


def box(member: Membership, name: str) -> list[str]:
    page = list_tasks(tenant=member.tenant, person=person(member), query=TaskQuery(box=name))
    return [task.title for task in page.rows]


def told(task: HumanTask) -> set[str]:
    with tenant_scope(task.tenant_id):
        return set(Notice.objects.filter(task=task).values_list("member__user__first_name", flat=True))


@pytest.fixture
def people(acme: Tenant) -> dict[str, Membership]:
    return {
        "ann": make_member(acme, "ann", "finance"),
        "bob": make_member(acme, "bob", "legal"),
        "boss": make_member(acme, "boss", role="admin"),
        "otto": make_member(acme, "otto", "finance", role="auditor"),
    }


@pytest.mark.parametrize("ref", ["finance", "ANN@acme.example", "id"])
def test_a_name_is_a_group_a_mail_or_an_id(acme: Tenant, people: dict[str, Membership], ref: str) -> None:
    task = a_task(acme, assignee_ref=str(people["ann"].id) if ref == "id" else ref)
    assert not task.is_flagged
    assert {name for name, member in people.items() if sees(member, task)} == {"ann", "boss", "otto"}
    assert told(task) == {"Ann"}
    assert (box(people["ann"], "mine") or box(people["ann"], "groups")) == ["Pay?"]
    assert box(people["bob"], "all") == []


def test_a_group_comes_before_a_mail_of_the_same_name(acme: Tenant) -> None:
    named = make_member(acme, "ann", "finance")
    with tenant_scope(acme.id):
        named.user.email = "finance"
        named.user.save()
    other = make_member(acme, "bob", "finance")
    assert sees(other, a_task(acme, assignee_ref="finance"))


def test_who_is_unknown_is_flagged_and_the_default_reviewers_are_asked(
    acme: Tenant, people: dict[str, Membership]
) -> None:
    to_all = a_task(acme, assignee_ref="nobody@acme.example")
    assert (to_all.is_flagged, to_all.is_for_all) == (True, True)
    assert told(to_all) == {"Ann", "Bob", "Boss"}
    acme.default_reviewer_groups = ["legal", "gone"]
    acme.save()
    to_legal = a_task(acme, assignee_ref="nobody@acme.example")
    assert (to_legal.is_flagged, to_legal.candidate_groups) == (True, ["legal"])
    assert not a_task(acme).is_flagged, "nobody named is no mistake"


def test_who_is_deactivated_is_unknown(acme: Tenant, people: dict[str, Membership]) -> None:
    with tenant_scope(acme.id):
        Membership.objects.filter(id=people["ann"].id).update(deactivated_at=utc_now())
    assert a_task(acme, assignee_ref="ann@acme.example").is_flagged


def test_who_is_away_is_stood_in_for(acme: Tenant, people: dict[str, Membership]) -> None:
    ann, bob = people["ann"], people["bob"]
    with tenant_scope(acme.id):
        Membership.objects.filter(id=ann.id).update(
            away_from=utc_now() - timedelta(hours=1), away_until=utc_now() + timedelta(hours=1), stands_in=bob
        )
    task = a_task(acme, assignee_ref="ann@acme.example")
    assert told(task) == {"Ann", "Bob"}
    assert box(bob, "mine") == ["Pay?"]
    with tenant_scope(acme.id):
        Membership.objects.filter(id=ann.id).update(away_until=utc_now() - timedelta(minutes=1))
    assert not sees(bob, task), "the absence is over"
    with tenant_scope(acme.id):
        Membership.objects.filter(id=ann.id).update(away_until=None)
    assert decide(bob, task).decided_by == f"member:{bob.id}"


def test_a_claim_keeps_others_off_and_counts(acme: Tenant, people: dict[str, Membership]) -> None:
    ann, boss = people["ann"], people["boss"]
    carl = make_member(acme, "carl", "finance")
    task = a_task(acme, assignee_ref="finance")
    assert count_tasks(tenant=acme, person=person(carl)) == {"mine": 0, "groups": 1, "overdue": 0}
    claim_task(tenant=acme, person=person(ann), task_id=task.id)
    assert count_tasks(tenant=acme, person=person(ann)) == {"mine": 1, "groups": 0, "overdue": 0}
    assert count_tasks(tenant=acme, person=person(carl)) == {"mine": 0, "groups": 0, "overdue": 0}
    with pytest.raises(TaskTaken, match="Ann has claimed"):
        decide(carl, task)
    with pytest.raises(TaskTaken):
        claim_task(tenant=acme, person=person(carl), task_id=task.id)
    release_task(tenant=acme, person=person(boss), task_id=task.id)
    assert decide(carl, task).decided_by_name == "Carl"


def test_a_task_handed_on_is_that_members_alone(acme: Tenant, people: dict[str, Membership]) -> None:
    ann, bob = people["ann"], people["bob"]
    carl = make_member(acme, "carl", "finance")
    task = a_task(acme, assignee_ref="finance")
    delegate_task(tenant=acme, person=person(ann), task_id=task.id, to=bob.id)
    assert told(task) >= {"Bob"}
    assert not sees(carl, task)
    with pytest.raises(TaskNotFound):
        decide(ann, task)
    with pytest.raises(AnswerInvalid):
        delegate_task(tenant=acme, person=person(bob), task_id=task.id, to=task.id)
    assert decide(bob, task).status == "completed"


def test_two_of_three_approve_and_the_first_says_nothing_yet(acme: Tenant, people: dict[str, Membership]) -> None:
    task = a_task(acme, needed=2, voters=3)
    assert decide(people["ann"], task, "rejected").is_open
    with pytest.raises(TaskRefused, match="decided already"):
        decide(people["ann"], task, "approved")
    assert decide(people["bob"], task).is_open
    assert decide(people["boss"], task).decision == "approved"
    with pytest.raises(TaskOver) as over:
        decide(make_member(acme, "late"), task)
    assert (over.value.extra["decided_by"], over.value.extra["decision"]) == ("Boss", "approved")


def test_whoever_started_the_run_does_not_decide_it(acme: Tenant, people: dict[str, Membership]) -> None:
    ann = people["ann"]
    task = a_task(acme, four_eyes=True, started_by=f"member:{ann.id}")
    with pytest.raises(TaskRefused, match="You started this run"):
        decide(ann, task)
    assert decide(people["bob"], task).status == "completed"
    assert decide(ann, a_task(acme, started_by=f"member:{ann.id}")).status == "completed", "without four eyes"


def test_a_decision_is_about_what_was_shown(acme: Tenant, people: dict[str, Membership]) -> None:
    task = a_task(acme, needed=2, voters=2)
    decide(people["bob"], task)
    facts = {name: getattr(WISH, name) for name in WISH.__dataclass_fields__}
    changed = TaskSpec(**(facts | {"data": {"amount": 99}, "needed": 2, "voters": 2}))
    again = open_task(tenant_id=acme.id, run_id=task.run_id, step_id="ask", activation=1, spec=changed)
    assert (again.id, again.data) == (task.id, {"amount": 99})
    with pytest.raises(TaskChanged) as refused:
        decide(people["ann"], task, content_hash=task.content_hash)
    assert refused.value.extra["content_hash"] == again.content_hash != task.content_hash
    assert decide(people["ann"], task, content_hash=again.content_hash).is_open, "Bob's was about something else"
    assert decide(people["bob"], task, content_hash=again.content_hash).status == "completed"
    same = open_task(tenant_id=acme.id, run_id=task.run_id, step_id="ask", activation=1, spec=changed)
    assert same.status == "completed", "once it is over it stays so"


def test_another_tenants_people_see_and_may_do_nothing(
    acme: Tenant, globex: Customer, people: dict[str, Membership], api: Api
) -> None:
    task = a_task(acme)
    gil = make_member(globex.tenant, "gil", role="admin")
    assert box(gil, "all") == []
    for act in (claim_task, release_task):
        with pytest.raises(TaskNotFound):
            act(tenant=globex.tenant, person=person(gil), task_id=task.id)
    assert api(globex).get("/api/v1/human-tasks").json()["data"] == []
    assert api(globex).post(f"/api/v1/human-tasks/{task.id}/complete", {"decision": "approved"}).status_code == 404
