"""Starts within a tenant's limits: features by tier, steps of a segment, runs a day, what operators set."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import Run, StartsOfDay
from segments.selectors import catalog
from tenants.entitlements.kept import forget_entitlements
from tenants.entitlements.tiers import FEATURES_OF_TIERS, LIMITS, TIERS
from tenants.limits.services import set_limits
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.segments import segment, step

Api = Callable[[Customer], APIClient]
TRANSFORM = {"mapping": {"a": "1"}}
PARALLEL = segment(
    step("split", "parallel_split", branches=["a", "b"]),
    step("a", "transform", **TRANSFORM),
    step("b", "transform", **TRANSFORM),
    step("join", "parallel_join"),
    edges=[
        {"from": "split", "to": "a", "from_port": "a"}, {"from": "split", "to": "b", "from_port": "b"},
        {"from": "a", "to": "join"}, {"from": "b", "to": "join"},
    ],
)  # fmt: skip
SEGMENTS = {
    "free": segment(step("s", "transform", **TRANSFORM)),
    "starter": PARALLEL,
    "professional": segment(step("s", "http_action", method="GET", url="https://api.example.com/")),
}
"""By the lowest tier that includes it."""


def of_steps(count: int) -> dict[str, Any]:
    return segment(*(step(f"s{number}", "transform", **TRANSFORM) for number in range(count)))


@pytest.fixture
def in_tier(settings: Any, acme: Customer) -> Callable[[str], None]:
    def change(tier: str) -> None:
        settings.DEFAULT_TIER = tier
        forget_entitlements(acme.tenant.id)

    return change


def start(client: APIClient, document: dict[str, Any]) -> Any:
    return client.post("/api/v1/runs", {"segment": document, "input": {}})


@pytest.mark.parametrize("tier", TIERS)
def test_each_limit_of_a_tier_holds_at_its_number_and_not_above(
    acme: Customer, api: Api, in_tier: Callable[[str], None], tier: str
) -> None:
    in_tier(tier)
    client = api(acme)
    most = LIMITS["steps_per_segment"].by_tier[tier]
    assert start(client, of_steps(most)).status_code == 202
    if most < 1_000:  # beyond it no segment is one
        answer = start(client, of_steps(most + 1))
        assert (answer.status_code, answer.json()["code"]) == (402, "LIMIT_USED_UP")
        facts = {name: answer.json()[name] for name in ("limit", "used", "cap", "unit")}
        assert facts == {"limit": "steps_per_segment", "used": most + 1, "cap": most, "unit": "steps"}
    a_day = LIMITS["runs_per_day"].by_tier.get(tier)
    if a_day is None:
        return
    with unscoped("the runs of this morning"):
        StartsOfDay.objects.update_or_create(tenant=acme.tenant, day=utc_now().date(), defaults={"runs": a_day - 1})
    assert start(client, of_steps(1)).status_code == 202
    answer = start(client, of_steps(1))
    assert (answer.status_code, answer.json()["cap"], answer.json()["used"]) == (402, a_day, a_day)
    midnight = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
    assert answer.json()["resets_at"] == midnight
    assert "operator" in answer.json()["raised_by"]


@pytest.mark.parametrize("lowest", SEGMENTS)
def test_a_tier_starts_what_it_includes_and_says_what_it_does_not(
    acme: Customer, api: Api, in_tier: Callable[[str], None], lowest: str
) -> None:
    client, document = api(acme), SEGMENTS[lowest]
    for tier in TIERS:
        in_tier(tier)
        told = client.post("/api/v1/segments/validate?with=limits", document).json()
        offered = client.get("/api/v1/catalog?with=limits").json()["types"]
        used = {one["type"] for one in document["steps"]}
        includes = TIERS.index(tier) >= TIERS.index(lowest)
        answer = start(client, document)
        assert told["valid"] is includes
        assert all(offered[type_id]["included"] for type_id in used) is includes
        if includes:
            assert answer.status_code == 202
            continue
        assert (answer.status_code, answer.json()["code"], answer.json()["tier"]) == (402, "NOT_INCLUDED", tier)
        wrong = [(one["pointer"], one["detail"]) for one in answer.json()["errors"]]
        findings = [(one["pointer"], one["message"]) for one in told["findings"] if one["code"] == "NOT_INCLUDED"]
        assert wrong == findings
        assert client.post("/api/v1/segments/validate", document).json()["valid"], "without limits it is valid"


def test_the_catalog_tells_of_every_type_whether_it_is_included(
    acme: Customer, api: Api, in_tier: Callable[[str], None]
) -> None:
    client = api(acme)
    for tier in TIERS:
        in_tier(tier)
        types = client.get("/api/v1/catalog?with=limits").json()["types"]
        assert {name for name, card in types.items() if card["included"]} == {
            name for name in catalog().export_for_ui()["types"] if name in FEATURES_OF_TIERS[tier]
        }
        assert all((card["reason"] is None) == card["included"] for card in types.values())
        assert set(client.get("/api/v1/tenant").json()["features"]) == FEATURES_OF_TIERS[tier]
    assert "included" not in client.get("/api/v1/catalog").json()["types"]["transform"]


def test_an_operator_lets_a_tenant_use_a_type_or_blocks_it(
    acme: Customer, api: Api, in_tier: Callable[[str], None]
) -> None:
    client, document = api(acme), SEGMENTS["professional"]
    in_tier("free")
    assert start(client, document).status_code == 402
    with unscoped("an operator"):
        Tenant.objects.filter(id=acme.tenant.id).update(allowed_step_types=["http_action"])
    in_tier("free")
    assert start(client, document).status_code == 202
    with unscoped("an operator"):
        Tenant.objects.filter(id=acme.tenant.id).update(blocked_step_types=["http_action"])
    in_tier("enterprise")
    answer = start(client, document)
    assert (answer.status_code, answer.json()["code"]) == (402, "NOT_INCLUDED")
    assert "blocked" in answer.json()["detail"]


def test_a_replay_and_a_trial_count_as_starts(acme: Customer, api: Api) -> None:
    client = api(acme)
    run_id = start(client, of_steps(1)).json()["run_id"]
    trial = {"config": TRANSFORM}
    set_limits(tenant=acme.tenant, actor="operator", limits={"runs_per_day": 3})
    assert client.post(f"/api/v1/runs/{run_id}/replay", {}).status_code == 202
    assert client.post("/api/v1/catalog/transform/test?wait=0", trial).status_code == 202
    assert client.post(f"/api/v1/runs/{run_id}/replay", {}).status_code == 402
    assert client.post("/api/v1/catalog/transform/test?wait=0", trial).status_code == 402
    with unscoped("counting"):
        assert Run.objects.count() == 3


def test_a_repeat_by_its_key_is_not_counted(acme: Customer, api: Api) -> None:
    client, body = api(acme), {"segment": of_steps(1), "input": {}}
    set_limits(tenant=acme.tenant, actor="operator", limits={"runs_per_day": 1})
    for _ in range(3):
        assert client.post("/api/v1/runs", body, headers={"Idempotency-Key": "one"}).status_code == 202
    assert client.post("/api/v1/runs", body, headers={"Idempotency-Key": "two"}).status_code == 402


@pytest.mark.django_db(transaction=True)
def test_of_many_starts_at_once_exactly_as_many_as_there_is_room_for_are_accepted(acme: Customer, api: Api) -> None:
    set_limits(tenant=acme.tenant, actor="operator", limits={"runs_per_day": 50})
    body = {"segment": of_steps(1), "input": {}}

    def one(_: int) -> int:
        try:
            return int(api(acme).post("/api/v1/runs", body).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as threads:
        answers = Counter(threads.map(one, range(200)))
    assert answers == {202: 50, 402: 150}
    with unscoped("counting"):
        assert Run.objects.count() == 50


def test_an_operator_s_key_sets_limits_and_a_tenant_s_own_does_not(acme: Customer, globex: Customer, api: Api) -> None:
    mine = api(acme)
    change = {"limits": {"runs_per_day": 2, "concurrent_runs": None}}
    refused = mine.patch("/api/v1/tenant/limits", change)
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")
    key = create_api_key(tenant=acme.tenant, name="operator", scopes=["operator:write"]).text
    operator = api(Customer(acme.tenant, key))
    told = {row["limit"]: row for row in operator.patch("/api/v1/tenant/limits", change).json()["data"]}
    assert (told["runs_per_day"]["cap"], told["runs_per_day"]["source"]) == ("2", "override")
    assert (told["concurrent_runs"]["cap"], told["concurrent_runs"]["source"]) == (None, "override")
    assert [start(mine, of_steps(1)).status_code for _ in range(3)] == [202, 202, 402]
    assert start(api(globex), of_steps(1)).status_code == 202
    back = operator.patch("/api/v1/tenant/limits", {"inherit": ["runs_per_day"]}).json()["data"]
    assert {row["limit"]: row["source"] for row in back}["runs_per_day"] == "installation"
    assert start(mine, of_steps(1)).status_code == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limits": {"runs_a_day": 2}}, "/limits/runs_a_day"),
        ({"limits": {"runs_per_day": -1}}, "/limits/runs_per_day"),
        ({"limits": {"runs_per_day": 2**53}}, "/limits/runs_per_day"),
        ({"limits": {"runs_per_day": "2"}}, "/limits/runs_per_day"),
        ({"inherit": ["runs_a_day"]}, "/inherit"),
    ],
)
def test_what_is_no_limit_is_refused_and_changes_nothing(
    acme: Customer, api: Api, body: dict[str, Any], pointer: str
) -> None:
    operator = api(Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="o", scopes=["operator:write"]).text))
    assert operator.patch("/api/v1/tenant/limits", {"limits": {"runs_per_day": 2}}).status_code == 200
    answer = operator.patch("/api/v1/tenant/limits", body)
    assert answer.status_code == 422, answer.json()
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]
    limits = {row["limit"]: row["cap"] for row in api(acme).get("/api/v1/tenant/limits").json()["data"]}
    assert limits["runs_per_day"] == "2"
