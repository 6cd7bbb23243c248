"""Whoever was asked once is told what became of it; of what one never saw there is nothing."""

from typing import Any

import pytest
from django.test import Client

from foundation.scope import tenant_scope, unscoped
from humantasks.inbox import listing
from humantasks.inbox.history import history_lines
from humantasks.models import HumanTask
from humantasks.opening import act_on_deadlines
from humantasks.selectors import history_of
from humantasks.services import decide_task, delegate_task
from humantasks.types import TaskAnswer, TaskStatus
from kernel.clock import utc_now
from tenants.members.sessions import TENANT
from tenants.models import Identity, Membership
from tenants.sign_in.sessions import IDENTITY, PROVIDER
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, again, as_person, client_of, send

NEVER = "There is no such task"


def seen(member: Membership, task: HumanTask) -> str:
    answer = client_of(member).get(f"/inbox/tasks/{task.id}/")
    assert answer.status_code == 404
    return str(answer.text)


@pytest.fixture
def carl(acme: Customer) -> Membership:
    return a_member(acme.tenant, "carl")


def test_what_was_handed_on_says_to_whom(
    acme: Customer, ann: Membership, bob: Membership, carl: Membership, gus: Membership
) -> None:
    task = a_task(acme.tenant, assignee_ref="ann@acme.test")
    delegate_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, to=bob.id)
    page = seen(ann, task)
    assert NEVER not in page
    assert "It was handed on. Now asked: Bob." in page
    assert NEVER in seen(carl, task)
    assert NEVER in seen(gus, task)
    late = client_of(ann).post(f"/inbox/tasks/{task.id}/decide/", {"decision": "approved"})
    assert "It was handed on. Now asked: Bob." in late.text


def test_what_was_escalated_says_who_is_asked_now(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, assignee_ref="ann@acme.test", chain=["legal"])
    with tenant_scope(acme.tenant.id):
        HumanTask.objects.filter(id=task.id).update(due_at=utc_now())
    act_on_deadlines(tenant_id=acme.tenant.id, run_id=task.run_id, step_id=task.step_id, activation=1)
    assert "Nobody answered in time. Now asked: Group legal." in seen(ann, task)
    assert client_of(bob).get(f"/inbox/tasks/{task.id}/").status_code == 200


@pytest.mark.parametrize(
    ("answer", "said"),
    [(TaskAnswer("approved"), "Bob has decided: Approved, "), (None, "It ended without a decision, ")],
)
def test_what_is_over_says_how_it_ended(
    acme: Customer, ann: Membership, bob: Membership, answer: TaskAnswer | None, said: str
) -> None:
    task = a_task(acme.tenant, assignee_ref="ann@acme.test")
    delegate_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, to=bob.id)
    if answer is not None:
        decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=answer)
    else:
        with tenant_scope(acme.tenant.id):
            HumanTask.objects.filter(id=task.id).update(status=TaskStatus.TIMED_OUT, ended_at=utc_now())
    assert said in seen(ann, task)


def test_what_belongs_to_another_of_one_s_tenants_offers_to_switch(
    acme: Customer, globex: Customer, ann: Membership, settings: Any
) -> None:
    with unscoped("rows for a test"):
        there = Membership.objects.create(tenant=globex.tenant, user=ann.user, role="reviewer")
        account = Identity.objects.create(user=ann.user, issuer="https://login.example.com", subject="ann")
    task = a_task(globex.tenant)
    browser = client_of(ann)
    assert NEVER in browser.get(f"/inbox/tasks/{task.id}/").text, "through no provider one goes nowhere else"
    settings.OIDC_ISSUER = "https://login.example.com"
    session = browser.session
    session[PROVIDER], session[IDENTITY] = "installation", str(account.id)
    session.save()
    page = browser.get(f"/inbox/tasks/{task.id}/").text
    assert f"This belongs to {globex.tenant.name}" in page
    went = browser.post("/sign-in/tenant/", {"tenant": str(there.tenant_id), "next": f"/inbox/tasks/{task.id}/"})
    assert browser.session[TENANT] == str(globex.tenant.id)
    assert browser.get(went["Location"]).status_code == 200


def test_the_history_of_a_quorum_tells_every_vote(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, needed=2, voters=3)
    for member, decision in ((ann, "approved"), (bob, "rejected")):
        decide_task(tenant=acme.tenant, person=as_person(member), task_id=task.id, answer=TaskAnswer(decision))
    with tenant_scope(acme.tenant.id):
        found = again(task)
        lines = [line.text for line in history_lines(found, history_of(found), found.decisions.all())]
    assert lines == ["Ann decided: Approved", "Bob decided: Rejected"]
    assert "Bob decided: Rejected" in client_of(bob).get(f"/inbox/tasks/{task.id}/").text


def test_an_input_says_in_its_own_words_what_was_done(acme: Customer, ann: Membership, bob: Membership) -> None:
    task, browser = a_task(acme.tenant, "input", data={}), client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/")
    shown = page.context["page"].answer.content_hash
    assert "Your answer" in page.text
    assert send(client_of(bob), task, "approved", data__answer="yes").status_code == 303
    late = browser.post(f"/inbox/tasks/{task.id}/decide/", {"decision": "approved", "content_hash": shown})
    assert "This was sent already" in late.text
    assert "Bob has sent it, " in late.text
    assert "Approved" not in late.text


def test_the_done_stand_in_order_of_ending(acme: Customer, ann: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (a_task(acme.tenant) for _ in range(3))
    for task in (second, third, first):
        decide_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, answer=TaskAnswer("approved"))

    def titles(browser: Client, **query: str) -> list[str]:
        return [card.title for card in browser.get("/inbox/", {"box": "done", **query}).context["page"].cards]

    browser = client_of(ann)
    assert titles(browser) == [first.title, third.title, second.title]
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    following = browser.get("/inbox/", {"box": "done"}).context["page"].next_href
    cards = browser.get(following).context["page"].cards
    assert [card.title for card in cards] == [second.title]
