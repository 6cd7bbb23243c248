"""The inbox of a tenant with very many open tasks: counts have an end, and a list reads what it shows."""

from typing import Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from foundation.scope import unscoped
from humantasks import selectors
from humantasks.models import HumanTask
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.best_tries import quick_once
from tests.support.inbox import a_member, a_task, as_person, client_of

MANY: Final = 100_000


def copy_tasks(tenant: Tenant, times: int) -> None:
    """Open as many more tasks like the one there is."""
    copied = [
        field.column for field in HumanTask._meta.concrete_fields if field.name not in {"id", "activation", "due_at"}
    ]
    columns = ", ".join(copied)
    with unscoped("rows for a test"), connection.cursor() as cursor:
        cursor.execute(
            f"insert into humantasks_humantask (id, activation, due_at, {columns})"  # noqa: S608 - the model's columns
            f" select gen_random_uuid(), number + 1, due_at + number * interval '1 s', {columns}"
            " from humantasks_humantask, generate_series(1, %s) number where tenant_id = %s",
            [times, tenant.id],
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
    ann = a_member(acme.tenant, "ann", groups=["finance"])
    a_task(acme.tenant, candidate_groups=["finance"])
    copy_tasks(acme.tenant, MANY - 1)
    reader = client_of(ann)
    for box in ("mine", "groups", "all", "done"):
        for more in ("", "&overdue=1", "&segment=refund"):
            address = f"/inbox/?box={box}{more}"
            with CaptureQueriesContext(connection) as asked:
                assert reader.get(address).status_code == 200
            queries = len(asked)
            assert queries <= 50, address

            took = quick_once(lambda address=address: reader.get(address), seconds=1.0)
            print(f"{address}: {took * 1000:.0f} ms, {queries} queries")
