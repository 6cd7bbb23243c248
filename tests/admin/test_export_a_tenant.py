"""An operator exports a tenant in the console, sees how far it is, and downloads the archive; the audit has who did."""

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from tenants.lifecycle.archive import verify_archive
from tenants.lifecycle.exports import MAX_KEPT, write_exports
from tenants.models import TenantExport, User
from tests.conftest import Customer
from tests.support.inbox import a_member, client_of

pytestmark = pytest.mark.django_db(transaction=True)
TENANTS = reverse("admin:tenants_tenant_changelist")


def export(console: Client, customer: Customer) -> str:
    form = {"action": "export_tenants", "_selected_action": [str(customer.tenant.id)], "confirmed": "1"}
    return console.post(TENANTS, form, follow=True).content.decode()


def newest() -> TenantExport:
    with unscoped("tests look at everything"):
        return TenantExport.objects.latest("created_at")


def address(name: str, row: TenantExport) -> str:
    return reverse(f"admin:tenants_tenantexport_{name}", args=[row.pk])


def test_it_is_requested_written_and_downloaded(
    console: Client, operator: User, acme: Customer, globex: Customer, tmp_path: Path
) -> None:
    assert "Requested: 1." in export(console, acme)
    assert "Download" not in console.get(address("change", newest())).content.decode()
    assert console.get(address("archive", newest())).status_code == 404, "it is not written yet"
    assert write_exports() == 1
    page = console.get(address("change", newest())).content.decode()
    assert address("archive", newest()) in page
    answer = console.get(address("archive", newest()))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    file = tmp_path / "acme.zip"
    file.write_bytes(answer.content)
    assert verify_archive(file)["tenant"]["slug"] == "acme"
    with unscoped("tests look at everything"):
        told = Entry.objects.filter(action__startswith="export.").order_by("id")
        assert [(one.action, one.actor, one.tenant_id) for one in told] == [
            ("export.requested", f"user:{operator.pk}", acme.tenant.id),
            ("export.ready", "system", acme.tenant.id),
            ("export.downloaded", f"user:{operator.pk}", acme.tenant.id),
        ]


def test_more_than_are_kept_are_refused_in_a_sentence(console: Client, acme: Customer) -> None:
    for _ in range(MAX_KEPT):
        assert "Requested: 1." in export(console, acme)
        write_exports()
    assert "maximum number of exports" in export(console, acme)


def test_who_may_only_look_and_a_tenant_s_people_download_nothing(console: Client, acme: Customer) -> None:
    export(console, acme)
    write_exports()
    reader = User.objects.create(username="reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_tenant"))
    looking = Client()
    looking.force_login(reader)
    assert looking.get(address("change", newest())).status_code == 200
    assert looking.get(address("archive", newest())).status_code == 403
    member = client_of(a_member(acme.tenant, "ann", role="admin"))
    assert member.get(address("archive", newest())).status_code == 302
    assert console.get(address("archive", newest())).status_code == 200
