"""Usage and limits as a tenant reads them."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.models import BudgetHold, Run, UsageDay
from runs.usage import selectors
from tenants.limits.services import set_limits
from tenants.models import Tenant
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.console import a_segment

Api = Callable[[Customer], APIClient]
TODAY = utc_now().date()


def spend(
    customer: Customer, tokens: int = 10, *, day: date = TODAY, segment: str = "s", model: str = "m", **more: Any
) -> None:
    facts = {
        "provider": "p", "is_test": False, "shard": 0, "calls": 1, "output_tokens": 5, "cost": Decimal("0.000001"),
        "unpriced_calls": 0, "estimated_calls": 0, **more,
    }  # fmt: skip
    with unscoped("rows for a test"):
        UsageDay.objects.create(
            tenant=customer.tenant, day=day, segment_id=segment, model=model, input_tokens=tokens, **facts
        )


def test_usage_is_told_by_day_segment_and_model(acme: Customer, api: Api) -> None:
    yesterday = TODAY - timedelta(days=1)
    spend(acme, 1, day=yesterday)
    spend(acme, 2, model="other", estimated_calls=1)
    spend(acme, 4, model="other", segment="t", unpriced_calls=1, cost=Decimal(0))
    spend(acme, 8)
    answer = api(acme).get("/api/v1/tenant/usage").json()
    assert (answer["from"], answer["to"]) == (str(TODAY - timedelta(days=29)), str(TODAY))
    rows = [(row["day"], row["segment_id"], row["model"], row["input_tokens"]) for row in answer["data"]]
    day = str(TODAY)
    assert rows == [(str(yesterday), "s", "m", 1), (day, "s", "m", 8), (day, "s", "other", 2), (day, "t", "other", 4)]
    assert answer["totals"] == {
        "calls": 4, "input_tokens": 15, "output_tokens": 20, "cost": "0.000003", "currency": "USD", "estimated": True,
        "unpriced_calls": 1, "tests": 0,
    }  # fmt: skip
    assert [row["estimated"] for row in answer["data"]] == [False, False, True, False]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("by=day", [(None, None, 15)]),
        ("by=segment", [("s", None, 11), ("t", None, 4)]),
        ("by=model", [(None, "m", 9), (None, "other", 6)]),
        ("by=model,segment", [("s", "m", 9), ("s", "other", 2), ("t", "other", 4)]),
        ("segment=s&by=segment", [("s", None, 11)]),
        ("model=other&by=segment", [("s", None, 2), ("t", None, 4)]),
        (f"by=segment&from={TODAY + timedelta(days=1)}&to={TODAY + timedelta(days=1)}", []),
    ],
)
def test_rows_tell_apart_what_is_asked_for(acme: Customer, api: Api, query: str, rows: list[Any]) -> None:
    for shard in (0, 1):
        spend(acme, 4, shard=shard)
    spend(acme, 1, is_test=True)
    spend(acme, 2, model="other")
    spend(acme, 4, model="other", segment="t")
    answer = api(acme).get(f"/api/v1/tenant/usage?{query}").json()
    found = [(row["segment_id"], row["model"], row["input_tokens"]) for row in answer["data"]]
    assert sorted(found, key=str) == rows
    assert answer["totals"]["input_tokens"] == sum(row[2] for row in rows)


def test_steps_that_were_only_tried_out_are_counted_and_told(acme: Customer, api: Api) -> None:
    spend(acme)
    spend(acme, is_test=True, calls=3)
    (row,) = api(acme).get("/api/v1/tenant/usage").json()["data"]
    assert (row["calls"], row["tests"]) == (4, 3)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-02-02&to=2026-02-01", "EMPTY_SPAN"),
        ("from=2025-01-01&to=2026-01-02", "SPAN_TOO_LONG"),
        ("from=yesterday", "INVALID"),
        ("by=hour", "UNKNOWN_GROUP"),
        ("by=day,day", "UNKNOWN_GROUP"),
        ("by=", "BLANK"),
        ("tenant=globex", "UNKNOWN_FIELD"),
        ("to=2026-01-01&to=2026-01-02", "SENT_TWICE"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(acme: Customer, api: Api, query: str, code: str) -> None:
    assert api(acme).get("/api/v1/tenant/usage?from=2026-01-31&to=2026-02-01&by=day,model").status_code == 200
    assert api(acme).get("/api/v1/tenant/usage?from=2025-01-02&to=2026-01-02").status_code == 200
    assert api(acme).get("/api/v1/tenant/usage?to=0001-01-01").status_code == 200
    answer = api(acme).get(f"/api/v1/tenant/usage?{query}")
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == [code]


def test_a_report_of_too_many_rows_is_refused(acme: Customer, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "MAX_ROWS", 2)
    for number in range(3):
        spend(acme, segment=f"s{number}")
    assert api(acme).get("/api/v1/tenant/usage?by=day").status_code == 200
    answer = api(acme).get("/api/v1/tenant/usage")
    assert (answer.status_code, answer.json()["code"]) == (422, "USAGE_TOO_DETAILED")


def test_limits_tell_what_is_used_and_who_can_raise_them(acme: Customer, api: Api) -> None:
    limits = {row["limit"]: row for row in api(acme).get("/api/v1/tenant/limits").json()["data"]}
    caps = {name: (row["cap"], row["source"]) for name, row in limits.items() if row["cap"] is not None}
    assert caps == {
        "concurrent_runs": ("500", "installation"), "steps_per_segment": ("1000", "tier"),
        "requests_per_minute": ("6000", "installation"), "open_streams": ("2000", "tier"),
        "waiting_requests": ("2000", "tier"),
    }  # fmt: skip
    set_limits(tenant=acme.tenant, actor="operator", limits={"concurrent_runs": 7, "runs_per_day": 90})
    with unscoped("an operator sets budgets"):
        Tenant.objects.update(
            run_token_budget=100, run_cost_budget=Decimal("0.5"), daily_token_budget=1_000,
            daily_cost_budget=Decimal(20),
        )  # fmt: skip
        _, revision = a_segment(acme.tenant, "s")
        Run.objects.create(
            tenant=acme.tenant, revision=revision, segment_id="s", timeout_seconds=1, owner=new_id(), wake_at=None,
            status="running",
        )  # fmt: skip
        BudgetHold.objects.create(
            tenant=acme.tenant, run_id=new_id(), step_id="s", activation=1, attempt=1, tokens=30, cost=Decimal("0.25"),
            worker_id=new_id(),
        )  # fmt: skip
    spend(acme, 100)
    spend(acme, 100, day=TODAY - timedelta(days=1))
    limits = {row["limit"]: row for row in api(acme).get("/api/v1/tenant/limits").json()["data"]}
    told = {name: (row["unit"], row["cap"], row["used"], row["held"]) for name, row in limits.items()}
    assert told == {
        "concurrent_runs": ("runs", "7", "1", None),
        "runs_per_day": ("runs", "90", "1", None),
        "steps_per_segment": ("steps", "1000", None, None),
        "requests_per_minute": ("requests", "6000", "0", None),
        "storage_bytes": ("bytes", None, "0", None),
        "open_streams": ("streams", "2000", None, None),
        "waiting_requests": ("requests", "2000", None, None),
        "run_tokens": ("tokens", "100", None, None),
        "run_cost": ("USD", "0.5", None, None),
        "daily_tokens": ("tokens", "1000", "105", "30"),
        "daily_cost": ("USD", "20", "0.000001", "0.25"),
    }
    midnight = f"{TODAY + timedelta(days=1)}T00:00:00Z"
    assert {name for name, row in limits.items() if row["resets_at"] == midnight} == {
        "daily_tokens", "daily_cost", "runs_per_day"
    }  # fmt: skip
    assert all("operator" in row["raised_by"] for row in limits.values())


@pytest.mark.parametrize("path", ["usage", "limits"])
def test_a_key_needs_the_scope(acme: Customer, path: str) -> None:
    for scopes, status in ((["tenant:read"], 200), (["runs:read"], 403)):
        key = create_api_key(tenant=acme.tenant, name="k", scopes=scopes).text
        answer = APIClient().get(f"/api/v1/tenant/{path}", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == status


def test_nothing_of_another_tenant_is_counted(acme: Customer, globex: Customer, api: Api) -> None:
    spend(globex)
    with unscoped("rows for a test"):
        BudgetHold.objects.create(
            tenant=globex.tenant, run_id=new_id(), step_id="s", activation=1, attempt=1, tokens=30, cost=1,
            worker_id=new_id(),
        )  # fmt: skip
    assert api(globex).get("/api/v1/tenant/usage").json()["totals"]["calls"] == 1
    assert api(acme).get("/api/v1/tenant/usage").json()["totals"]["calls"] == 0
    limits = {row["limit"]: row for row in api(acme).get("/api/v1/tenant/limits").json()["data"]}
    assert (limits["daily_tokens"]["used"], limits["daily_tokens"]["held"]) == ("0", "0")
