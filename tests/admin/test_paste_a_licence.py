"""Operators paste a licence, see what it gives, and are told in a sentence why another was not taken."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.licences.notices import keep_due_notices
from tenants.licences.selectors import licence_of
from tenants.licences.services import LicenceManager
from tenants.models import InstalledLicence
from tests.conftest import Customer
from tests.support.licences import VENDOR, licence, signed

LICENCES, TRIALS = "/admin/tenants/installedlicence/", "/admin/tenants/tenanttrial/"


@pytest.fixture(autouse=True)
def _vendor(settings: Any) -> None:
    settings.LICENCE_KEYS = [VENDOR.verifier]
    settings.DEFAULT_TIER = "free"


def paste(console: Client, customer: Customer, note: str) -> Any:
    form = {"tenant": str(customer.tenant.id), "note": note.replace("\n", "\r\n")}
    return console.post(f"{LICENCES}add/", form, follow=True)


def test_a_licence_is_pasted_and_shows_what_it_gives(console: Client, acme: Customer) -> None:
    assert paste(console, acme, signed(licence(limits={"concurrent_runs": 25}))).status_code == 200
    assert licence_of(acme.tenant.id) is not None
    with unscoped("a look"):
        row = InstalledLicence.objects.get()
        assert Entry.objects.get(action="tenant.licence_installed").actor.startswith("user:")
    page = console.get(f"{LICENCES}{row.pk}/change/").text
    assert "concurrent_runs 25" in page
    assert "valid" in page


def test_a_bad_one_is_told_in_a_sentence_and_is_not_kept(console: Client, acme: Customer) -> None:
    genuine = signed(licence())
    answer = paste(console, acme, genuine.replace("tier professional", "tier enterprise"))
    assert "The signature does not belong to this text: it was changed, or never signed." in answer.text
    assert "tier enterprise" in answer.text, "what was pasted is still there"
    with unscoped("a look"):
        assert not InstalledLicence.objects.exists()
    assert paste(console, acme, genuine).status_code == 200
    assert licence_of(acme.tenant.id) is not None


def test_a_trial_is_begun_once(console: Client, acme: Customer) -> None:
    form = {"tenant": str(acme.tenant.id), "days": "30", "tier": "professional"}
    assert "2" in console.post(f"{TRIALS}add/", form, follow=True).text
    assert licence_of(acme.tenant.id) is not None
    again = console.post(f"{TRIALS}add/", form)
    assert again.status_code == 200
    with unscoped("a look"):
        assert Entry.objects.filter(action="tenant.trial_started").count() == 1


def test_home_lists_the_licences_that_end(console: Client, acme: Customer, globex: Customer) -> None:
    LicenceManager().install(globex.tenant, signed(licence("globex")))
    assert keep_due_notices() == 0
    assert "Licences that end" not in console.get("/admin/").text
    soon = licence(first_day=utc_now().date() - timedelta(days=360))
    LicenceManager().install(acme.tenant, signed(soon))
    assert keep_due_notices() == 1
    home = console.get("/admin/").text
    assert "Licences that end" in home
    assert f"5 days left, until {soon.last_day}" in home
    assert home.count("days left") == 1
