"""A trial: once for each tenant, ever; its life by a moved clock; and nothing that edits its row makes it longer."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from tenants.licences.errors import TrialInvalid
from tenants.licences.selectors import licence_of
from tenants.licences.services import LicenceManager
from tenants.licences.terms import TRIAL_PREFIX, new_licence_id, write_licence
from tenants.models import TenantTrial
from tenants.sealing import seal_into
from tests.conftest import Customer
from tests.support.licences import licence, signed
from tests.support.moved_clock import MovedClock

Api = Callable[[Customer], APIClient]
LICENCE, TRIAL = "/api/v1/tenant/licence", "/api/v1/tenant/trial"


def test_the_life_of_a_trial(acme: Customer, api: Api, operator: APIClient, moved_clock: MovedClock) -> None:
    begun = operator.post(TRIAL)
    assert (begun.status_code, begun.json()["standing"]) == (201, "valid")
    lent = begun.json()["licence"]
    assert (lent["is_trial"], lent["tier"], lent["days_left"]) == (True, "professional", 14)
    ends_at, works_until = (datetime.fromisoformat(lent[name]) for name in ("ends_at", "works_until"))
    assert works_until - ends_at == timedelta(hours=24)
    client = api(acme)
    for moment, tier, standing, days_left in [
        (ends_at - timedelta(days=7, seconds=1), "professional", "valid", 7),
        (ends_at - timedelta(minutes=1), "professional", "valid", 0),
        (ends_at + timedelta(seconds=1), "professional", "grace", 0),
        (works_until - timedelta(minutes=1), "professional", "grace", 0),
        (works_until + timedelta(seconds=1), "free", "over", 0),
        (works_until + timedelta(days=400), "free", "over", 0),
    ]:
        moved_clock.move_to(moment)
        found = client.get(LICENCE).json()
        assert (found["tier"], found["standing"], found["licence"]["days_left"]) == (tier, standing, days_left)
        assert (licence_of(acme.tenant.id) is not None) == (tier == "professional")
    again = operator.post(TRIAL)
    assert (again.status_code, again.json()["code"]) == (409, "TRIAL_USED")
    with tenant_scope(acme.tenant.id):
        assert Entry.objects.filter(action="tenant.trial_started").count() == 1


def test_a_tenant_starts_it_itself_only_where_the_setting_says_so(acme: Customer, api: Api, settings: Any) -> None:
    client = api(acme)
    refused = client.post(TRIAL)
    assert (refused.status_code, refused.json()["code"]) == (403, "TRIAL_NOT_OFFERED")
    settings.SELF_SERVICE_TRIAL = True
    greedy = client.post(TRIAL, {"days": 90})
    assert (greedy.status_code, greedy.json()["code"]) == (403, "TRIAL_NOT_OFFERED")
    assert client.post(TRIAL).status_code == 201


def test_an_operator_says_how_long_and_what(globex: Customer, operator: APIClient) -> None:
    for wrong in ({"days": 91}, {"days": 0}, {"tier": "gold"}):
        assert operator.post(TRIAL, wrong).status_code == 422
    found = operator.post(TRIAL, {"days": 90, "tier": "enterprise"}).json()
    assert (found["licence"]["days_left"], found["tier"]) == (90, "enterprise")
    with pytest.raises(TrialInvalid):
        LicenceManager().enable_trial(globex.tenant, days=91)
    assert LicenceManager().enable_trial(globex.tenant).tenant == globex.tenant


def test_who_has_as_much_already_is_not_lent_it(acme: Customer, operator: APIClient, settings: Any) -> None:
    settings.DEFAULT_TIER = "professional"
    refused = operator.post(TRIAL)
    assert (refused.status_code, refused.json()["code"]) == (409, "TRIAL_NOT_NEEDED")
    settings.DEFAULT_TIER = "free"
    assert operator.put(LICENCE, {"licence": signed(licence(tier="starter"))}).status_code == 200
    assert operator.post(TRIAL).json()["detail"] == "A licence is in force."
    assert operator.get(LICENCE).json()["trial_used"] is False


def test_a_licence_takes_the_place_of_the_trial(acme: Customer, operator: APIClient) -> None:
    assert operator.post(TRIAL).status_code == 201
    assert operator.put(LICENCE, {"licence": signed(licence(tier="starter"))}).json()["tier"] == "starter"


def test_the_database_keeps_a_second_trial_out(acme: Customer) -> None:
    LicenceManager().enable_trial(acme.tenant)
    with pytest.raises(IntegrityError), tenant_scope(acme.tenant.id), transaction.atomic():
        TenantTrial(tenant=acme.tenant).save(force_insert=True)


def test_no_edited_or_copied_row_unlocks_anything(acme: Customer, globex: Customer) -> None:
    row = LicenceManager().enable_trial(acme.tenant)
    assert licence_of(acme.tenant.id) is not None
    plain = write_licence(licence(tier="enterprise", days=9_000, licence_id=new_licence_id(TRIAL_PREFIX)))
    halves = row.terms[: len(row.terms) // 2]
    for terms in (plain, "", halves, row.terms[:-8] + "AAAAAAAA", signed(licence())):
        with unscoped("somebody writes into the database"):
            TenantTrial.objects.update(terms=terms)
        assert licence_of(acme.tenant.id) is None, terms
    with unscoped("somebody writes into the database"):
        TenantTrial.objects.create(tenant=globex.tenant, terms=row.terms)
        TenantTrial.objects.filter(tenant=acme.tenant).update(
            terms=row.terms, created_at=utc_now() + timedelta(days=99)
        )
    assert licence_of(globex.tenant.id) is None
    assert licence_of(acme.tenant.id) is not None, "its own terms, whatever stands beside them"


def test_what_is_sealed_is_held_to_what_a_trial_may_be(acme: Customer) -> None:
    def holds(**more: Any) -> bool:
        with unscoped("a flaw of ours, or a stolen key"):
            TenantTrial.objects.all().delete()
            row = TenantTrial(tenant=acme.tenant)
            seal_into(row, "terms", write_licence(licence(**{"licence_id": new_licence_id(TRIAL_PREFIX), **more})))
            row.save(force_insert=True)
        return licence_of(acme.tenant.id) is not None

    assert holds(days=90)
    assert not holds(days=91)
    assert not holds(days=90, tenant="globex")
    assert not holds(days=90, licence_id=new_licence_id())
