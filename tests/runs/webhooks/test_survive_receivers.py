"""Receivers that fail, sleep, refuse, are gone for days: every event is delivered, or over with a reason."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import Delivery, DeliveryAttempt, WebhookEndpoint
from runs.webhooks.health import look_after_endpoints
from tenants.models import AdminMail, Tenant
from tests.support.engine import queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer, RecordedRequest
from tests.support.segments import segment, step
from tests.support.tasks import make_member
from tests.support.webhooks import (
    ENDPOINTS,
    client_for,
    deliveries_to,
    endpoint_row,
    make_endpoint,
    wait_for_statuses,
)

DOCUMENT = segment(step("one", "transform", expression="input"))
BOTH = ["segment.started", "segment.completed"]


def set_due() -> None:
    with unscoped("a test sets the clock"):
        Delivery.objects.filter(status="pending", is_claimed=False, is_queued=False).update(
            next_at=utc_now() - timedelta(seconds=1)
        )


def reasons_of(endpoint_id: str) -> list[tuple[int | None, str]]:
    with unscoped("tests look everywhere"):
        log = DeliveryAttempt.objects.filter(delivery__endpoint_id=endpoint_id)
        return list(log.order_by("delivery__sequence", "number").values_list("status_code", "error_code"))


def test_a_receiver_that_is_not_ready_gets_all_in_order_of_its_run_and_others_go_on(
    acme: Tenant, receiver: CountingServer
) -> None:
    refused: list[str] = []

    def answer(request: RecordedRequest) -> Answer:
        if len(refused) < 4 and request.json()["run_id"] == str(first):
            refused.append(request.json()["type"])
            return Answer((404, 409, 429, 500)[len(refused) - 1])
        return Answer(200)

    receiver.route("POST", "/hook", answer)
    endpoint = make_endpoint(client_for(acme), f"{receiver.url}/hook", event_types=BOTH)
    first = queue_run(acme, DOCUMENT)
    with running_host():
        wait_for(lambda: len(refused) == 1)
        second = queue_run(acme, DOCUMENT)
        wait_for_statuses(endpoint["id"], ["pending", "pending", "delivered", "delivered"])
        for count in (2, 3, 4):
            set_due()
            wait_for(lambda wanted=count: len(refused) == wanted)
            wait_for(lambda: not any(one.is_claimed for one in deliveries_to(endpoint["id"])))
        set_due()
        wait_for_statuses(endpoint["id"], ["delivered"] * 4)
    assert refused == ["segment.started"] * 4, "its end waits"
    told = [(one.json()["run_id"], one.json()["type"]) for one in receiver.calls if one.json()["type"] in BOTH]
    assert [kind for run_id, kind in told[-2:]] == BOTH
    assert {run_id for run_id, _ in told} == {str(first), str(second)}
    assert reasons_of(endpoint["id"])[:5] == [(404, ""), (409, ""), (429, ""), (500, ""), (200, "")]
    assert endpoint_row(endpoint["id"]).failing_since is None


def test_an_endpoint_that_answers_410_is_told_nothing_more(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/gone", Answer(410))
    receiver.route("POST", "/there", Answer(200))
    client = client_for(acme)
    gone = make_endpoint(client, f"{receiver.url}/gone", event_types=BOTH)
    there = make_endpoint(client, f"{receiver.url}/there", event_types=BOTH)
    with running_host():
        queue_run(acme, DOCUMENT)
        wait_for_statuses(there["id"], ["delivered"] * 2)
        wait_for_statuses(gone["id"], ["refused", "blocked"])
        assert look_after_endpoints() == 1
        wait_until_over(queue_run(acme, DOCUMENT))
        wait_for_statuses(there["id"], ["delivered"] * 4)
    assert reasons_of(gone["id"]) == [(410, ""), (None, "ENDPOINT_DISABLED")]
    shown = client.get(f"{ENDPOINTS}/{gone['id']}").json()
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "gone")
    assert receiver.count("/gone") == 1


def test_admins_are_told_of_days_of_failure_and_then_it_is_disabled(acme: Tenant) -> None:
    ann = make_member(acme, "ann", role="admin")
    client = client_for(acme)
    endpoint = make_endpoint(client, "https://hooks.example.com/", description="orders")
    with unscoped("rows for a test"):
        Delivery.objects.create(
            tenant=acme, endpoint_id=endpoint["id"], target="endpoint", sequence=1, type="segment.failed", body="{}"
        )

    def after(days: float) -> tuple[int, bool]:
        with unscoped("a test sets the clock"):
            WebhookEndpoint.objects.update(failing_since=utc_now() - timedelta(days=days))
        for _ in range(2):
            look_after_endpoints()
        with unscoped("tests look everywhere"):
            return AdminMail.objects.filter(member=ann).count(), endpoint_row(endpoint["id"]).is_disabled

    assert [after(days) for days in (0.9, 1.1, 2, 3.1, 4.1, 4.9, 5.1)] == [
        *((0, False), (1, False), (1, False), (2, False), (3, False), (3, False)),
        (4, True),
    ]
    assert [one.status for one in deliveries_to(endpoint["id"])] == ["blocked"]
    assert reasons_of(endpoint["id"]) == [(None, "ENDPOINT_DISABLED")]
    with unscoped("tests look everywhere"):
        told = Entry.objects.filter(object_id=endpoint["id"]).order_by("created_at").values_list("action", flat=True)
        assert list(told)[-2:] == ["webhook_endpoint.failing", "webhook_endpoint.disabled"]
        assert "orders" in AdminMail.objects.order_by("-id")[0].text
    assert client.post(f"{ENDPOINTS}/{endpoint['id']}/redeliver", {"first": 1}).status_code == 409
    enabled = client.patch(f"{ENDPOINTS}/{endpoint['id']}", {"enabled": True}).json()
    assert (enabled["enabled"], enabled["failing_since"]) == (True, None)
    assert client.post(f"{ENDPOINTS}/{endpoint['id']}/redeliver", {"first": 1}).json() == {"redelivered": 1}


def test_a_range_is_sent_again_with_the_same_ids_and_the_present_secret(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    client = client_for(acme)
    endpoint = make_endpoint(client, f"{receiver.url}/hook", event_types=BOTH)
    address = f"{ENDPOINTS}/{endpoint['id']}"
    with running_host():
        queue_run(acme, DOCUMENT)
        wait_for_statuses(endpoint["id"], ["delivered"] * 2)
        rotated = client.post(f"{address}/rotate-secret").json()
        assert client.post(f"{address}/redeliver", {"first": 1, "last": 2}).json() == {"redelivered": 2}
        wait_for(lambda: receiver.count("/hook") == 4)
        assert client.post(f"{address}/test").status_code == 202
        wait_for(lambda: receiver.count("/hook") == 5)
    *before, first, second, test = receiver.calls
    assert [one.headers["webhook-id"] for one in before] == [one.headers["webhook-id"] for one in (first, second)]
    assert [one.body for one in before] == [one.body for one in (first, second)]
    for secret in (endpoint["secret"], rotated["secret"]):
        Webhook(secret).verify(second.body, second.headers)
    assert (test.json()["type"], test.json()["sequence"]) == ("webhook.test", None)


def test_an_endpoint_with_a_key_pair_is_verified_with_the_public_key(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", Answer(200))
    endpoint = make_endpoint(client_for(acme), f"{receiver.url}/hook", signing="ed25519")
    assert endpoint["secret"] is None
    with running_host():
        queue_run(acme, DOCUMENT)
        wait_for_statuses(endpoint["id"], ["delivered"])
    (call,) = receiver.calls
    kind, _, signature = call.headers["webhook-signature"].partition(",")
    assert kind == "v1a"
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(endpoint["public_key"].removeprefix("whpk_")))
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    key.verify(base64.b64decode(signature), signed)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "http://hooks.example.com/"}, "CALLBACK_REFUSED"),
        ({"headers": {"Webhook-Id": "1"}}, "CALLBACK_REFUSED"),
        ({"event_types": ["run.done"]}, "INVALID"),
    ],
)
def test_what_cannot_be_told_is_refused(acme: Tenant, fields: dict[str, object], code: str) -> None:
    client, asked = client_for(acme), {"url": "https://hooks.example.com/", "event_types": ["segment.*"]}
    assert client.post(ENDPOINTS, asked).status_code == 201
    refused = client.post(ENDPOINTS, {**asked, **fields})
    assert (refused.status_code, refused.json()["code"]) == (422, code)
