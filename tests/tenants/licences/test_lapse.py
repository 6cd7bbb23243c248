"""A licence that lapses refuses new starts beyond the default tier, and nothing else; an upgrade holds within 5 s."""

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.clock import utc_now
from tenants.entitlements.kept import forget_entitlements
from tenants.licences.services import LicenceManager
from tenants.limits.selectors import entitlements_of
from tenants.models import InstalledLicence
from tests.conftest import Customer, make_customer
from tests.support.engine import get_run, make_tenant, queue_runs, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.journals import claim, register_host
from tests.support.licences import licence, signed
from tests.support.moved_clock import MovedClock
from tests.support.segments import segment, step
from tests.support.tasks import ask, decide, is_parked, make_member, task_of

Api = Callable[[Customer], APIClient]
SMALL = segment(step("s", "transform", mapping={"a": "1"}))


@pytest.fixture
def lapsing(transactional_db: None) -> Customer:
    """A tenant whose licence ends today."""
    customer = make_customer("acme", "Acme")
    LicenceManager().install(customer.tenant, signed(licence(days=0)))
    return customer


def start(client: APIClient, document: dict[str, Any]) -> Any:
    return client.post("/api/v1/runs", {"segment": document, "input": {}})


def test_a_parked_run_is_decided_and_ends_though_the_licence_has_lapsed(
    lapsing: Customer, api: Api, moved_clock: MovedClock
) -> None:
    client, ann = api(lapsing), make_member(lapsing.tenant, "ann")
    with running_host():
        begun = start(client, ask())
        assert begun.status_code == 202, begun.content
        run_id = UUID(begun.json()["run_id"])
        waiting = start(client, ask()).json()["run_id"]
        task = task_of(run_id)
        wait_for(lambda: is_parked(run_id))

        moved_clock.move_to(utc_now() + timedelta(days=3))
        forget_entitlements(lapsing.tenant.id)

        refused = start(client, ask())
        assert (refused.status_code, refused.json()["code"], refused.json()["tier"]) == (402, "NOT_INCLUDED", "free")
        assert start(client, SMALL).status_code == 202, "what the default tier includes starts"
        decide(ann, task, "approved")
        assert wait_until_over(run_id) == ["completed"]
        assert get_run(run_id).output["yes"]["way"] == "yes"
        assert client.get(f"/api/v1/runs/{run_id}").json()["status"] == "completed"
        assert client.get(f"/api/v1/runs/{run_id}/snapshot").status_code == 200
        assert client.post(f"/api/v1/runs/{waiting}/cancel", {"reason": "not needed"}).status_code in {200, 202}


def test_in_the_grace_everything_starts(lapsing: Customer, api: Api, moved_clock: MovedClock) -> None:
    moved_clock.move_to(utc_now().replace(hour=23, minute=59) + timedelta(days=1))
    forget_entitlements(lapsing.tenant.id)
    assert start(api(lapsing), ask()).status_code == 202


@pytest.mark.usefixtures("transactional_db")
def test_as_many_runs_execute_as_the_licence_says() -> None:
    for slug, limits, most in (("acme", {"concurrent_runs": 3}, 3), ("globex", None, 10), ("initech", {}, 10)):
        tenant = make_tenant(slug)
        if limits is not None:
            LicenceManager().install(tenant, signed(licence(slug, limits=limits)))
        else:
            LicenceManager().enable_trial(tenant)
        queue_runs(tenant, SMALL, 12)
        assert len(claim(register_host(), room=100)) == most, slug
    unlicensed = make_tenant("umbrella")
    queue_runs(unlicensed, SMALL, 12)
    assert len(claim(register_host(), room=100)) == 1, "as the default tier says"


def test_an_upgrade_opens_what_was_refused_at_once_where_it_was_installed(
    acme: Customer, api: Api, operator: APIClient
) -> None:
    forget_entitlements(acme.tenant.id)
    assert start(api(acme), ask()).status_code == 402
    assert operator.put("/api/v1/tenant/licence", {"licence": signed(licence())}).status_code == 200
    assert start(api(acme), ask()).status_code == 202


def test_an_upgrade_that_another_process_installed_holds_within_5_s(
    acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_entitlements(acme.tenant.id)
    assert start(api(acme), ask()).status_code == 402
    terms = licence()
    with unscoped("another process installs it"):
        InstalledLicence.objects.create(tenant=acme.tenant, licence_id=terms.licence_id, note=signed(terms))
    assert entitlements_of(acme.tenant.id).tier == "free", "it is remembered for a moment"
    began = time.monotonic()
    monkeypatch.setattr("kernel.bounded_cache.time", SimpleNamespace(monotonic=lambda: began + 4.9))
    assert start(api(acme), ask()).status_code == 202
