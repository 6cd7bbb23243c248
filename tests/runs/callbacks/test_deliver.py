"""A run's caller is told what became of it: signed, whole, at its address letter by letter."""

import json
from datetime import timedelta
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.callbacks.payload import EVENTS
from runs.callbacks.sealing import Address
from runs.callbacks.starting import CallbackSpec
from runs.commands import command_run
from runs.models import SignalKind
from runs.replay import replay_run
from tenants.callback_signing.secrets import BOTH_SIGN_FOR
from tenants.models import CallbackSecret, Tenant
from tests.support.callbacks import (
    RUNS_URL,
    delivery_of,
    log_of,
    new_secret,
    start_with_callback,
    wait_for_status,
)
from tests.support.engine import wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step

OK = Answer(200, body="thank you")
ODD_TARGETS = [
    "/hook?signature=abc%2Fdef%7E~x",
    "/hook?",
    "/hook?a=&b&=c&&d==e",
    "/hook?plus=a+b&semi=1;2&comma=1,2",
    "/a%2fb%2Fc/..%2f/./x?%41=%e2%82%ac",
    "/a/../b//c/?q='(x)*!$@:/?[]{}|^`\"<>",
    "/",
    "/hook?x=%",
]


def test_the_end_of_a_run_is_told_with_its_output(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", OK)
    with running_host():
        run_id = start_with_callback(
            acme, f"{receiver.url}/hook", client_reference="order 7", metadata={"team": "blue"}
        )
        wait_for_status(run_id, "delivered")
    (call,) = receiver.calls
    event = call.json()
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "type": "segment.completed",
        "run_id": str(run_id),
        "segment_id": "test_segment",
        "status": "completed",
        "client_reference": "order 7",
        "metadata": {"team": "blue"},
        "output": {"n": 1},
    }
    assert call.headers["content-type"] == "application/json"
    (attempt,) = log_of(run_id)
    assert (attempt.number, attempt.status_code, attempt.error_code, attempt.response) == (1, 200, "", "thank you")


def test_a_failure_is_told_with_its_error(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", OK)
    broken = segment(step("broken", "transform", expression="input.missing"))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook", document=broken)
        wait_for_status(run_id, "delivered")
    event = receiver.calls[0].json()
    assert (event["type"], event["status"]) == ("segment.failed", "failed")
    assert event["error"]["step_id"] == "broken"
    assert "output" not in event


def test_only_events_asked_for_are_told(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/*", OK)
    with running_host():
        all_of_them = start_with_callback(acme, f"{receiver.url}/all", events=EVENTS)
        the_start = start_with_callback(acme, f"{receiver.url}/start", events=["segment.started"])
        nothing = start_with_callback(acme, f"{receiver.url}/never", events=["segment.failed"])
        wait_for_status(all_of_them, "delivered", "delivered")
        wait_for_status(the_start, "delivered")
        wait_until_over(nothing)
    told = {(call.path, call.json()["type"]) for call in receiver.calls}
    assert told == {("/all", "segment.started"), ("/all", "segment.completed"), ("/start", "segment.started")}


def test_pauses_resumes_and_cancels_are_told_with_their_reason(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/*", OK)

    def ask(run_id: UUID, command: SignalKind) -> None:
        command_run(tenant=acme, actor="key:1", run_id=run_id, command=command, reason=f"to {command}")

    paused = start_with_callback(acme, f"{receiver.url}/paused", events=EVENTS)
    cancelled = start_with_callback(acme, f"{receiver.url}/cancelled")
    ask(paused, SignalKind.PAUSE)
    ask(cancelled, SignalKind.CANCEL)
    with running_host():
        wait_for_status(cancelled, "delivered")
        wait_for_status(paused, "delivered", "delivered")
        ask(paused, SignalKind.RESUME)
        wait_for_status(paused, *["delivered"] * 4)
    told = sorted((call.json() for call in receiver.calls), key=lambda event: event["timestamp"])
    by_run = {
        run_id: [
            (event["type"], event["status"], event.get("reason")) for event in told if event["run_id"] == str(run_id)
        ]
        for run_id in (paused, cancelled)
    }
    assert by_run[cancelled] == [("segment.cancelled", "cancelled", "to cancel")]
    assert by_run[paused] == [
        ("segment.started", "running", None),
        ("segment.paused", "paused", "to pause"),
        ("segment.resumed", "running", "to resume"),
        ("segment.completed", "completed", None),
    ]


def test_a_run_out_of_time_is_told_as_a_failure(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/*", OK)
    receiver.route("GET", "/slow", Answer(200, delay_seconds=1))
    slow = segment(step("slow", "http_action", url=f"{receiver.url}/slow", method="GET"))
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook", document=slow, timeout_seconds=0.3)
        wait_for_status(run_id, "delivered")
    (event,) = [call.json() for call in receiver.calls if call.path == "/hook"]
    assert (event["type"], event["status"], event["error"]["code"]) == ("segment.failed", "timed_out", "RUN_TIMED_OUT")


def test_a_replay_from_an_activation_tells_of_its_copied_start(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/*", OK)
    two = segment(step("one", "transform", expression="input"), step("two", "transform", expression="input"))
    callback = CallbackSpec(Address(f"{receiver.url}/again"), ["segment.started", "segment.completed"], RUNS_URL)
    with running_host():
        first = start_with_callback(acme, f"{receiver.url}/first", document=two)
        wait_until_over(first)
        again = replay_run(tenant=acme, actor="key:1", run_id=first, from_activation="two#1", callback=callback).run
        wait_for_status(again.id, "delivered", "delivered")
    told = [call.json() for call in receiver.calls if call.path == "/again"]
    assert [event["type"] for event in told] == ["segment.started", "segment.completed"]
    assert {event["run_id"] for event in told} == {str(again.id)}


@pytest.mark.parametrize("target", ODD_TARGETS)
def test_the_address_is_used_letter_by_letter(acme: Tenant, receiver: CountingServer, target: str) -> None:
    receiver.route("POST", "/*", OK)
    with running_host():
        run_id = start_with_callback(acme, receiver.url + target)
        wait_for_status(run_id, "delivered")
    assert [call.target for call in receiver.calls] == [target]


def test_an_output_too_large_is_left_for_the_caller_to_fetch(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", OK)
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook", input={"text": "x" * 30_000})
        wait_for_status(run_id, "delivered")
    (call,) = receiver.calls
    assert len(call.body) < 20_000
    assert call.json()["output_url"] == f"{RUNS_URL}/{run_id}"
    assert "output" not in call.json()


def test_the_signature_is_verified_by_the_standard_s_own_package(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", OK)
    secret = new_secret(acme)
    with running_host():
        run_id = start_with_callback(acme, f"{receiver.url}/hook")
        wait_for_status(run_id, "delivered")
    (call,) = receiver.calls
    assert Webhook(secret).verify(call.body, call.headers)["run_id"] == str(run_id)
    assert call.headers["webhook-id"] == delivery_of(run_id).webhook_id
    tampered = call.body.replace(b'"completed"', b'"cancelled"')
    assert json.loads(tampered)["status"] == "cancelled"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(tampered, call.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret(acme)).verify(call.body, call.headers)


def test_after_a_rotation_both_secrets_sign_for_a_day(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", OK)
    oldest, old, new = new_secret(acme), new_secret(acme), new_secret(acme)
    with running_host():
        wait_for_status(start_with_callback(acme, f"{receiver.url}/hook"), "delivered")
        with unscoped("a test sets the clock back"):
            CallbackSecret.objects.update(created_at=utc_now() - BOTH_SIGN_FOR - timedelta(seconds=1))
        wait_for_status(start_with_callback(acme, f"{receiver.url}/hook"), "delivered")
    on_the_day, later = receiver.calls
    for call, secrets, strangers in [(on_the_day, [old, new], [oldest]), (later, [new], [old, oldest])]:
        for secret in secrets:
            Webhook(secret).verify(call.body, call.headers)
        for secret in strangers:
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(call.body, call.headers)


def test_a_tenant_that_never_made_a_secret_is_signed_for_all_the_same(acme: Tenant, receiver: CountingServer) -> None:
    receiver.route("POST", "/hook", OK)
    with running_host():
        wait_for_status(start_with_callback(acme, f"{receiver.url}/hook"), "delivered")
    (call,) = receiver.calls
    assert call.headers["webhook-signature"].startswith("v1,")
