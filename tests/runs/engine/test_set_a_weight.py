"""An operator sets a tenant's weight through the API: the next claim goes by it, and the audit has it."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.support.api_clients import key_client
from tests.support.engine import queue_runs
from tests.support.journals import claim, register_host
from tests.support.segments import segment, step

DOCUMENT = segment(step("one"))
ADDRESS = "/api/v1/tenant/limits"


@pytest.fixture
def operator(acme: Tenant) -> APIClient:
    return key_client(create_api_key(tenant=acme, name="o", scopes=["operator:write", "tenant:read"]).text)


def entries() -> list[Entry]:
    with unscoped("tests look at everything"):
        return list(Entry.objects.filter(action__in=["tenant.weight_set", "tenant.limits_set"]).order_by("id"))


def test_the_next_claim_goes_by_it_and_the_audit_has_it(acme: Tenant, globex: Tenant, operator: APIClient) -> None:
    assert operator.get(ADDRESS).json()["weight"] == 1
    answer = operator.patch(ADDRESS, {"weight": 3})
    assert (answer.status_code, answer.json()["weight"]) == (200, 3)
    queue_runs(acme, DOCUMENT, 20)
    queue_runs(globex, DOCUMENT, 20)
    host = register_host()
    taken = [one.tenant_id for one in claim(host, room=8)]
    assert (taken.count(acme.id), taken.count(globex.id)) == (6, 2)
    assert operator.patch(ADDRESS, {"weight": 0.5}).json()["weight"] == 0.5
    taken = [one.tenant_id for one in claim(host, room=9)]
    assert (taken.count(acme.id), taken.count(globex.id)) == (0, 9)
    operator.patch(ADDRESS, {"weight": 0.5})
    assert [(entry.tenant_id, entry.action, entry.before, entry.after) for entry in entries()] == [
        (acme.id, "tenant.weight_set", {"weight": "1"}, {"weight": "3"}),
        (acme.id, "tenant.weight_set", {"weight": "3"}, {"weight": "0.5"}),
    ], "once for each change"


def test_weight_and_limits_change_together_or_not_at_all(acme: Tenant, operator: APIClient) -> None:
    assert operator.patch(ADDRESS, {"limits": {"no_limit": 1}, "weight": 7}).status_code == 422
    assert operator.get(ADDRESS).json()["weight"] == 1
    answer = operator.patch(ADDRESS, {"limits": {"runs_per_day": 5}, "weight": 7}).json()
    caps = {row["limit"]: row["cap"] for row in answer["data"]}
    assert (answer["weight"], caps["runs_per_day"]) == (7, "5")
    assert operator.patch(ADDRESS, {"limits": {"runs_per_day": 6}}).json()["weight"] == 7


@pytest.mark.parametrize("weight", [0.001, 1000, 2.125])
def test_what_is_in_its_bounds_is_taken(operator: APIClient, weight: float) -> None:
    assert operator.patch(ADDRESS, {"weight": weight}).json()["weight"] == weight


@pytest.mark.parametrize("weight", [0, -1, 0.0009, 1000.001, 2.1255, 1e300, "2", True, [2]])
def test_what_is_beyond_them_is_refused(operator: APIClient, weight: Any) -> None:
    answer = operator.patch(ADDRESS, {"weight": weight})
    assert answer.status_code == 422, answer.json()
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/weight"}
    assert operator.get(ADDRESS).json()["weight"] == 1
    assert entries() == []


def test_a_tenant_s_own_key_sets_none(acme: Tenant) -> None:
    own = key_client(create_api_key(tenant=acme, name="own").text)
    refused = own.patch(ADDRESS, {"weight": 2})
    assert (refused.status_code, refused.json()["scope"]) == (403, "operator:write")
    assert own.get(ADDRESS).json()["weight"] == 1
