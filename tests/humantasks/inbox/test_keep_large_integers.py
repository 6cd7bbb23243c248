"""A person's answer has all digits of an integer beyond 2^53; a program is told to send them as a text."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from humantasks.types import TaskStatus
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.forms import posted_of
from tests.support.inbox import a_task, again, client_of

Api = Callable[[Customer], APIClient]
LARGE = "9007199254740993"
OTHER = "9007199254740995"
MEMBERS: dict[str, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "lines": {"type": "array", "items": {"type": "integer"}},
    "json": {"type": ["integer", "array"], "items": {"type": "integer"}},
}


def form_with(member: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"id": member}, "required": ["id"]}


@pytest.mark.parametrize("kind", MEMBERS)
def test_what_a_person_types_is_kept_with_all_digits(acme: Customer, ann: Membership, kind: str) -> None:
    for typed, value in (("7", 7), (LARGE, LARGE)):
        task = a_task(acme.tenant, "input", form=form_with(MEMBERS[kind]), data=None)
        sent = send(ann, task, {"data/id": typed}, decision="approved")
        assert (sent.status_code, again(task).status) == (303, TaskStatus.COMPLETED), sent.content
        assert again(task).decisions.get().data == {"id": [value] if kind == "lines" else value}


def test_what_a_form_says_of_a_number_holds_for_one_of_many_digits(acme: Customer, ann: Membership) -> None:
    bounded = form_with({"type": "integer", "maximum": 2**53})
    task = a_task(acme.tenant, "input", form=bounded, data=None)
    refused = send(ann, task, {"data/id": LARGE}, decision="approved")
    assert (refused.status_code, again(task).status) == (422, TaskStatus.OPEN)
    assert "must be at most" in refused.content.decode()
    assert send(ann, task, {"data/id": "9007199254740992"}, decision="approved").status_code == 303


def test_one_that_is_shown_can_be_left_and_changed(acme: Customer, ann: Membership) -> None:
    form = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "of": {"type": "array", "items": {"type": "integer"}}},
    }
    data = {"id": LARGE, "of": [1, LARGE]}
    task = a_task(acme.tenant, "review", form=form, data=data)
    page = client_of(ann).get(f"/inbox/tasks/{task.id}/").context["page"]
    fields = {field.pointer: (field.kind, field.text) for field in page.answer.form.fields}
    assert fields == {"/id": ("integer", LARGE), "/of": ("lines", f"1\n{LARGE}")}
    assert send(ann, task, {"data/id": OTHER}, decision="modified").status_code == 303
    assert again(task).decisions.get().data == {"id": OTHER, "of": [1, LARGE]}


def send(member: Membership, task: Any, typed: dict[str, Any], *, decision: str) -> Any:
    browser = client_of(member)
    answer = browser.get(f"/inbox/tasks/{task.id}/").context["page"].answer
    shown = {"decision": decision, "content_hash": answer.content_hash, "comment": "", **posted_of(answer.form)}
    return browser.post(f"/inbox/tasks/{task.id}/decide/", {**shown, **typed})


def test_a_program_sends_the_digits_as_a_text(acme: Customer, api: Api) -> None:
    task = a_task(acme.tenant, "input", form=form_with({"type": "integer"}), data=None)
    path = f"/api/v1/human-tasks/{task.id}/complete"
    refused = api(acme).post(path, {"decision": "approved", "data": {"id": int(LARGE)}})
    assert (refused.status_code, refused.json()["code"]) == (422, "VALUE_REFUSED")
    assert refused.json()["detail"].startswith("/data/id: A number is beyond 2^53")
    assert refused.json()["detail"].endswith("send its digits as a text.")
    taken = api(acme).post(path, {"decision": "approved", "data": {"id": LARGE}})
    assert taken.status_code == 200, taken.content
    assert again(task).decisions.get().data == {"id": LARGE}
