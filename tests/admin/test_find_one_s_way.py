"""Signing in and out, the home page, and what pages ask for behind the scenes."""

import re
from datetime import datetime

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.scope import NoTenantInScope, unscoped
from runs.models import RunStatus
from tenants.models import Membership, User
from tests.support.console import World, a_run

PASSWORD = "correct horse battery"


@pytest.fixture
def password(operator: User) -> str:
    operator.set_password(PASSWORD)
    operator.save()
    return PASSWORD


@pytest.mark.django_db(transaction=True)  # a password is judged in a thread of its own
def test_signing_in_leads_to_the_home_page(client: Client, password: str) -> None:
    assert client.get(reverse("admin:login")).status_code == 200
    asked = {"username": "operator", "password": password, "next": reverse("admin:index")}
    answer = client.post(reverse("admin:login"), asked, follow=True)
    assert answer.status_code == 200
    assert "Operator console" in answer.text


def test_a_wrong_password_is_refused(client: Client, password: str) -> None:
    answer = client.post(reverse("admin:login"), {"username": "operator", "password": "wrong"})
    assert answer.status_code == 200
    assert "Operator console" not in client.get(reverse("admin:index"), follow=True).text


def test_signing_out(console: Client) -> None:
    assert console.get(reverse("admin:index")).status_code == 200
    console.post(reverse("admin:logout"))
    assert console.get(reverse("admin:index")).status_code == 302


def test_the_own_password_can_be_changed(client: Client, operator: User, password: str) -> None:
    client.force_login(operator)
    assert client.get(reverse("admin:password_change")).status_code == 200
    fresh = "another battery staple"
    asked = {"old_password": password, "new_password1": fresh, "new_password2": fresh}
    assert client.post(reverse("admin:password_change"), asked, follow=True).status_code == 200
    operator.refresh_from_db()
    assert operator.check_password(fresh)


def test_the_home_page_counts_today_s_runs_of_all_tenants(
    console: Client, acme_world: World, globex_world: World
) -> None:
    a_run(acme_world.revision, status=RunStatus.FAILED)
    answer = console.get(reverse("admin:index"))
    counts = {figure.name: figure.count for figure in answer.context["periods"][0].tiles}
    assert counts == {"Running": 2, "Failed": 1}
    assert "/admin/runs/run/?status__exact=failed" in answer.text


def test_the_home_page_of_an_empty_installation_says_how_to_begin(console: Client) -> None:
    assert "/api/v1/segments" in console.get(reverse("admin:index")).text


def test_the_home_page_says_whether_the_wall_between_tenants_stands(console: Client) -> None:
    page = console.get("/admin/").content.decode()
    found = re.search(r"(\d+) of (\d+) tables of tenants stand behind row-level security", page)
    assert found is not None
    assert int(found[1]) == int(found[2]) > 25
    assert "Open: the login" in page, "the tests' own login is a superuser"


def test_autocomplete_finds_tenants(console: Client, acme_world: World, globex_world: World) -> None:
    asked = {"app_label": "tenants", "model_name": "membership", "field_name": "tenant", "term": "acm"}
    found = console.get(reverse("admin:autocomplete"), asked).json()["results"]
    assert [item["text"] for item in found] == ["Acme (acme)"]


def test_the_search_of_pages_works(console: Client) -> None:
    assert "Run" in console.get(reverse("admin:search"), {"s": "run"}).text


@pytest.mark.parametrize(
    "address",
    [
        "/admin/runs/run/?status__exact=running&segment_id__icontains=greet&created_at_from=2020-01-01",
        "/admin/audit/entry/?action__icontains=segment",
        "/admin/segments/segment/?archived_at__isempty=1",
        "/admin/segments/revision/?segment__isempty=0",
        "/admin/tenants/apikey/?revoked_at__isempty=1",
        "/admin/tenants/tenant/?is_active__exact=1",
    ],
)
def test_filters_show_their_rows(console: Client, acme_world: World, address: str) -> None:
    answer = console.get(address)
    assert answer.status_code == 200
    assert answer.context["cl"].result_count >= 1


def test_days_are_whole_and_in_utc(console: Client, acme_world: World) -> None:
    def found(**days: str) -> list[str]:
        rows = console.get("/admin/runs/run/", {"client_reference": "edge", **days}).context["cl"].result_list
        return sorted(row.created_at.isoformat() for row in rows)

    edges = ["2026-03-01T23:59:59+00:00", "2026-03-02T00:00:00+00:00", "2026-03-02T23:59:59+00:00"]
    for edge in edges:
        a_run(acme_world.revision, client_reference="edge", created_at=datetime.fromisoformat(edge))
    assert found(created_at_from="2026-03-02") == edges[1:]
    assert found(created_at_to="2026-03-01") == edges[:1]
    assert found(created_at_from="2026-03-02", created_at_to="2026-03-02") == edges[1:]


def test_a_day_that_is_none_is_said(console: Client, acme_world: World) -> None:
    assert console.get("/admin/runs/run/", {"created_at_from": "2026-03-02"}).status_code == 200
    answer = console.get("/admin/runs/run/", {"created_at_from": "2026-02-30"})
    assert answer.status_code == 302
    assert answer["Location"].endswith("?e=1")


@pytest.mark.parametrize(
    "model", ["runs/run", "audit/entry", "segments/segment", "segments/revision", "tenants/apikey"]
)
def test_a_list_can_be_narrowed_to_one_tenant(
    console: Client, acme_world: World, globex_world: World, model: str
) -> None:
    everyone = console.get(f"/admin/{model}/").context["cl"].result_count
    acme = console.get(f"/admin/{model}/", {"tenant__id__exact": str(acme_world.tenant.pk)}).context["cl"]
    assert 1 <= acme.result_count < everyone
    assert {row.tenant_id for row in acme.result_list} == {acme_world.tenant.pk}


def test_the_links_of_a_segment_lead_to_its_revisions_and_runs(console: Client, acme_world: World) -> None:
    revisions = console.get("/admin/segments/revision/", {"segment__id__exact": str(acme_world.segment.pk)})
    assert revisions.context["cl"].result_count == 1
    runs = console.get(
        "/admin/runs/run/",
        {"tenant__id__exact": str(acme_world.tenant.pk), "segment_id": acme_world.segment.segment_id},
    )
    assert runs.context["cl"].result_count == 1
    of_revision = console.get("/admin/runs/run/", {"revision__id__exact": str(acme_world.revision.pk)})
    assert of_revision.context["cl"].result_count == 1


def test_a_run_is_found_by_its_id_or_its_client_reference(console: Client, acme_world: World) -> None:
    wanted = a_run(acme_world.revision, client_reference="order 7")
    for term in [str(wanted.id), "order 7"]:
        rows = console.get("/admin/runs/run/", {"q": term}).context["cl"].result_list
        assert [row.id for row in rows] == [wanted.id]
    assert console.get("/admin/runs/run/", {"q": "order"}).context["cl"].result_count == 0


def test_a_page_is_drawn_before_its_scope_ends(console: Client, acme_world: World) -> None:
    with CaptureQueriesContext(connection) as captured:
        console.get(reverse("admin:index"))
    asked = [query["sql"] for query in captured.captured_queries]
    end = max(number for number, sql in enumerate(asked) if "set_config('role'" in sql)
    assert any("django_admin_log" in sql for sql in asked[:end])
    assert [sql for sql in asked[end + 1 :] if "SAVEPOINT" not in sql] == []


def test_nothing_stays_open_behind_a_page(console: Client, acme_world: World) -> None:
    console.get("/admin/runs/run/")
    with pytest.raises(NoTenantInScope):
        Membership.objects.count()


def test_a_change_stands_in_the_row_s_history(console: Client, acme_world: World) -> None:
    address = reverse("admin:tenants_tenant_change", args=[acme_world.tenant.pk])
    console.post(address, {"name": "Acme & Sons", "is_active": "on", "weight": "1"})
    with unscoped("looking at what was written"):
        assert LogEntry.objects.filter(object_id=str(acme_world.tenant.pk)).count() == 1
    history = reverse("admin:tenants_tenant_history", args=[acme_world.tenant.pk])
    assert "operator" in console.get(history).text


def test_the_console_s_site_is_ours() -> None:
    assert type(admin.site._wrapped).__name__ == "OperatorSite"  # type: ignore[attr-defined]  # a lazy object
