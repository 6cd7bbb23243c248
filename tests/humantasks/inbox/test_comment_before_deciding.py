"""People say something about a task before it is decided, and on handing it on; it decides nothing."""

import pytest

from audit.models import Entry
from foundation.scope import tenant_scope
from humantasks.errors import AnswerInvalid, TaskNotFound, TaskOver, TaskRefused
from humantasks.models import TaskComment
from humantasks.rules import MAX_REMARK_LENGTH, MAX_REMARKS
from humantasks.services import comment_task, decide_task, delegate_task
from humantasks.types import TaskAnswer
from tenants.models import MemberRole, Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, again, as_person, client_of


def test_a_comment_is_read_by_the_others_and_decides_nothing(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    browser = client_of(ann)
    answer = browser.post(
        f"/inbox/tasks/{task.id}/comment/", {"remark": "See <b>this</b>: https://a.test/1"}, follow=True
    )
    assert "Your comment is saved." in answer.text
    html = client_of(bob).get(f"/inbox/tasks/{task.id}/").text
    assert 'See &lt;b&gt;this&lt;/b&gt;: <a href="https://a.test/1"' in html
    assert again(task).is_open
    with tenant_scope(acme.tenant.id):
        (entry,) = Entry.objects.filter(action="task.commented")
    assert entry.actor == f"member:{ann.id}"
    assert "this" not in str(entry.after)


def test_a_note_goes_with_a_task_that_is_handed_on(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    client_of(ann).post(f"/inbox/tasks/{task.id}/delegate/", {"to": str(bob.id), "note": "You know them."})
    shown = client_of(bob).get(f"/inbox/tasks/{task.id}/").context["page"]
    assert [(comment.name, comment.text) for comment in shown.comments] == [("Ann", "You know them.")]


def test_a_note_that_cannot_be_kept_hands_nothing_on(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    with pytest.raises(AnswerInvalid):
        delegate_task(
            tenant=acme.tenant, person=as_person(ann), task_id=task.id, to=bob.id, note="x" * (MAX_REMARK_LENGTH + 1)
        )
    assert again(task).assignee_id is None


@pytest.mark.parametrize("text", ["", " \n", "x" * (MAX_REMARK_LENGTH + 1)])
def test_nothing_and_too_much_are_refused(acme: Customer, ann: Membership, text: str) -> None:
    task = a_task(acme.tenant)
    with pytest.raises(AnswerInvalid):
        comment_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, text=text)
    comment_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, text="x" * MAX_REMARK_LENGTH)


def test_what_was_typed_is_shown_with_a_refusal(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=TaskAnswer("approved"))
    answer = client_of(ann).post(f"/inbox/tasks/{task.id}/comment/", {"remark": "Long thought about"})
    assert answer.status_code == 409
    assert "Long thought about" in answer.text


def test_a_task_takes_so_many(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    one = {"tenant_id": acme.tenant.id, "task": task, "actor": "a", "name": "a", "text": "a"}
    with tenant_scope(acme.tenant.id):
        TaskComment.objects.bulk_create([TaskComment(**one) for _ in range(MAX_REMARKS - 1)])
    comment_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, text="the last")
    with pytest.raises(AnswerInvalid):
        comment_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, text="one more")


def test_only_those_who_are_asked_comment_while_it_is_open(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, candidate_groups=["legal"])
    auditor = a_member(acme.tenant, "vic", role=MemberRole.AUDITOR)
    with pytest.raises(TaskRefused):
        comment_task(tenant=acme.tenant, person=as_person(auditor), task_id=task.id, text="a")
    with pytest.raises(TaskNotFound):
        comment_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, text="a")
    comment_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, text="a")
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=TaskAnswer("approved"))
    with pytest.raises(TaskOver):
        comment_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, text="a")
    assert "Say something" not in client_of(bob).get(f"/inbox/tasks/{task.id}/").text
