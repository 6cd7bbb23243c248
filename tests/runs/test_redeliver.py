"""Deliveries through the API: listed with every try, and sent again when asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.models import Delivery, DeliveryAttempt
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]


@pytest.fixture
def run_id(acme: Customer, api: Api) -> str:
    body = {"segment": steps_in_a_row("input"), "callback": {"url": "https://hooks.example.com/x"}}
    started: str = api(acme).post("/api/v1/runs", body).json()["run_id"]
    return started


def a_delivery(customer: Customer, run_id: str, *, status: str = "exhausted", seq: int = 3, **more: Any) -> Delivery:
    now = utc_now()
    is_pending = status == "pending"
    with tenant_scope(customer.tenant.id):
        delivery = Delivery.objects.create(
            tenant=customer.tenant, run_id=run_id, seq=seq, type="segment.completed", host="hooks.example.com",
            status=status, body='{"kept": true}', tries=10, attempts=10,
            next_at=now + timedelta(hours=20) if is_pending else None, ended_at=None if is_pending else now, **more,
        )  # fmt: skip
        DeliveryAttempt.objects.create(
            tenant=customer.tenant, delivery=delivery, number=1, at=now, duration_ms=12, status_code=500, response="no"
        )
    return delivery


def now_is(delivery: Delivery) -> Delivery:
    with unscoped("tests look everywhere"):
        return Delivery.objects.get(id=delivery.id)


def address(run_id: str, delivery: Delivery) -> str:
    return f"/api/v1/runs/{run_id}/deliveries/{delivery.id}/redeliver"


def test_a_run_s_deliveries_are_listed_with_every_try(acme: Customer, api: Api, run_id: str) -> None:
    delivery = a_delivery(acme, run_id)
    page = api(acme).get(f"/api/v1/runs/{run_id}/deliveries").json()
    (shown,) = page["data"]
    assert shown["webhook_id"] == f"msg_{delivery.id.hex}"
    assert (shown["status"], shown["event_type"], shown["host"]) == (
        "exhausted",
        "segment.completed",
        "hooks.example.com",
    )
    (attempt,) = shown["attempts"]
    assert (attempt["number"], attempt["status_code"], attempt["error_code"], attempt["response"]) == (
        1,
        500,
        None,
        "no",
    )
    assert api(acme).get(f"/api/v1/runs/{run_id}").json()["callback"]["state"] == "exhausted"


def test_the_tenant_s_deliveries_are_filtered_and_paged(acme: Customer, api: Api, run_id: str) -> None:
    for seq in (3, 4):
        a_delivery(acme, run_id, seq=seq)
    pending = a_delivery(acme, run_id, status="pending", seq=5)
    client = api(acme)
    assert [row["seq"] for row in client.get("/api/v1/deliveries").json()["data"]] == [5, 4, 3]
    assert [row["delivery_id"] for row in client.get("/api/v1/deliveries?status=pending").json()["data"]] == [
        str(pending.id)
    ]
    assert client.get(f"/api/v1/deliveries?run={new_id()}").json()["data"] == []
    first = client.get(f"/api/v1/deliveries?run={run_id}&limit=2").json()
    rest = client.get(first["next_url"]).json()
    assert [row["seq"] for row in [*first["data"], *rest["data"]]] == [5, 4, 3]
    assert client.get("/api/v1/deliveries?status=lost").status_code == 422


@pytest.mark.parametrize("status", ["delivered", "refused", "blocked", "exhausted", "pending"])
def test_a_delivery_is_sent_again_whatever_became_of_it(acme: Customer, api: Api, run_id: str, status: str) -> None:
    delivery = a_delivery(acme, run_id, status=status)
    answer = api(acme).post(address(run_id, delivery), {"reason": "mended"})
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    again = now_is(delivery)
    assert again.next_at is not None
    assert again.next_at <= utc_now()
    assert (again.tries, again.attempts, again.body) == (0, 10, delivery.body)
    with tenant_scope(acme.tenant.id):
        entry = Entry.objects.get(action="delivery.redelivered")
    assert (entry.object_id, entry.before) == (str(delivery.id), {"status": status})
    assert entry.after == {"run_id": run_id, "reason": "mended"}


def test_one_that_is_under_way_is_left_alone(acme: Customer, api: Api, run_id: str) -> None:
    delivery = a_delivery(acme, run_id, status="pending", is_claimed=True)
    assert api(acme).post(address(run_id, delivery)).status_code == 202
    assert now_is(delivery).next_at == delivery.next_at
    with tenant_scope(acme.tenant.id):
        assert not Entry.objects.filter(action="delivery.redelivered").exists()


def test_a_delivery_of_another_run_or_tenant_is_unknown(
    acme: Customer, globex: Customer, api: Api, run_id: str
) -> None:
    delivery = a_delivery(acme, run_id)
    client = api(acme)
    other_run = client.post("/api/v1/runs", {"segment": steps_in_a_row("input")}).json()["run_id"]
    assert client.post(address(run_id, delivery)).status_code == 202
    assert client.post(address(other_run, delivery)).json()["code"] == "DELIVERY_NOT_FOUND"
    assert client.post(f"/api/v1/runs/{run_id}/deliveries/x/redeliver").json()["code"] == "DELIVERY_NOT_FOUND"
    assert api(globex).post(address(run_id, delivery)).json()["code"] == "RUN_NOT_FOUND"
    assert api(globex).get("/api/v1/deliveries").json()["data"] == []
