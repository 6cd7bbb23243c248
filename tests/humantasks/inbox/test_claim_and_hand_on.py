"""Claiming, releasing and handing on, by plain forms."""

import pytest

from humantasks.services import claim_task, decide_task
from humantasks.types import TaskAnswer
from tenants.models import MemberRole, Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, again, as_person, client_of


def test_a_task_is_claimed_and_released(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    answer = browser.post(f"/inbox/tasks/{task.id}/claim/", follow=True)
    assert answer.redirect_chain == [(f"/inbox/tasks/{task.id}/", 303)]
    assert "You have claimed it." in answer.text
    assert again(task).claimed_by_id == ann.id
    answer = browser.post(f"/inbox/tasks/{task.id}/release/", follow=True)
    assert "You have released it" in answer.text
    assert again(task).claimed_by is None


def test_the_first_claim_wins(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    claim_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id)
    answer = client_of(ann).post(f"/inbox/tasks/{task.id}/claim/")
    assert answer.status_code == 409
    assert "Bob has claimed this task." in answer.text
    assert again(task).claimed_by_id == bob.id


def test_a_task_is_handed_on_to_a_member(acme: Customer, ann: Membership, bob: Membership) -> None:
    task, browser = a_task(acme.tenant, assignee_ref="ann@acme.test"), client_of(ann)
    offered = browser.get(f"/inbox/tasks/{task.id}/").context["page"].members
    assert [member["name"] for member in offered] == ["Bob"]
    answer = browser.post(f"/inbox/tasks/{task.id}/delegate/", {"to": str(bob.id)}, follow=True)
    assert "You have handed it on." in answer.text
    assert again(task).assignee_id == bob.id
    assert client_of(bob).get("/inbox/").context["page"].cards[0].id == task.id


@pytest.mark.parametrize("to", ["", "nobody", "01890000-0000-7000-8000-000000000000"])
def test_a_task_is_not_handed_on_to_nobody(acme: Customer, ann: Membership, to: str) -> None:
    task = a_task(acme.tenant, assignee_ref="ann@acme.test")
    assert client_of(ann).post(f"/inbox/tasks/{task.id}/delegate/", {"to": to}).status_code == 422
    assert again(task).assignee_id == ann.id


def test_auditors_and_other_tenants_are_not_offered(acme: Customer, ann: Membership, gus: Membership) -> None:
    a_member(acme.tenant, "vic", role=MemberRole.AUDITOR)
    task = a_task(acme.tenant)
    assert client_of(ann).get(f"/inbox/tasks/{task.id}/").context["page"].members == []
    assert client_of(ann).post(f"/inbox/tasks/{task.id}/delegate/", {"to": str(gus.id)}).status_code == 422


@pytest.mark.parametrize("act", ["claim", "release", "delegate"])
def test_a_task_that_is_over_is_left_alone(acme: Customer, ann: Membership, bob: Membership, act: str) -> None:
    task = a_task(acme.tenant)
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=TaskAnswer("approved"))
    answer = client_of(ann).post(f"/inbox/tasks/{task.id}/{act}/", {"to": str(bob.id)})
    assert answer.status_code == 409
    assert "This was decided already" in answer.text
