"""Who sends a form after their session's end is told so, sees what they typed, and is led back to it."""

from django.test import Client

from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, client_of

TYPED = {"comment": "for <b>an hour</b>", "data/amount": "77", "content_hash": "ab" * 32, "decision": "approved"}


def member(acme: Customer) -> Membership:
    return a_member(acme.tenant, "ann")


def test_a_form_that_came_too_late_is_shown_again(acme: Customer) -> None:
    task = a_task(acme.tenant)
    address = f"/inbox/tasks/{task.id}/"
    headers = {"Referer": f"http://testserver{address}"}
    answer = Client().post(f"{address}decide/", TYPED, headers=headers)
    assert answer.status_code == 401
    assert "Your session has ended" in answer.text
    assert "for &lt;b&gt;an hour&lt;/b&gt;" in answer.text
    assert "77" in answer.text
    assert "abab" not in answer.text
    assert f"/sign-in/?next=http%3A%2F%2Ftestserver%2Finbox%2Ftasks%2F{task.id}%2F" in answer.text
    stranger = Client().post(f"{address}decide/", TYPED, headers={"Referer": "https://evil.test/page"})
    assert "evil.test" not in stranger.text


def test_scripts_are_sent_to_the_sign_in_as_a_whole_page(acme: Customer) -> None:
    asked = {"HX-Request": "true"}
    answer = Client().get("/inbox/?box=done", headers=asked)
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/sign-in/?next=%2Finbox%2F%3Fbox%3Ddone")
    assert Client().get("/inbox/?box=done").status_code == 302
    assert client_of(member(acme)).get("/inbox/?box=done", headers=asked).status_code == 200
