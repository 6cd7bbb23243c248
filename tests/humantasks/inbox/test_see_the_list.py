"""The list shows what waits for whom, the most urgent first, and nothing of others."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from foundation.scope import tenant_scope
from humantasks.inbox.listing import PAGE_SIZE
from humantasks.models import HumanTask
from humantasks.services import claim_task, decide_task
from humantasks.types import Priority, TaskAnswer
from kernel.clock import utc_now
from segments.models import Segment
from tenants.models import MemberRole, Membership
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, as_person, client_of


def titles(client: Client, **query: Any) -> list[str]:
    answer = client.get("/inbox/", query)
    assert answer.status_code == 200
    return [card.title for card in answer.context["page"].cards]


def set_due(task: HumanTask, hours: float) -> None:
    with tenant_scope(task.tenant_id):
        HumanTask.objects.filter(id=task.id).update(due_at=utc_now() + timedelta(hours=hours))


def test_tasks_stand_in_the_lists_of_those_who_are_asked(acme: Customer, ann: Membership, bob: Membership) -> None:
    mine = a_task(acme.tenant, assignee_ref="ann@acme.test")
    finance = a_task(acme.tenant, candidate_groups=["finance"])
    legal = a_task(acme.tenant, candidate_groups=["legal"])
    anybody = a_task(acme.tenant)
    browser = client_of(ann)
    assert titles(browser) == [mine.title]
    assert titles(browser, box="groups") == [finance.title, anybody.title]
    assert titles(browser, box="all") == [mine.title, finance.title, anybody.title]
    assert titles(client_of(bob), box="groups") == [finance.title, legal.title, anybody.title]


def test_the_counts_are_the_lists_lengths(acme: Customer, ann: Membership) -> None:
    late = a_task(acme.tenant, assignee_ref="ann@acme.test")
    a_task(acme.tenant, candidate_groups=["finance"])
    a_task(acme.tenant)
    set_due(late, -2)
    page = client_of(ann).get("/inbox/").context["page"]
    assert [(tab.count_name, tab.count) for tab in page.tabs] == [("mine", 1), ("groups", 2), ("", 0), ("", 0)]
    assert page.overdue_count == 1


def test_the_most_urgent_stands_first_then_what_is_due_first(acme: Customer, ann: Membership) -> None:
    later, sooner, urgent = (a_task(acme.tenant, priority=p) for p in (1, 1, Priority.URGENT))
    set_due(later, 9)
    set_due(sooner, 2)
    set_due(urgent, 20)
    assert titles(client_of(ann), box="groups") == [urgent.title, sooner.title, later.title]


def test_a_claimed_task_is_its_holders(acme: Customer, ann: Membership, bob: Membership) -> None:
    task = a_task(acme.tenant)
    claim_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id)
    assert titles(client_of(ann)) == [task.title]
    assert titles(client_of(bob), box="groups") == []
    answer = client_of(bob).get("/inbox/", {"box": "all"})
    assert "claimed by Ann" in answer.text


def test_what_is_decided_is_done(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    decide_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id, answer=TaskAnswer("rejected"))
    browser = client_of(ann)
    assert titles(browser, box="all") == []
    assert titles(browser, box="done") == [task.title]
    assert "Rejected" in browser.get("/inbox/", {"box": "done"}).text


def test_filters_add_up(acme: Customer, ann: Membership) -> None:
    late, other = a_task(acme.tenant), a_task(acme.tenant)
    set_due(late, -1)
    browser = client_of(ann)
    assert titles(browser, box="groups", overdue="1") == [late.title]
    assert titles(browser, box="groups", segment=other.segment_id) == [late.title, other.title]
    assert titles(browser, box="groups", segment="none") == []
    assert "No task matches the filter" in browser.get("/inbox/", {"box": "groups", "segment": "none"}).text


def test_every_task_is_on_exactly_one_page(acme: Customer, ann: Membership) -> None:
    made = [a_task(acme.tenant, priority=number % 3) for number in range(PAGE_SIZE + 3)]
    browser = client_of(ann)
    page = browser.get("/inbox/", {"box": "all"}).context["page"]
    following = browser.get(page.next_href).context["page"]
    seen = [card.id for card in (*page.cards, *following.cards)]
    assert len(page.cards) == PAGE_SIZE
    assert sorted(seen) == sorted(task.id for task in made)
    assert following.next_href == ""


@pytest.mark.parametrize("cursor", ["x", "1.", "9.abc", "1.MjAyNi0", "-1.x"])
def test_a_made_up_cursor_is_refused(acme: Customer, ann: Membership, cursor: str) -> None:
    assert client_of(ann).get("/inbox/", {"box": "all", "cursor": cursor}).status_code == 422


@pytest.mark.parametrize("box", ["mine", "groups", "all", "done"])
def test_an_empty_list_says_so(ann: Membership, box: str) -> None:
    answer = client_of(ann).get("/inbox/", {"box": box})
    assert "Nothing" in answer.text


def test_nonsense_in_the_address_asks_for_nothing(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant, assignee_ref="ann@acme.test")
    assert titles(client_of(ann), box="<b>", overdue="maybe", colour="red") == [task.title]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "%", "'", "\ud7ff", "x" * 5000])
def test_any_text_may_be_filtered_by(ann: Membership, text: str) -> None:
    assert client_of(ann).get("/inbox/", {"segment": text, "box": "all"}).status_code == 200


@pytest.mark.parametrize("path", ["/inbox/?box=all", "/inbox/together/"])
def test_a_long_list_asks_the_database_no_more_than_a_short_one(
    acme: Customer, ann: Membership, django_assert_max_num_queries: Any, path: str
) -> None:
    def asked_for(count: int) -> int:
        tasks = [a_task(acme.tenant) for _ in range(count)]
        browser = client_of(ann)
        query = {"task": [str(task.id) for task in tasks]} if "together" in path else {}
        with django_assert_max_num_queries(60) as asked:
            assert browser.get(path, query).status_code == 200
        return len(asked)

    assert asked_for(2) == asked_for(12)


def test_an_auditor_sees_all_and_is_asked_nothing(acme: Customer) -> None:
    task = a_task(acme.tenant)
    auditor = client_of(a_member(acme.tenant, "vic", role=MemberRole.AUDITOR))
    assert titles(auditor, box="groups") == []
    page = auditor.get("/inbox/", {"box": "all"}).context["page"]
    assert [card.id for card in page.cards] == [task.id]
    assert not page.can_select


def test_another_tenant_s_tasks_are_not_there(acme: Customer, ann: Membership, gus: Membership) -> None:
    task = a_task(acme.tenant, title="canary of acme")
    for box in ("mine", "groups", "all", "done"):
        assert "canary of acme" not in client_of(gus).get("/inbox/", {"box": box}).text
    assert titles(client_of(ann), box="all") == [task.title]


def test_a_stranger_is_sent_to_sign_in(acme: Customer) -> None:
    answer = Client().get("/inbox/")
    assert answer.status_code in {302, 303}
    assert answer["Location"].startswith("/sign-in/")


def test_workflows_are_named_and_found_by_their_names(acme: Customer, ann: Membership) -> None:
    task, other = a_task(acme.tenant), a_task(acme.tenant)
    with tenant_scope(acme.tenant.id):
        Segment.objects.create(tenant=acme.tenant, segment_id="spring", name="Refunds of spring")
        HumanTask.objects.filter(id=task.id).update(segment_id="spring")
    browser = client_of(ann)
    assert "Refunds of spring" in browser.get(f"/inbox/tasks/{task.id}/").text
    page = browser.get("/inbox/", {"box": "all"}).context["page"]
    assert {card.segment for card in page.cards} == {"Refunds of spring", other.segment_id}
    assert titles(browser, box="all", segment="of spring") == [task.title]
    assert titles(browser, box="all", segment="spring") == [task.title]
