"""A task's page says what is asked, of whom, until when, about what; readable, escaped, never kept by a browser."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import translation

from foundation.scope import tenant_scope
from humantasks.models import HumanTask
from humantasks.services import claim_task, decide_task
from humantasks.types import TaskAnswer
from kernel.clock import utc_now
from tenants.models import MemberRole, Membership
from tests.conftest import Customer
from tests.support.inbox import INVOICE, a_member, a_task, as_person, client_of


def text_of(browser: Client, task: HumanTask) -> str:
    answer = browser.get(f"/inbox/tasks/{task.id}/")
    assert answer.status_code == 200
    return str(answer.text)


def words_of(html: str) -> str:
    """The page without its tags, spaces made one."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_it_says_what_is_asked_and_about_what(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, title="Refund A-1?", description="The customer waits.\n\nLook at the pictures.")
    words = words_of(text_of(client_of(ann), task))
    for said in ("Refund A-1?", "The customer waits.", "approval", "due in", "Every reviewer", "Approve", "Reject"):
        assert said in words
    for shown in ("Order id 1234567", "Ann Noble", "1250.5", "20 November 2026", "Sku Quantity Price"):
        assert shown in words


def test_data_is_no_dump_and_never_markup(acme: Customer, ann: Membership) -> None:
    hostile = {
        "name": "<script>alert(1)</script>",
        "<b>key</b>": '"><img src=x onerror=alert(1)>',
        "link": "javascript:alert(1)",
        "picture": "https://evil.test/pixel.png",
        "long": "<i>" * 900,
    }
    task = a_task(acme.tenant, "review", title="<u>title</u>", description="{{ 7|add:7 }}<br>", data=hostile)
    html = text_of(client_of(ann), task)
    assert not re.search(r"<(script>alert|b>key|img|i>|u>title)", html)
    assert 'href="javascript:' not in html
    assert "evil.test/pixel.png" in html
    assert 'src="https://evil' not in html
    assert "{{ 7|add:7 }}&lt;br&gt;" in html
    assert "{&quot;" not in html


def test_it_tells_who_is_asked_and_what_is_special(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, assignee_ref="nobody@acme.test", four_eyes=True, needed=2, voters=3, priority=3)
    words = words_of(text_of(client_of(ann), task))
    for said in ("unknown assignee", "The person who started the run may not decide", "0 of 2 approvals", "urgent"):
        assert said in words


def test_it_tells_who_decided_what_before(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, needed=2, voters=2)
    answer = TaskAnswer("approved", comment="Looks\nright <b>")
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=answer)
    html = text_of(client_of(ann), task)
    assert "1 of 2 approvals" in words_of(html)
    assert "Approved Bob" in words_of(html)
    assert "right &lt;b&gt;" in html


def test_it_says_that_it_is_late(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    with tenant_scope(acme.tenant.id):
        HumanTask.objects.filter(id=task.id).update(due_at=utc_now() - timedelta(days=3))
    assert "overdue by 3 days" in words_of(text_of(client_of(ann), task)).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("task_type", "buttons"),
    [
        ("approval", ["approved", "rejected"]),
        ("review", ["approved", "modified", "rejected"]),
        ("input", ["approved"]),
        ("choice", ["approved"]),
    ],
)
def test_each_type_has_its_buttons(acme: Customer, ann: Membership, task_type: str, buttons: list[str]) -> None:
    choices = [{"value": "left", "label": "To the left"}, {"value": "right"}] if task_type == "choice" else []
    task = a_task(acme.tenant, task_type, choices=choices)
    html = text_of(client_of(ann), task)
    assert re.findall(r'name="decision" value="(\w+)"', html) == buttons
    assert ("To the left" in html) == (task_type == "choice")


def test_the_form_is_made_from_the_schema_and_filled_in(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, "review")
    html = text_of(client_of(ann), task)
    assert 'name="data/amount" type="text" value="1250.5"' in html
    assert 'name="data/customer/name" type="text" value="Ann Noble"' in html
    assert 'name="data/lines/1/sku" type="text" value="bulb"' in html
    assert re.search(r'<textarea [^>]*name="data/note"[^>]*>\nBroken on arrival.\nThe customer', html)


def test_every_field_has_a_label_and_every_description_is_there(acme: Customer, ann: Membership) -> None:
    html = text_of(client_of(ann), a_task(acme.tenant, "review"))
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    labelled = set(re.findall(r'<label for="([^"]+)"', html))
    for tag in re.findall(r"<(?:input|select|textarea) [^>]*>", html):
        if 'type="hidden"' not in tag:
            assert re.search(r'id="([^"]+)"', tag)[1] in labelled  # type: ignore[index]  # it has one
    for described in re.findall(r'aria-describedby="([^"]+)"', html):
        assert set(described.split()) <= set(ids)


def test_a_stranger_to_the_task_is_told_why_they_cannot_decide(acme: Customer) -> None:
    task = a_task(acme.tenant, candidate_groups=["finance"])
    a_member(acme.tenant, "ann", groups=["finance"])
    auditor = client_of(a_member(acme.tenant, "vic", role=MemberRole.AUDITOR))
    html = text_of(auditor, task)
    assert "Auditors read tasks; they do not act on them." in html
    assert 'name="decision"' not in html


def test_who_started_the_run_is_told_that_another_has_to_decide(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, four_eyes=True)
    with tenant_scope(acme.tenant.id):
        HumanTask.objects.filter(id=task.id).update(started_by=f"member:{ann.id}")
    html = text_of(client_of(ann), task)
    assert "You started this run, so somebody else has to decide." in html
    assert 'name="decision"' not in html


def test_a_task_another_holds_offers_no_decision(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    claim_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id)
    html = text_of(client_of(ann), task)
    assert "Bob has claimed it." in words_of(html)
    assert 'name="decision"' not in html
    assert 'name="decision"' in text_of(client_of(bob), task)


def test_a_task_that_is_over_says_how_it_ended(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    decide_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, answer=TaskAnswer("approved"))
    html = text_of(client_of(ann), task)
    assert "Approved" in words_of(html)
    assert 'name="decision"' not in html


def test_pages_bring_no_script_of_their_own_and_are_kept_nowhere(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, "review")
    for path in (f"/inbox/tasks/{task.id}/", "/inbox/", f"/inbox/runs/{task.run_id}/", "/inbox/together/"):
        answer = client_of(ann).get(path)
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=|<style", answer.text)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_refusals_are_bounded_in_the_same_way(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    browser = client_of(ann)
    gone = browser.get("/inbox/tasks/01890000-0000-7000-8000-000000000000/")
    wrong_method = browser.put(f"/inbox/tasks/{task.id}/claim/")
    stranger = Client().get("/inbox/")
    assert [answer.status_code for answer in (gone, wrong_method)] == [404, 405]
    for answer in (gone, wrong_method, stranger):
        assert answer["Cache-Control"] == "no-store"
        assert "script-src 'self'" in answer["Content-Security-Policy"]


def test_what_an_input_is_filled_in_with_stands_in_the_form_only(acme: Customer, ann: Membership) -> None:
    html = text_of(client_of(ann), a_task(acme.tenant, "input", data={"reason": "damaged"}))
    assert 'name="data/reason" type="text" value="damaged"' in html
    assert "What it is about" not in html
    form = {"type": "object", "properties": {"reason": {"type": "string"}}}
    html = text_of(client_of(ann), a_task(acme.tenant, "input", data=INVOICE, form=form))
    assert "What it is about" in html
    assert "data/amount" not in html


def test_it_speaks_russian(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    answer = client_of(ann).get(f"/inbox/tasks/{task.id}/", headers={"Accept-Language": "ru"})
    words = words_of(answer.text)
    for said in ("Одобрить", "Отклонить", "Ваше решение", "Данные"):
        assert said in words
    with translation.override(None):
        assert "Approve" in text_of(client_of(ann), task)
