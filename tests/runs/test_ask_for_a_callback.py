"""Starts that ask for a callback, through the API: judged, kept sealed, told of without what is secret."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope, unscoped
from kernel.clock import utc_now
from runs.callbacks.sealing import open_address
from runs.models import Run, RunCallback
from tenants.callback_signing.secrets import signing_secrets
from tenants.models import CallbackSecret
from tenants.sealing import key_ring
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
URL = "https://Hooks.Example.com/resume/4711?signature=a%2Fb~c&x="
CALLBACK = {"url": URL, "headers": {"X-Key": "canary-0123"}}
ENDS = ["segment.completed", "segment.failed", "segment.cancelled"]


@pytest.fixture
def saved(acme: Customer, api: Api) -> APIClient:
    client = api(acme)
    assert client.put("/api/v1/segments/row", steps_in_a_row("input")).status_code == 201
    return client


def only_callback(run_id: str) -> RunCallback:
    with unscoped("tests look everywhere"):
        return RunCallback.objects.get(run_id=run_id)


def test_a_start_keeps_its_callback_letter_by_letter(saved: APIClient) -> None:
    answer = saved.post("/api/v1/segments/row/runs", {"callback": CALLBACK})
    assert answer.status_code == 202, answer.content
    assert answer.json()["callback"] == {"host": "hooks.example.com", "events": ENDS, "state": "waiting"}
    callback = only_callback(answer.json()["run_id"])
    address = open_address(callback)
    assert (address.url, address.headers) == (URL, [("X-Key", "canary-0123")])
    assert callback.runs_url == "http://testserver/api/v1/runs"
    assert answer.json()["links"]["deliveries"].endswith("/deliveries")


def test_an_inline_start_and_a_form_take_one_too(saved: APIClient) -> None:
    inline = saved.post("/api/v1/runs", {"segment": steps_in_a_row("input"), "callback": CALLBACK})
    form = saved.post(
        "/api/v1/segments/row/runs",
        urlencode({"callback": json.dumps({**CALLBACK, "events": ["segment.paused", "segment.paused"]})}),
        content_type="application/x-www-form-urlencoded",
    )
    assert (inline.status_code, form.status_code) == (202, 202), form.content
    assert inline.json()["callback"]["events"] == ENDS
    assert form.json()["callback"]["events"] == ["segment.paused"]
    assert open_address(only_callback(form.json()["run_id"])).url == URL


def test_a_run_without_one_says_so(saved: APIClient) -> None:
    assert saved.post("/api/v1/segments/row/runs", {}).json()["callback"] is None


def test_a_replay_has_only_the_callback_it_asks_for(saved: APIClient) -> None:
    run_id = saved.post("/api/v1/segments/row/runs", {"callback": CALLBACK}).json()["run_id"]
    plain = saved.post(f"/api/v1/runs/{run_id}/replay", {})
    asking = saved.post(f"/api/v1/runs/{run_id}/replay", {"callback": {"url": "https://other.example.com/"}})
    assert plain.json()["callback"] is None
    assert asking.json()["callback"]["host"] == "other.example.com"
    refused = saved.post(f"/api/v1/runs/{run_id}/replay", {"callback": {"url": "https://127.0.0.1/"}})
    assert refused.json()["code"] == "CALLBACK_REFUSED"


@pytest.mark.parametrize(
    ("callback", "code", "pointer"),
    [
        ({}, "REQUIRED", "/callback/url"),
        ({"url": URL, "secret": "x"}, "UNKNOWN_FIELD", "/callback/secret"),
        ({"url": URL, "events": ["step.completed"]}, "INVALID_CHOICE", "/callback/events/0"),
        ({"url": URL, "events": []}, "EMPTY", "/callback/events"),
        ({"url": URL, "headers": {"Host": "a"}}, "HEADER_REFUSED", "/callback/headers"),
        ({"url": URL, "headers": {"webhook-id": "a"}}, "HEADER_REFUSED", "/callback/headers"),
        ({"url": URL, "headers": {"X-A": "a\r\nb"}}, "HEADER_REFUSED", "/callback/headers"),
        ({"url": f" {URL}"}, "EGRESS_BLOCKED", "/callback/url"),
        ({"url": URL.replace("https", "http")}, "EGRESS_BLOCKED", "/callback/url"),
        ({"url": "https://169.254.169.254/latest"}, "EGRESS_BLOCKED", "/callback/url"),
        ({"url": "x" * 9_000}, "MAX_LENGTH", "/callback/url"),
        ("https://hooks.example.com", "INVALID", "/callback"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(
    saved: APIClient, callback: Any, code: str, pointer: str
) -> None:
    answer = saved.post("/api/v1/segments/row/runs", {"callback": callback})
    assert answer.status_code == 422, answer.content
    assert [(error["code"], error["pointer"]) for error in answer.json()["errors"]] == [(code, pointer)]
    with unscoped("tests look everywhere"):
        assert not Run.objects.exists()


def test_a_repeated_start_has_one_callback(saved: APIClient) -> None:
    answers = [
        saved.post("/api/v1/segments/row/runs", {"callback": CALLBACK}, headers={"Idempotency-Key": "once"})
        for _ in range(2)
    ]
    assert answers[0].json()["run_id"] == answers[1].json()["run_id"]
    assert answers[1].json()["callback"]["host"] == "hooks.example.com"
    other = {"callback": {**CALLBACK, "headers": {"X-Key": "another"}}}
    refused = saved.post("/api/v1/segments/row/runs", other, headers={"Idempotency-Key": "once"})
    assert refused.json()["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_the_first_callback_makes_a_secret_nobody_is_shown(acme: Customer, saved: APIClient) -> None:
    assert saved.get("/api/v1/callback-secret").json() == {"created_at": None, "previous_until": None}
    for _ in range(2):
        saved.post("/api/v1/segments/row/runs", {"callback": CALLBACK})
    with tenant_scope(acme.tenant.id):
        assert CallbackSecret.objects.count() == 1
        assert Entry.objects.filter(action="callback_secret.created").count() == 1
    told = saved.get("/api/v1/callback-secret").json()
    assert told["created_at"]
    assert told["previous_until"] is None


def test_a_secret_is_shown_when_it_is_made_and_never_again(acme: Customer, saved: APIClient) -> None:
    first = saved.post("/api/v1/callback-secret")
    assert first.status_code == 201
    assert first.json()["secret"].startswith("whsec_")
    second = saved.post("/api/v1/callback-secret").json()
    assert second["secret"] != first.json()["secret"]
    assert second["previous_until"]
    told = saved.get("/api/v1/callback-secret")
    assert told.json() == {name: second[name] for name in ("created_at", "previous_until")}
    with tenant_scope(acme.tenant.id):
        row = CallbackSecret.objects.get()
        entries = list(Entry.objects.filter(action="callback_secret.rotated"))
    kept = json.dumps([row.secret, row.secret_before, *[[entry.before, entry.after] for entry in entries]])
    assert len(entries) == 2
    assert second["secret"] not in kept
    assert first.json()["secret"] not in kept


def test_addresses_and_secrets_are_sealed_anew_with_a_new_key(acme: Customer, saved: APIClient, settings: Any) -> None:
    run_id = saved.post("/api/v1/segments/row/runs", {"callback": CALLBACK}).json()["run_id"]
    secret = saved.post("/api/v1/callback-secret").json()["secret"]
    old, new = settings.SECRET_KEYS, {"new": b"k" * 32}
    try:
        for keys, is_to_rotate in (({**new, **old}, True), (new, False)):
            settings.SECRET_KEYS = keys
            key_ring.cache_clear()
            if is_to_rotate:
                call_command("rotate_secrets", stdout=StringIO())
        assert open_address(only_callback(run_id)).url == URL
        with tenant_scope(acme.tenant.id):
            row = CallbackSecret.objects.get()
            assert secret in signing_secrets(row, made_at=row.created_at, now=utc_now())
    finally:
        settings.SECRET_KEYS = old
        key_ring.cache_clear()


def test_runs_are_listed_with_their_callbacks_in_one_look(saved: APIClient) -> None:
    for _ in range(3):
        saved.post("/api/v1/segments/row/runs", {"callback": CALLBACK})
        saved.post("/api/v1/segments/row/runs", {})
    with CaptureQueriesContext(connection) as asked:
        page = saved.get("/api/v1/runs").json()["data"]
    assert sum(run["callback"] is not None for run in page) == 3
    assert sum("runs_runcallback" in query["sql"] for query in asked.captured_queries) == 1
