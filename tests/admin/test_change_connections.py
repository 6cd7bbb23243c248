"""Operators make and change connections by the rules the API has, and nobody reads a secret there."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from tenants.models import Connection, Tenant
from tenants.sealing import open_from
from tests.conftest import Customer
from tests.support.certificates import Authority

ADD = reverse("admin:tenants_connection_add")
SECRET = "canary-typed-by-an-operator"


def filled(tenant: Tenant, **more: Any) -> dict[str, Any]:
    fields = {
        "tenant": str(tenant.pk), "ref": "crm", "kind": "http", "provider": "", "model": "", "headers": "{}",
        "base_url": "https://crm.example.com/api", "auth": "bearer", "auth_name": "", "username": "", "token_url": "",
        "client_id": "", "scope": "", "timeout_seconds": "", "requests_per_minute": "", "max_concurrency": "",
        "new_secret": SECRET, "is_active": "on",
    }  # fmt: skip
    return {**fields, **more}


def the_connection() -> Connection:
    with unscoped("looking at what was written"):
        return Connection.objects.get()


def test_one_is_made_and_its_secret_is_sealed_and_never_shown(console: Client, acme: Customer) -> None:
    assert console.post(ADD, filled(acme.tenant)).status_code == 302
    row = the_connection()
    assert open_from(row, "secret") == SECRET
    page = console.get(reverse("admin:tenants_connection_change", args=[row.pk]))
    assert "kept since" in page.text
    assert SECRET not in page.text
    with unscoped("looking at what was written"):
        entry = Entry.objects.get(object_type="connection")
        assert (entry.action, entry.actor[:5]) == ("connection.created", "user:")
        assert SECRET not in str(entry.after)


def test_an_empty_field_keeps_the_secret_and_the_box_clears_it(console: Client, acme: Customer) -> None:
    console.post(ADD, filled(acme.tenant))
    change = reverse("admin:tenants_connection_change", args=[the_connection().pk])
    assert console.post(change, filled(acme.tenant, new_secret="", timeout_seconds="7")).status_code == 302
    assert (open_from(the_connection(), "secret"), the_connection().timeout_seconds) == (SECRET, 7)
    assert console.post(change, filled(acme.tenant, new_secret="", clear_secret="on")).status_code == 302
    assert not the_connection().has_secret


@pytest.mark.parametrize(
    ("flaw", "sentence"),
    [
        ({"base_url": "http://10.0.0.1/"}, "blocked by egress policy"),
        ({"base_url": ""}, "needs a base_url"),
        ({"ref": "Crm"}, "lower case"),
        ({"headers": '{"Authorization": "x"}'}, "looks like a credential"),
        ({"auth": "basic"}, "needs username"),
    ],
)
def test_a_flaw_is_told_at_its_field_and_nothing_is_saved(
    console: Client, acme: Customer, flaw: dict[str, str], sentence: str
) -> None:
    answer = console.post(ADD, filled(acme.tenant, **flaw))
    assert answer.status_code == 200
    assert sentence in answer.text
    assert SECRET not in answer.text
    with unscoped("looking at what was written"):
        assert not Connection.objects.exists()


def test_a_secret_is_needed_again_for_another_host(console: Client, acme: Customer) -> None:
    console.post(ADD, filled(acme.tenant))
    change = reverse("admin:tenants_connection_change", args=[the_connection().pk])
    moved = filled(acme.tenant, new_secret="", base_url="https://elsewhere.example.com")
    refused = console.post(change, moved)
    assert refused.status_code == 200
    assert "send its secret again" in refused.text
    assert the_connection().base_url == "https://crm.example.com/api"


def test_a_name_that_is_taken_is_refused(console: Client, acme: Customer, globex: Customer) -> None:
    assert console.post(ADD, filled(acme.tenant)).status_code == 302
    again = console.post(ADD, filled(acme.tenant))
    assert again.status_code == 200
    assert "has a connection of this name" in again.text
    assert console.post(ADD, filled(globex.tenant)).status_code == 302


def test_a_client_certificate_is_kept_and_its_key_never_shown(console: Client, acme: Customer) -> None:
    house = Authority("House CA")
    ann, bob = house.issue("ann"), house.issue("bob")
    shown = {"tls_ca": house.pem, "tls_certificate": ann.certificate}
    wrong = console.post(ADD, filled(acme.tenant, **shown, new_tls_key=bob.key))
    assert "does not belong to the first certificate" in wrong.text
    assert bob.key.splitlines()[1] not in wrong.text
    assert console.post(ADD, filled(acme.tenant, **shown, new_tls_key=ann.key)).status_code == 302
    row = the_connection()
    assert open_from(row, "tls_key").split() == ann.key.split()
    change = reverse("admin:tenants_connection_change", args=[row.pk])
    page = console.get(change).text
    assert "client certificate valid until" in page
    assert "private key kept" in page
    assert ann.key.splitlines()[1] not in page
    assert console.post(change, filled(acme.tenant, **shown, new_secret="")).status_code == 302
    assert the_connection().tls_key
    assert console.post(change, filled(acme.tenant, new_secret="")).status_code == 302
    assert not the_connection().tls_key


def test_options_are_told_with_their_meaning_and_kept(console: Client, acme: Customer) -> None:
    page = console.get(ADD).text
    assert "keeps_cookies (Cookies set by its answers, as at a login, are sent with later calls of the same run" in page
    assert console.post(ADD, filled(acme.tenant, options='{"keeps_cookies": []}')).status_code == 200
    assert console.post(ADD, filled(acme.tenant, options='{"keeps_cookies": true}')).status_code == 302
    assert the_connection().options == {"keeps_cookies": True}
