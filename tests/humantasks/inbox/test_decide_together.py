"""Several approvals are decided together: each was seen, each is decided on its own, each is reported."""

from uuid import uuid4

from foundation.scope import tenant_scope
from humantasks.inbox.bulk import MAX_AT_ONCE
from humantasks.models import HumanTask
from humantasks.services import decide_task
from humantasks.types import TaskAnswer, TaskStatus
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_task, again, as_person, client_of


def test_approvals_can_be_ticked_in_the_list_and_nothing_else(acme: Customer, ann: Membership) -> None:
    approval, review = a_task(acme.tenant), a_task(acme.tenant, "review")
    html = client_of(ann).get("/inbox/", {"box": "groups"}).text
    assert f'name="task" value="{approval.id}"' in html
    assert f'name="task" value="{review.id}"' not in html


def test_what_would_be_decided_is_shown_first_and_nothing_is_decided(acme: Customer, ann: Membership) -> None:
    tasks = [a_task(acme.tenant) for _ in range(3)]
    answer = client_of(ann).get("/inbox/together/", {"task": [str(task.id) for task in tasks]})
    for task in tasks:
        assert task.title in answer.text
        assert f'value="{task.id}:{task.content_hash}"' in answer.text
        assert task.content_hash[:16] in answer.text
        assert again(task).status == TaskStatus.OPEN


def test_each_ticked_one_is_decided_with_the_comment(acme: Customer, ann: Membership) -> None:
    tasks, left = [a_task(acme.tenant) for _ in range(3)], a_task(acme.tenant)
    picks = [f"{task.id}:{task.content_hash}" for task in tasks]
    answer = client_of(ann).post("/inbox/together/", {"task": picks, "decision": "approved", "comment": "batch of May"})
    assert answer.status_code == 200
    assert "3 tasks were decided." in answer.text
    for task in tasks:
        assert again(task).decision == "approved"
        assert again(task).decisions.get().comment == "batch of May"
    assert again(left).status == TaskStatus.OPEN


def test_one_that_is_refused_keeps_none_of_the_others_back(acme: Customer, ann: Membership, bob: Membership) -> None:
    good, over, changed, review = (
        a_task(acme.tenant),
        a_task(acme.tenant),
        a_task(acme.tenant),
        a_task(acme.tenant, "review"),
    )
    picks = [f"{task.id}:{task.content_hash}" for task in (over, changed, review, good)]
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=over.id, answer=TaskAnswer("rejected"))
    with tenant_scope(acme.tenant.id):
        HumanTask.objects.filter(id=changed.id).update(content_hash="cd" * 32)
    answer = client_of(ann).post("/inbox/together/", {"task": picks, "decision": "approved"})
    reports = {report.task_id: report.why_not for report in answer.context["reports"]}
    assert reports[good.id] == ""
    assert "Bob has decided: Rejected" in reports[over.id]
    assert "This has changed since you opened it" in reports[changed.id]
    assert "Only approvals" in reports[review.id]
    assert "1 task was decided." in answer.text
    assert [again(task).decision for task in (good, over, changed, review)] == ["approved", "rejected", "", ""]


def test_what_one_may_not_decide_cannot_be_ticked(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, needed=2, voters=2)
    decide_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, answer=TaskAnswer("approved"))
    answer = client_of(ann).get("/inbox/together/", {"task": str(task.id)})
    assert "You have decided already." in answer.text
    assert "checked" not in answer.text


def test_tasks_of_others_and_nonsense_are_left_out(acme: Customer, ann: Membership, gus: Membership) -> None:
    task = a_task(acme.tenant, title="canary of acme")
    pick = f"{task.id}:{task.content_hash}"
    assert "canary of acme" not in client_of(gus).get("/inbox/together/", {"task": [str(task.id), "x"]}).text
    answer = client_of(gus).post("/inbox/together/", {"task": [pick, "x", f"{uuid4()}:"], "decision": "approved"})
    assert "canary of acme" not in answer.text
    assert "0 tasks were decided." in answer.text
    assert again(task).status == TaskStatus.OPEN


def test_a_decision_that_is_none_is_refused_for_each(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    answer = client_of(ann).post("/inbox/together/", {"task": f"{task.id}:{task.content_hash}", "decision": "maybe"})
    assert [report.why_not for report in answer.context["reports"]] == ["This task does not allow that answer."]


def test_a_comment_that_cannot_be_kept_decides_nothing(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    posted = {"task": f"{task.id}:{task.content_hash}", "decision": "approved", "comment": "a\x00b"}
    assert client_of(ann).post("/inbox/together/", posted).status_code == 422
    assert again(task).status == TaskStatus.OPEN


def test_no_more_than_some_are_taken_at_once(acme: Customer, ann: Membership) -> None:
    picks = [f"{uuid4()}:" for _ in range(MAX_AT_ONCE + 9)]
    answer = client_of(ann).post("/inbox/together/", {"task": picks, "decision": "approved"})
    assert len(answer.context["reports"]) == MAX_AT_ONCE
