"""An operator suspends, resumes and deletes a tenant through the API: in two acts, repeatable, told to the audit."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from tenants.lifecycle.removal import advance_removals
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.api_clients import key_client
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
SUSPENSION, DELETION, CONFIRM = (f"/api/v1/tenant/{end}" for end in ("suspension", "deletion", "deletion/confirm"))
START = {"segment": steps_in_a_row("input")}


@pytest.fixture
def operator(acme: Customer) -> APIClient:
    return key_client(create_api_key(tenant=acme.tenant, name="operator", scopes=["operator:write"]).text)


def told(tenant: Tenant) -> list[tuple[str, bool]]:
    """The acts on a tenant, and whether they are in its own history."""
    with unscoped("tests look at everything"):
        rows = Entry.objects.filter(action__startswith="tenant.", object_id=str(tenant.id)).order_by("id")
        return [(entry.action, entry.tenant_id is not None) for entry in rows if entry.action != "tenant.created"]


def body_of(answer: Any, *, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_it_is_suspended_and_resumed_and_each_may_be_repeated(
    acme: Customer, globex: Customer, api: Api, operator: APIClient
) -> None:
    suspended = {"runs": "pause", "reason": "The bill is open."}
    first = body_of(operator.put(SUSPENSION, suspended))
    assert (first["state"], first["suspended_runs"], first["suspension_reason"]) == ("suspended", *suspended.values())
    assert body_of(operator.put(SUSPENSION, suspended)) == first
    assert body_of(api(acme).get("/api/v1/tenant")).items() >= first.items(), "the tenant sees it, too"
    refused = body_of(api(acme).post("/api/v1/runs", START), status=409)
    assert (refused["code"], "The bill is open." in refused["detail"]) == ("TENANT_SUSPENDED", True)
    assert api(globex).post("/api/v1/runs", START).status_code == 202
    resumed = body_of(operator.delete(SUSPENSION))
    assert (resumed["state"], resumed["suspended_at"], resumed["suspended_runs"]) == ("active", None, None)
    assert body_of(operator.delete(SUSPENSION)) == resumed
    assert api(acme).post("/api/v1/runs", START).status_code == 202
    assert told(acme.tenant) == [("tenant.suspended", True), ("tenant.resumed", True)]


def test_it_is_deleted_in_two_acts_and_kept_until_the_second(
    acme: Customer, globex: Customer, api: Api, operator: APIClient
) -> None:
    early = body_of(operator.post(CONFIRM, {"slug": "acme"}), status=409)
    assert (early["code"], early["state"]) == ("TENANT_STATE_REFUSED", "active")
    asked = body_of(operator.put(DELETION, {"reason": "They left."}))
    assert (asked["state"], asked["removal_stage"]) == ("to_be_deleted", None)
    assert body_of(operator.put(DELETION, {"reason": "Again."})) == asked
    assert api(acme).post("/api/v1/runs", START).status_code == 409
    assert body_of(operator.delete(DELETION))["deletion_due_at"] is None
    assert body_of(operator.delete(DELETION))["state"] == "active"
    assert api(acme).post("/api/v1/runs", START).status_code == 202
    operator.put(DELETION, {"reason": "They left."})
    wrong = body_of(operator.post(CONFIRM, {"slug": "globex"}), status=422)
    assert wrong["code"] == "NOT_THIS_TENANT"
    assert advance_removals() == 0, "nobody has confirmed it"
    confirmed = body_of(operator.post(CONFIRM, {"slug": "acme"}), status=202)
    assert confirmed["deletion_due_at"] < asked["deletion_due_at"]
    assert body_of(operator.post(CONFIRM, {"slug": "acme"}), status=202) == confirmed
    advance_removals()
    begun = body_of(operator.delete(DELETION), status=409)
    assert (begun["code"], begun["state"]) == ("TENANT_STATE_REFUSED", "cancelling")
    acts = ["requested", "withdrawn", "requested", "confirmed"]
    assert told(acme.tenant)[:4] == [(f"tenant.deletion_{act}", False) for act in acts]
    with unscoped("tests look at everything"):
        assert Tenant.objects.get(id=globex.tenant.id).deletion_due_at is None


@pytest.mark.parametrize(
    "act",
    [
        ("put", SUSPENSION, {"reason": "x"}),
        ("delete", SUSPENSION, None),
        ("put", DELETION, {"reason": "x"}),
        ("delete", DELETION, None),
        ("post", CONFIRM, {"slug": "acme"}),
    ],
)
def test_a_tenant_s_own_key_may_do_none_of_it(
    acme: Customer, api: Api, operator: APIClient, act: tuple[str, str, Any]
) -> None:
    method, address, body = act
    refused = body_of(getattr(api(acme), method)(address, body), status=403)
    assert (refused["code"], refused["scope"]) == ("SCOPE_MISSING", "operator:write")
    assert told(acme.tenant) == []
    assert getattr(operator, method)(address, body).status_code in {200, 409}


@pytest.mark.parametrize(
    ("address", "body", "pointer"),
    [
        (SUSPENSION, {}, "/reason"),
        (SUSPENSION, {"reason": " "}, "/reason"),
        (SUSPENSION, {"reason": "x" * 501}, "/reason"),
        (SUSPENSION, {"reason": "x", "runs": "stop"}, "/runs"),
        (DELETION, {}, "/reason"),
        (DELETION, {"reason": "x", "now": True}, "/now"),
    ],
)
def test_what_is_wrong_changes_nothing(
    acme: Customer, operator: APIClient, address: str, body: Any, pointer: str
) -> None:
    refused = body_of(operator.put(address, body), status=422)
    assert [one["pointer"] for one in refused["errors"]] == [pointer]
    assert told(acme.tenant) == []
