"""A look at any page changes nothing, and what belongs to another tenant is not there: over all routes there are."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg.sql import SQL, Identifier

from humantasks.inbox.urls import app_name, urlpatterns
from humantasks.models import HumanTask
from humantasks.services import claim_task
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_task, again, as_person, client_of

ROUTES = [pattern.name for pattern in urlpatterns]
FOREIGN = ["task", "receipt", "claim", "release", "delegate", "comment", "decide", "run"]
SHOWN = {"list", "absence", "bulk", "task", "receipt", "run"}
NOT_YET = {"receipt"}
"""Shown once the person has decided."""
every_route = pytest.mark.parametrize("name", ROUTES)


def address(name: str, task: HumanTask | None) -> str:
    pattern = next(pattern for pattern in urlpatterns if pattern.name == name)
    ids: dict[str, Callable[[], UUID]] = {
        "task_id": lambda: task.id if task else uuid4(),
        "run_id": lambda: task.run_id if task else uuid4(),
    }
    return reverse(f"{app_name}:{name}", kwargs={key: ids[key]() for key in pattern.pattern.converters})


def everything() -> dict[str, Any]:
    """All rows of all tables, those that Django made for itself included."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    with connection.cursor() as cursor:
        cursor.execute("reset role")
        return {table: _rows(cursor, table) for table in sorted(tables)}


def _rows(cursor: Any, table: str) -> Any:
    rows = "select coalesce(jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text), '[]') from {} t"
    cursor.execute(SQL(rows).format(Identifier(table)))
    return cursor.fetchone()[0]


def test_every_route_is_looked_at() -> None:
    assert len(ROUTES) == len(set(ROUTES)) >= 9
    assert set(FOREIGN) | {"list", "absence", "bulk"} == set(ROUTES), "a new route needs its place in these tests"


@every_route
@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete", "patch"])
def test_nothing_changes(acme: Customer, ann: Membership, bob: Membership, name: str, method: str) -> None:
    task = a_task(acme.tenant, "review")
    claim_task(tenant=acme.tenant, person=as_person(ann), task_id=task.id)
    browser = client_of(ann)
    query = f"?task={task.id}&decision=approved&content_hash={task.content_hash}&to={bob.id}&back=1&box=all&overdue=1"
    before = everything()
    answer = getattr(browser, method)(address(name, task) + query)
    assert everything() == before
    looks = method in {"get", "head"}
    assert answer.status_code == (405 if not looks else 404 if name in NOT_YET else 200 if name in SHOWN else 302)
    if answer.status_code == 302:
        assert answer["Location"] == f"/inbox/tasks/{task.id}/", "what only takes forms leads to its task"


def test_a_change_would_be_seen(acme: Customer, ann: Membership) -> None:
    task = a_task(acme.tenant)
    before = everything()
    client_of(ann).post(address("claim", task))
    assert everything() != before


def tried(browser: Client, task: HumanTask | None, name: str) -> Iterable[tuple[str, int, str]]:
    shown = {"decision": "approved", "content_hash": "ab" * 32, "to": str(uuid4())}
    for method in ("get", "post"):
        answer = getattr(browser, method)(address(name, task), shown if method == "post" else {})
        yield method, answer.status_code, answer.text


@pytest.mark.parametrize("name", FOREIGN)
def test_another_tenant_s_task_is_answered_like_none_at_all(
    acme: Customer, ann: Membership, gus: Membership, name: str
) -> None:
    task = a_task(acme.tenant, title="canary of acme")
    browser = client_of(gus)
    before = again(task)
    for (method, status, text), (_, status_of_none, text_of_none) in zip(
        tried(browser, task, name), tried(browser, None, name), strict=True
    ):
        assert status == status_of_none, method
        leads_on = method in {"get", "head"} and name not in SHOWN
        assert status in ({302} if leads_on else {404, 405})
        assert "canary of acme" not in text
        assert without_token(text) == without_token(text_of_none)
    assert again(task).status == before.status
    assert again(task).claimed_by is None


def without_token(html: str) -> str:
    return "\n".join(line for line in html.splitlines() if "csrfmiddlewaretoken" not in line)


@every_route
def test_who_is_not_signed_in_sees_nothing(acme: Customer, name: str) -> None:
    task = a_task(acme.tenant, title="canary of acme")
    for method, status, text in tried(Client(), task, name):
        assert status in {302, 303, 405} or (method == "post" and status == 401), method
        assert "canary of acme" not in text
