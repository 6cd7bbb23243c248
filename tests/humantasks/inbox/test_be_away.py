"""A member says when they are away and who stands in; that person is asked meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tenants.models import MemberRole, Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, client_of


def kept(member: Membership) -> Membership:
    with tenant_scope(member.tenant_id):
        return Membership.objects.get(id=member.id)


def local(days: float) -> str:
    return (utc_now() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")


def test_who_stands_in_finds_the_tasks_in_their_own_list(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant, assignee_ref="ann@acme.test")
    browser = client_of(bob)
    assert browser.get("/inbox/").context["page"].cards == []
    posted = {"away_from": local(-1), "away_until": local(3), "stands_in": str(bob.id)}
    answer = client_of(ann).post("/inbox/absence/", posted, follow=True)
    assert "Your absence is saved." in answer.text
    assert [card.id for card in browser.get("/inbox/").context["page"].cards] == [task.id]


def test_what_is_kept_is_shown_in_utc(acme: Customer, ann: Membership, bob: Membership) -> None:
    posted = {"away_from": "2030-05-01T08:30", "away_until": "", "stands_in": str(bob.id)}
    browser = client_of(ann)
    browser.post("/inbox/absence/", posted)
    assert kept(ann).away_from == datetime(2030, 5, 1, 8, 30, tzinfo=UTC)
    html = browser.get("/inbox/absence/").text
    assert 'value="2030-05-01T08:30"' in html
    assert f'<option value="{bob.id}" selected>Bob</option>' in html


def test_who_is_back_is_asked_alone_again(acme: Customer, ann: Membership, bob: Membership) -> None:
    browser = client_of(ann)
    browser.post("/inbox/absence/", {"away_from": local(-1), "stands_in": str(bob.id)})
    answer = browser.post("/inbox/absence/", {"back": "1"}, follow=True)
    assert "You are back." in answer.text
    assert (kept(ann).away_from, kept(ann).stands_in_id) == (None, None)


@pytest.mark.parametrize(
    ("posted", "field", "said"),
    [
        ({}, "away_from", "This is required."),
        ({"away_from": "soon"}, "away_from", "Write a date and a time"),
        ({"away_from": "2030-05-02T00:00", "away_until": "2030-05-01T00:00"}, "away_until", "later than the beginning"),
        ({"away_from": "2020-05-01T00:00", "away_until": "2020-05-02T00:00"}, "away_until", "in the future"),
        ({"away_from": "2030-05-01T00:00", "away_until": "x"}, "away_until", "Write a date and a time"),
        ({"away_from": "2030-05-01T00:00", "stands_in": "bob"}, "stands_in", "Choose one of the values."),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_kept_as_typed(
    acme: Customer, ann: Membership, posted: dict[str, str], field: str, said: str
) -> None:
    answer = client_of(ann).post("/inbox/absence/", posted)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert said in answer.text
    assert f'href="#{field}"' in answer.text
    for name in ("away_from", "away_until"):
        assert not posted.get(name) or f'value="{posted[name]}"' in answer.text
    assert kept(ann).away_from is None


def test_nobody_of_another_tenant_and_no_auditor_stands_in(acme: Customer, ann: Membership, gus: Membership) -> None:
    auditor = a_member(acme.tenant, "vic", role=MemberRole.AUDITOR)
    for stranger in (gus, auditor, ann):
        posted = {"away_from": "2030-05-01T00:00", "stands_in": str(stranger.id)}
        assert client_of(ann).post("/inbox/absence/", posted).status_code == 422
        assert str(stranger.id) not in client_of(ann).get("/inbox/absence/").text
