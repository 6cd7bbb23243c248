"""A licence that a vendor signed is installed by an operator, holds at once, and says what it gives."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from kernel.signed_notes import new_signer
from tenants.licences.selectors import licence_of
from tenants.licences.terms import new_licence_id
from tenants.models import InstalledLicence
from tests.conftest import Customer
from tests.support.licences import VENDOR, licence, signed

Api = Callable[[Customer], APIClient]
ADDRESS = "/api/v1/tenant/licence"


def test_says_what_was_licensed(acme: Customer, api: Api, operator: APIClient) -> None:
    terms = licence(limits={"concurrent_runs": 25, "runs_per_day": None}, features=["human_task"])
    assert operator.put(ADDRESS, {"licence": signed(terms)}).status_code == 200
    found = api(acme).get(ADDRESS).json()
    assert (found["tier"], found["default_tier"], found["standing"]) == ("professional", "free", "valid")
    assert found["licence"] == {
        "licence_id": terms.licence_id,
        "is_trial": False,
        "tier": "professional",
        "limits": {"concurrent_runs": 25, "runs_per_day": None},
        "features": ["human_task"],
        "holder": "Acme Ltd",
        "from": terms.first_day.isoformat(),
        "until": terms.last_day.isoformat(),
        "standing": "valid",
        "days_left": 365,
        "ends_at": f"{terms.last_day + timedelta(days=1)}T00:00:00Z",
        "works_until": f"{terms.last_day + timedelta(days=2)}T00:00:00Z",
    }
    assert (found["next"], found["trial_used"]) == (None, False)


def test_without_one_the_default_tier_holds(acme: Customer, api: Api) -> None:
    found = api(acme).get(ADDRESS).json()
    assert (found["tier"], found["standing"], found["licence"]) == ("free", "none", None)


def test_only_an_operators_key_installs(acme: Customer, api: Api, operator: APIClient) -> None:
    note = signed(licence())
    refused = api(acme).put(ADDRESS, {"licence": note})
    assert (refused.status_code, refused.json()["scope"]) == (403, "operator:write")
    assert licence_of(acme.tenant.id) is None
    assert operator.put(ADDRESS, {"licence": note}).status_code == 200


def test_can_be_repeated_and_is_told_once(acme: Customer, operator: APIClient) -> None:
    terms = licence()
    first, second = (operator.put(ADDRESS, {"licence": signed(terms)}) for _ in range(2))
    assert first.json() == second.json()
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="tenant.licence_installed")
        assert InstalledLicence.objects.count() == 1
    assert (entry.after["licence_id"], entry.after["holder"]) == (terms.licence_id, "Acme Ltd")
    assert entry.actor.startswith("key:")


def test_what_copying_does_to_a_text_does_no_harm(operator: APIClient) -> None:
    pasted = "\r\n\r\n" + signed(licence()).replace("\n", "\r\n").rstrip() + "  \r\n"
    assert operator.put(ADDRESS, {"licence": pasted}).status_code == 200


def test_one_issued_later_takes_the_place_of_the_one_in_force(acme: Customer, operator: APIClient) -> None:
    assert operator.put(ADDRESS, {"licence": signed(licence(tier="starter"))}).json()["tier"] == "starter"
    assert operator.put(ADDRESS, {"licence": signed(licence(tier="enterprise"))}).json()["tier"] == "enterprise"
    assert operator.put(ADDRESS, {"licence": signed(licence(tier="starter"))}).json()["tier"] == "starter"


def test_one_that_begins_later_waits_for_its_day(acme: Customer, operator: APIClient) -> None:
    now_on = licence(tier="starter", days=30)
    assert operator.put(ADDRESS, {"licence": signed(now_on)}).status_code == 200
    later = licence(tier="enterprise", first_day=utc_now().date() + timedelta(days=31))
    found = operator.put(ADDRESS, {"licence": signed(later)}).json()
    assert (found["tier"], found["next"]["licence_id"], found["next"]["standing"]) == (
        "starter",
        later.licence_id,
        "pending",
    )


def test_a_new_vendors_key_and_the_old_one_count_while_both_are_known(
    acme: Customer, operator: APIClient, settings: Any
) -> None:
    successor = new_signer(VENDOR.name)
    old, new = licence(), replace(licence(tier="enterprise"), licence_id=new_licence_id())
    settings.LICENCE_KEYS = [VENDOR.verifier, successor.verifier]
    assert operator.put(ADDRESS, {"licence": signed(old)}).json()["tier"] == "professional"
    assert operator.put(ADDRESS, {"licence": signed(new, VENDOR, successor)}).json()["tier"] == "enterprise"
    settings.LICENCE_KEYS = [successor.verifier]
    assert operator.get(ADDRESS).json()["licence"]["licence_id"] == new.licence_id
    settings.LICENCE_KEYS = []
    assert operator.get(ADDRESS).json()["tier"] == "free"
    refused = operator.put(ADDRESS, {"licence": signed(licence())}).json()
    assert refused["detail"] == "No vendor's key is known here; the operator sets LICENCE_KEYS."
