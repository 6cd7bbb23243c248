"""Deciding works by a plain form; what was refused says why, at its place, and nothing typed is lost."""

import re

import pytest

from foundation.scope import tenant_scope
from humantasks.inbox.texts import moment_text
from humantasks.models import HumanTask
from humantasks.services import claim_task, decide_task
from humantasks.types import TaskAnswer, TaskStatus
from kernel.clock import utc_now
from runs.models import Run, RunStatus
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.forms import posted_of
from tests.support.inbox import INVOICE, a_task, again, as_person, client_of, send

REFUND = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "title": "Amount", "minimum": 1, "maximum": 500},
        "reason": {"type": "string", "title": "Reason", "minLength": 3},
        "email": {"type": "string", "format": "email"},
    },
    "required": ["amount", "reason"],
}


@pytest.mark.parametrize(("decision", "outcome"), [("approved", "Approved"), ("rejected", "Rejected")])
def test_an_approval_is_decided(acme: Customer, ann: Membership, decision: str, outcome: str) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    answer = send(browser, task, decision, comment="Fine by me")
    assert (answer.status_code, answer["Location"]) == (303, "/inbox/")
    assert f"{outcome}: “{task.title}” The run goes on." in browser.get("/inbox/").text
    decided = again(task)
    assert (decided.status, decided.decision, decided.decided_by_name) == (TaskStatus.COMPLETED, decision, "Ann")
    assert decided.decisions.get().comment == "Fine by me"


def test_one_goes_on_where_the_next_task_waits(acme: Customer, ann: Membership) -> None:
    first, second = a_task(acme.tenant), a_task(acme.tenant)
    browser = client_of(ann)
    assert "See what waits for your groups" in browser.get("/inbox/").text
    assert send(browser, first, "approved")["Location"] == "/inbox/?box=groups"
    assert send(browser, second, "approved")["Location"] == "/inbox/"


def test_a_review_is_approved_as_it_is_or_with_changes(acme: Customer, ann: Membership) -> None:
    browser = client_of(ann)
    as_it_is, changed = a_task(acme.tenant, "review"), a_task(acme.tenant, "review")
    assert send(browser, as_it_is, "approved").status_code == 303
    assert send(browser, changed, "modified", data__amount="99,5").status_code == 303
    assert again(as_it_is).decisions.get().data is None
    assert again(changed).decisions.get().data == {**INVOICE, "amount": 99.5}


def test_changes_are_never_dropped_in_silence(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "review"), client_of(ann)
    answer = send(browser, task, "approved", data__amount="99")
    assert answer.status_code == 422
    assert "You have changed the data." in answer.text
    assert 'value="99"' in answer.text
    assert again(task).status == TaskStatus.OPEN


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_review_of_data_that_lacks_something_is_decided_as_it_is(
    acme: Customer, ann: Membership, decision: str
) -> None:
    task, browser = a_task(acme.tenant, "review", form=REFUND, data={"amount": 120}), client_of(ann)
    changed = send(browser, task, decision, data__amount="")
    assert changed.status_code == 422
    assert "You have changed the data." in changed.text
    assert send(browser, task, decision).status_code == 303
    assert again(task).decision == decision


def test_a_task_whose_run_is_over_is_closed_by_who_would_decide_it(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    with tenant_scope(acme.tenant.id):
        Run.objects.filter(id=task.run_id).update(status=RunStatus.CANCELLED, ended_at=utc_now(), wake_at=None)
    assert send(browser, task, "approved").status_code == 409
    assert again(task).status == TaskStatus.CANCELLED


def test_an_input_is_sent(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, "input", form=REFUND, data={"order": 1})
    answer = send(client_of(ann), task, "approved", data__amount="120", data__reason="damaged")
    assert answer.status_code == 303
    assert again(task).decisions.get().data == {"amount": 120, "reason": "damaged"}


OPTIONAL = {
    "type": "object",
    "properties": {
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Note", "default": None},
        "days": {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "Days"},
    },
}


def test_what_pydantic_calls_optional_is_a_field_of_its_kind(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "input", form=OPTIONAL, data={}), client_of(ann)
    assert "Write a whole number" in send(browser, task, "approved", data__days="soon").text
    assert send(browser, task, "approved", data__note="hello", data__days="3").status_code == 303
    assert again(task).decisions.get().data == {"note": "hello", "days": 3}
    empty = a_task(acme.tenant, "input", form=OPTIONAL, data={})
    assert send(browser, empty, "approved").status_code == 303, "both may be left out"


def test_an_input_that_was_sent_is_not_called_approved(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "input", form=REFUND, data={}), client_of(ann)
    assert send(browser, task, "approved", data__amount="120", data__reason="damaged").status_code == 303
    assert f"Sent: “{task.title}”" in browser.get("/inbox/").text
    page = browser.get(f"/inbox/tasks/{task.id}/").text
    assert "Sent" in page
    assert "Approved" not in page


@pytest.mark.parametrize(
    ("status", "said"),
    [(TaskStatus.TIMED_OUT, "The time for this is over"), (TaskStatus.CANCELLED, "This is not asked any more")],
)
def test_an_answer_that_comes_too_late_is_told_why(
    acme: Customer, ann: Membership, status: TaskStatus, said: str
) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    shown = browser.get(f"/inbox/tasks/{task.id}/").context["page"].answer.content_hash
    with tenant_scope(acme.tenant.id):
        HumanTask.objects.filter(id=task.id).update(status=status, ended_at=utc_now())
    late = browser.post(f"/inbox/tasks/{task.id}/decide/", {"decision": "approved", "content_hash": shown})
    claimed = browser.post(f"/inbox/tasks/{task.id}/claim/")
    for answer in (late, claimed):
        assert answer.status_code == 409
        assert said in answer.text
        assert "decided already" not in answer.text


def test_a_choice_is_sent(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, "choice", choices=[{"value": "left", "label": "To the left"}, {"value": "right"}])
    browser = client_of(ann)
    refused = send(browser, task, "approved")
    assert refused.status_code == 422
    assert 'id="choice-error"' in refused.text
    assert 'href="#choice"' in refused.text
    assert send(browser, task, "approved", choice="left").status_code == 303
    assert again(task).choice == "left"


def test_bad_data_is_refused_at_its_field_and_kept_as_typed(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "input", form=REFUND, data={}), client_of(ann)
    typed = {"data__amount": "a lot", "data__reason": "worn <out>", "comment": "please"}
    answer = send(browser, task, "approved", **typed)
    html = answer.text
    assert answer.status_code == 422
    assert re.search(r'<a href="#field-0-0">Amount: Write a number', html)
    assert re.search(r'<p class="error" id="field-0-0-error">Write a number', html)
    field = re.search(r'<input id="field-0-0"[^>]*>', html)
    assert field is not None
    assert 'value="a lot"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert "field-0-0-error" in field[0]
    assert 'value="worn &lt;out&gt;"' in html
    assert re.search(r"<textarea id=\"comment\"[^>]*>\nplease</textarea>", html)
    assert re.search(r'role="alert" tabindex="-1" autofocus id="problems"', html)
    assert again(task).status == TaskStatus.OPEN


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"data__amount": "0", "data__reason": "worn"}, "This must be at least 1."),
        ({"data__amount": "501", "data__reason": "worn"}, "This must be at most 500."),
        ({"data__amount": "5", "data__reason": "w"}, "This needs at least 3 characters."),
        ({"data__amount": "5", "data__reason": "worn", "data__email": "nobody"}, "Write an e-mail address"),
        ({"data__amount": "", "data__reason": "worn"}, "This is required."),
    ],
)
def test_what_the_schema_forbids_is_said_at_its_field(
    acme: Customer, ann: Membership, typed: dict[str, str], said: str
) -> None:
    task = a_task(acme.tenant, "input", form=REFUND, data={})
    answer = send(client_of(ann), task, "approved", **typed)
    assert answer.status_code == 422
    assert re.search(rf'<p class="error" id="field-0-\d-error">{said}', answer.text)
    for value in typed.values():
        assert not value or f'value="{value}"' in answer.text


def test_a_comment_that_is_too_long_is_kept(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    answer = send(client_of(ann), task, "approved", comment="x" * 10_001)
    assert answer.status_code == 422
    assert 'id="comment-error"' in answer.text
    assert "x" * 10_001 in answer.text


def test_the_first_decision_wins_and_the_second_is_told_who_when_and_what(
    acme: Customer, ann: Membership, bob: Membership
) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=TaskAnswer("rejected"))
    posted = {"decision": "approved", "content_hash": page.answer.content_hash, "comment": "mine"}
    answer = browser.post(f"/inbox/tasks/{task.id}/decide/", posted)
    assert answer.status_code == 409
    assert "This was decided already" in answer.text
    assert (
        f"Bob has decided: Rejected, {moment_text(again(task).ended_at)}. Your answer was not accepted." in answer.text
    )
    assert again(task).decision == "rejected"


def test_a_decision_sent_twice_counts_once(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, needed=2, voters=3), client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    posted = {"decision": "approved", "content_hash": page.answer.content_hash}
    assert browser.post(f"/inbox/tasks/{task.id}/decide/", posted).status_code == 303
    answer = browser.post(f"/inbox/tasks/{task.id}/decide/", posted)
    assert answer.status_code == 403
    assert "You have decided already." in answer.text
    assert again(task).decisions.count() == 1


def test_a_task_that_has_changed_is_shown_anew_with_what_was_typed_beside_it(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "review", data={"amount": 10, "reason": "worn"}), client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    posted = posted_of(page.answer.form) | {"decision": "modified", "content_hash": page.answer.content_hash}
    with tenant_scope(acme.tenant.id):
        changed = {"data": {"amount": 20, "reason": "worn"}, "content_hash": "cd" * 32}
        HumanTask.objects.filter(id=task.id).update(**changed)
    answer = browser.post(
        f"/inbox/tasks/{task.id}/decide/", posted | {"data/reason": "torn", "comment": "see the pictures"}
    )
    assert answer.status_code == 409
    assert "This has changed since you opened it" in answer.text
    form = answer.context["page"].answer.form
    assert [(field.text, field.recalled) for field in form.fields] == [("20", "10"), ("worn", "torn")]
    assert f'name="content_hash" value="{"cd" * 32}"' in answer.text
    assert "see the pictures" in answer.text
    assert again(task).status == TaskStatus.OPEN


def test_a_task_another_has_claimed_meanwhile_is_not_decided(acme: Customer, ann: Membership, bob: Membership) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    claim_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id)
    posted = {"decision": "approved", "content_hash": page.answer.content_hash}
    answer = browser.post(f"/inbox/tasks/{task.id}/decide/", posted)
    assert answer.status_code == 409
    assert "Bob has claimed it." in answer.text
    assert again(task).status == TaskStatus.OPEN


def test_what_was_typed_for_a_task_that_is_over_is_not_lost(acme: Customer, ann: Membership, bob: Membership) -> None:
    task, browser = a_task(acme.tenant, "review", data={"amount": 10}), client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    decide_task(tenant=acme.tenant, person=as_person(bob), task_id=task.id, answer=TaskAnswer("rejected"))
    posted = {"decision": "modified", "content_hash": page.answer.content_hash, "comment": "half <of> it"}
    answer = browser.post(f"/inbox/tasks/{task.id}/decide/", posted | {"data/amount": "5"})
    assert answer.status_code == 409
    assert answer.context["page"].notices[0].typed == [("Amount", "5"), ("Comment", "half <of> it")]
    assert "half &lt;of&gt; it" in answer.text


def test_a_decision_without_what_was_shown_is_refused(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    answer = client_of(ann).post(f"/inbox/tasks/{task.id}/decide/", {"decision": "approved"})
    assert answer.status_code == 409
    assert again(task).status == TaskStatus.OPEN


@pytest.mark.parametrize("decision", ["", "modified", "<b>", "approved\x00"])
def test_a_made_up_decision_is_refused(acme: Customer, ann: Membership, decision: str) -> None:
    task = a_task(acme.tenant)
    answer = send(client_of(ann), task, decision)
    assert answer.status_code == 422
    assert again(task).status == TaskStatus.OPEN


def test_a_post_from_another_site_is_refused(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    browser = client_of(ann)
    browser.handler.enforce_csrf_checks = True
    page = browser.get(f"/inbox/tasks/{task.id}/").context["page"]
    posted = {"decision": "approved", "content_hash": page.answer.content_hash}
    assert browser.post(f"/inbox/tasks/{task.id}/decide/", posted).status_code == 403
    assert again(task).status == TaskStatus.OPEN
    posted["csrfmiddlewaretoken"] = browser.cookies["csrftoken"].value
    assert browser.post(f"/inbox/tasks/{task.id}/decide/", posted).status_code == 303


def test_an_answer_of_a_quorum_is_kept_while_others_have_to_decide(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, needed=2, voters=2), client_of(ann)
    assert send(browser, task, "approved").status_code == 303
    assert f"Your decision is saved: “{task.title}” Others have to decide as well." in browser.get("/inbox/").text
    assert again(task).status == TaskStatus.OPEN


def test_a_password_is_hidden_while_it_is_typed_and_when_it_is_refused(acme: Customer, ann: Membership) -> None:
    form = {
        "type": "object",
        "properties": {"pin": {"type": "string", "format": "password", "minLength": 9}, "note": {"type": "string"}},
        "required": ["pin"],
    }
    task = a_task(acme.tenant, "input", form=form, data=None)
    browser = client_of(ann)
    page = browser.get(f"/inbox/tasks/{task.id}/")
    answer = page.context["page"].answer
    posted = {"decision": "approved", "content_hash": answer.content_hash, "comment": "", "data/pin": "short"}
    refused = browser.post(f"/inbox/tasks/{task.id}/decide/", {**posted, "data/note": "x"})
    assert refused.status_code == 422
    for text in (page.content.decode(), refused.content.decode()):
        kinds = dict(re.findall(r'name="data/(pin|note)" type="(\w+)"', text))
        assert kinds == {"pin": "password", "note": "text"}
    taken = browser.post(f"/inbox/tasks/{task.id}/decide/", {**posted, "data/pin": "long enough", "data/note": "x"})
    assert taken.status_code == 303
    assert again(task).decisions.get().data == {"pin": "long enough", "note": "x"}
