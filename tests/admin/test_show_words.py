"""Lists of the console name people, segments and tasks in words, and find rows by them."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from audit.models import Entry
from foundation.scope import unscoped
from humantasks.models import HumanTask
from runs.models import Run
from segments.models import Segment
from tenants.models import ApiKey, Membership, User
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.console import World, a_delivery, a_run, a_task
from tests.support.tasks import make_member

AUDIT, RUNS, TASKS = "/admin/audit/entry/", "/admin/runs/run/", "/admin/humantasks/humantask/"


@pytest.fixture
def ann(acme: Customer) -> Membership:
    return make_member(acme.tenant, "ann")


@pytest.fixture
def key(acme: Customer) -> ApiKey:
    with unscoped("rows for a test"):
        return create_api_key(tenant=acme.tenant, name="Night import").api_key


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def told(tenant: object, actor: str, object_type: str = "thing", object_id: object = "x") -> Entry:
    with unscoped("rows for a test"):
        return Entry.objects.create(
            tenant=tenant, action="thing.done", actor=actor, object_type=object_type, object_id=str(object_id)
        )


def cells(console: Client, address: str, name: str, **query: str) -> list[str]:
    return [str(getattr(row, name)) for row in console.get(address, query).context["cl"].result_list]


def found(console: Client, address: str, **query: str) -> set[UUID]:
    return {row.pk for row in console.get(address, query).context["cl"].result_list}


def queries_of(console: Client, address: str) -> int:
    console.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert console.get(address).status_code == 200
    return len(captured.captured_queries)


def test_actors_of_the_audit_are_named(
    console: Client, operator: User, acme: Customer, ann: Membership, key: ApiKey
) -> None:
    through = f"key:{key.public_id}"
    actors = [
        through,
        f"member:{ann.id}",
        f"user:{operator.id}",
        "system",
        f"{through} for member:{ann.id}",
        "key:gone",
    ]
    for actor in actors:
        told(acme.tenant, actor)
    assert cells(console, AUDIT, "who", action__icontains="thing") == [
        "key:gone",
        "key Night import for Ann <ann@acme.example>",
        "system",
        "operator",
        "Ann <ann@acme.example>",
        "key Night import",
    ]


def test_an_actor_s_id_to_copy_is_on_the_entry_s_own_page(console: Client, acme: Customer, key: ApiKey) -> None:
    entry = told(acme.tenant, f"key:{key.public_id}")
    page = console.get(reverse("admin:audit_entry_change", args=[entry.pk])).text
    assert "key Night import" in page
    assert entry.actor in page
    assert entry.actor not in console.get(AUDIT).text


def test_the_audit_is_found_by_the_words_it_shows(
    console: Client, operator: User, acme: Customer, ann: Membership, key: ApiKey
) -> None:
    of_ann = told(acme.tenant, f"member:{ann.id}")
    of_both = told(acme.tenant, f"key:{key.public_id} for member:{ann.id}")
    of_operator = told(acme.tenant, f"user:{operator.id}")
    told(acme.tenant, "key:other")
    assert found(console, AUDIT, q="ann@acme") == found(console, AUDIT, q="Ann") == {of_ann.pk, of_both.pk}
    assert found(console, AUDIT, q="night IMPORT") == {of_both.pk}
    assert found(console, AUDIT, q="operator") == {of_operator.pk}
    assert found(console, AUDIT, q=of_operator.actor) == {of_operator.pk}
    assert found(console, AUDIT, q="nobody at all") == set()


def test_what_was_acted_on_is_named(console: Client, acme_world: World, ann: Membership) -> None:
    with unscoped("looking at what was written"):
        task = HumanTask.objects.get(run=acme_world.run)
    told(acme_world.tenant, "system", "human_task", task.id)
    told(acme_world.tenant, "system", "member", ann.id)
    told(acme_world.tenant, "system", "run", acme_world.run.id)
    page = console.get(AUDIT).text
    for words in (task.title, "Ann &lt;ann@acme.example&gt; in Acme", f"Greet …{str(acme_world.run.id)[-12:]}"):
        assert words in page
    for hidden in (task.id, ann.id, acme_world.run.id):
        assert f"{hidden}</" not in page


def test_objects_are_not_named_to_those_who_may_not_see_them(client: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        task = HumanTask.objects.get(run=acme_world.run)
        clerk = User.objects.create(username="clerk", is_staff=True)
        clerk.user_permissions.add(permission("view_entry"))
    told(acme_world.tenant, "system", "human_task", task.id)
    client.force_login(clerk)
    assert task.title not in client.get(AUDIT).text
    with unscoped("rows for a test"):
        clerk.user_permissions.add(permission("view_humantask"))
    assert task.title in client.get(AUDIT).text


def test_words_of_the_audit_are_russian_where_the_installation_is(
    console: Client, acme: Customer, ann: Membership, key: ApiKey
) -> None:
    entry = told(acme.tenant, f"key:{key.public_id} for member:{ann.id}")
    by_system = told(acme.tenant, "system")
    with translation.override("ru"):
        names = cells(console, AUDIT, "who", action__icontains="thing")
        assert names == ["система", "ключ Night import от имени Ann <ann@acme.example>"]
        assert found(console, AUDIT, q="система", action__icontains="thing") == {by_system.pk}
        assert found(console, AUDIT, q="night") == {entry.pk}


@pytest.mark.parametrize(
    "address",
    [RUNS, TASKS, "/admin/runs/delivery/", "/admin/runs/usageday/", "/admin/runs/usageentry/"],
)
def test_segments_are_shown_and_found_by_their_names(console: Client, acme_world: World, address: str) -> None:
    with unscoped("rows for a test"):
        Segment.objects.filter(pk=acme_world.segment.pk).update(name="Refunds of spring")
    assert "Refunds of spring" in console.get(address).text
    assert cells(console, address, "segment_name", q="of SPRING")
    assert cells(console, address, "segment_name", q="of autumn") == []


@pytest.mark.parametrize("address", [RUNS, TASKS, "/admin/runs/usageday/", "/admin/runs/usageentry/"])
def test_lists_are_narrowed_by_a_segment_s_name_or_id(console: Client, acme_world: World, address: str) -> None:
    with unscoped("rows for a test"):
        Segment.objects.filter(pk=acme_world.segment.pk).update(name="Refunds of spring")
    for text in ("of spring", "GREET"):
        assert set(cells(console, address, "segment_name", segment_id__icontains=text)) == {"Refunds of spring"}
    assert cells(console, address, "segment_name", segment_id__icontains="autumn") == []


def test_a_segment_without_a_row_of_its_own_is_called_by_its_id(console: Client, acme_world: World) -> None:
    with unscoped("rows for a test"):
        Run.objects.filter(pk=acme_world.run.pk).update(segment_id="sent_inline")
    assert cells(console, RUNS, "segment_name") == ["sent_inline"]


def test_tasks_are_found_by_title_and_name_the_member_a_step_asks(
    console: Client, acme_world: World, ann: Membership
) -> None:
    with unscoped("rows for a test"):
        HumanTask.objects.filter(run=acme_world.run).update(asked=str(ann.id))
    assert cells(console, TASKS, "who_is_asked", q="bill of ACME") == ["Ann <ann@acme.example>"]
    with unscoped("rows for a test"):
        HumanTask.objects.filter(run=acme_world.run).update(asked="finance")
    assert cells(console, TASKS, "who_is_asked") == ["finance"]


def test_mails_are_found_by_task_and_member(console: Client, acme_world: World) -> None:
    mails = reverse("admin:humantasks_notice_changelist")
    assert len(found(console, mails)) == 1
    assert found(console, mails, q="bill of acme") == found(console, mails, q="reader-of-acme") == found(console, mails)
    assert found(console, mails, q="bill of globex") == set()


def test_a_run_s_page_names_who_started_it(console: Client, acme_world: World, ann: Membership, key: ApiKey) -> None:
    run = a_run(acme_world.revision, started_by_actor=f"key:{key.public_id} for member:{ann.id}")
    page = console.get(reverse("admin:runs_run_change", args=[run.pk])).text
    assert "key Night import for Ann &lt;ann@acme.example&gt;" in page


def test_tenants_are_shown_by_name_and_found_by_it(console: Client, acme_world: World, globex_world: World) -> None:
    assert "Acme (acme)" in console.get(RUNS).text
    for address in ("/admin/tenants/apikey/", "/admin/tenants/membership/", "/admin/tenants/connection/"):
        rows = console.get(address, {"q": acme_world.tenant.name}).context["cl"].result_list
        assert {row.tenant_id for row in rows} == {acme_world.tenant.pk}


def more_entries(world: World, ann: Membership) -> None:
    told(world.tenant, f"member:{ann.id}", "member", ann.id)


def more_runs(world: World, ann: Membership) -> None:
    a_run(world.revision)


def more_tasks(world: World, ann: Membership) -> None:
    with unscoped("rows for a test"):
        task = a_task(a_run(world.revision))
        HumanTask.objects.filter(pk=task.pk).update(asked=str(ann.id))


def more_deliveries(world: World, ann: Membership) -> None:
    a_delivery(a_run(world.revision))


@pytest.mark.parametrize(
    ("address", "more"),
    [
        (AUDIT, more_entries),
        (RUNS, more_runs),
        (TASKS, more_tasks),
        (reverse("admin:humantasks_notice_changelist"), more_tasks),
        ("/admin/runs/delivery/", more_deliveries),
    ],
)
def test_many_rows_cost_no_more_queries_than_one(
    console: Client, acme_world: World, ann: Membership, address: str, more: Callable[[World, Membership], None]
) -> None:
    more(acme_world, ann)
    few = queries_of(console, address)
    for _ in range(8):
        more(acme_world, ann)
    assert queries_of(console, address) == few
