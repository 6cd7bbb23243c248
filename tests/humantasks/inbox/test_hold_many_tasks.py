"""The inbox of a tenant with very many open tasks: counts have an end, and a list reads what it shows."""

import time
from statistics import median
from typing import Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.scope import unscoped
from humantasks import selectors
from humantasks.models import HumanTask
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.inbox import a_member, a_task, as_person, client_of

MANY: Final = 100_000
REQUESTS: Final = 20


def copy_tasks(tenant: Tenant, times: int, **changed: str) -> None:
    """Open as many more tasks like the one there is, with some columns as expressions of ``number`` say."""
    changed = {
        "id": "gen_random_uuid()",
        "activation": "(select max(activation) from humantasks_humantask) + number",
        "due_at": "due_at + number * interval '1 s'",
        **changed,
    }
    columns = [field.column for field in HumanTask._meta.concrete_fields]
    values = ", ".join(changed.get(column, column) for column in columns)
    with unscoped("rows for a test"), connection.cursor() as cursor:
        cursor.execute(
            f"insert into humantasks_humantask ({', '.join(columns)}) select {values}"  # noqa: S608 - the model's columns
            " from (select * from humantasks_humantask where tenant_id = %s order by activation limit 1) one,"
            " generate_series(1, %s) number",
            [tenant.id, times],
        )
        cursor.execute("analyze humantasks_humantask")


@pytest.mark.django_db
def test_tasks_beyond_a_bound_are_not_counted_on(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = a_member(acme.tenant, "ann", groups=["finance"])
    monkeypatch.setattr(selectors, "MAX_COUNTED", 3)
    for there, shown in ((1, "1"), (2, "2"), (3, "3"), (4, "3+"), (5, "3+")):
        a_task(acme.tenant, candidate_groups=["finance"])
        page = client_of(ann).get("/inbox/").context["page"]
        (tab,) = [tab for tab in page.tabs if tab.count_name == "groups"]
        assert str(tab.count) == shown, there
    assert selectors.count_tasks(tenant=acme.tenant, person=as_person(ann))["groups"] == 4


@pytest.mark.slow
@pytest.mark.django_db
def test_every_list_of_a_hundred_thousand_tasks_comes_within_a_second(acme: Customer) -> None:
    """A half waits for a group, a quarter for one person, a quarter is over; some are late; there are 20 workflows."""
    ann = a_member(acme.tenant, "ann", groups=["finance"])
    a_task(acme.tenant, candidate_groups=["finance"])
    segments = {"segment_id": "'refund_' || mod(number, 20)"}
    late = {"due_at": "now() + (number - 1000) * interval '1 s'"}
    copy_tasks(acme.tenant, MANY // 2, **segments, **late)
    copy_tasks(acme.tenant, MANY // 4, assignee_id=f"'{ann.id}'", candidate_groups="'{}'", **segments, **late)
    ended = {"status": "'completed'", "decision": "'approved'", "ended_at": "now() - number * interval '1 s'"}
    copy_tasks(acme.tenant, MANY // 4, **segments, **ended)
    reader = client_of(ann)
    for box in ("mine", "groups", "all", "done"):
        for more in ("", "&overdue=1", "&segment=refund", "&segment=refund_7", "&segment=none"):
            address = f"/inbox/?box={box}{more}"
            with CaptureQueriesContext(connection) as asked:
                answer = reader.get(address)
            queries, taken = len(asked), []
            for _ in range(REQUESTS):
                began = time.monotonic()
                assert reader.get(address).status_code == 200
                taken.append(time.monotonic() - began)
            cards = len(answer.context["page"].cards)
            p95 = sorted(taken)[int(0.95 * REQUESTS)]
            took = f"median {median(taken) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
            print(f"{address}: {cards} cards, {took}, {queries} queries")
            assert queries <= 60, address
            assert (cards > 0) == (not more.endswith("none")), address
            assert p95 <= 1.0, address
