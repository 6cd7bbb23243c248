"""Starting of runs, as callers see it; nothing executes them here."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from kernel.clock import utc_now
from runs.models import IdempotencyKey, Run, RunStatus
from tenants.lifecycle.retention import sweep_retention
from tests.conftest import Customer
from tests.support.audit_entries import source_address_of
from tests.support.definitions import steps_in_a_row

Api = Callable[[Customer], APIClient]
SEGMENT = steps_in_a_row("input.n + 1", "input * 2", segment_id="numbers")


@pytest.fixture
def saved(acme: Customer, api: Api) -> APIClient:
    client = api(acme)
    answer = client.put("/api/v1/segments/numbers", SEGMENT)
    assert answer.status_code == 201, answer.content
    return client


def all_runs() -> list[Run]:
    with unscoped("tests look at everything"):
        return list(Run.objects.order_by("id"))


def test_answers_202_with_the_queued_run_and_where_to_look(saved: APIClient) -> None:
    answer = saved.post("/api/v1/segments/numbers/runs", {"input": {"n": 1}, "metadata": {"order": "A-1"}})
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert body["status"] == "queued"
    assert body["input"] == {"n": 1}
    assert body["revision"] == 1
    assert body["metadata"] == {"order": "A-1"}
    assert answer["Location"] == body["links"]["self"]
    assert answer["Retry-After"] == "1"
    shown = saved.get(answer["Location"]).json()
    assert [wait["kind"] for wait in shown["waiting_for"]] == ["slot"]
    assert {**shown, "waiting_for": []} == body


def test_a_definition_can_be_brought_along(acme: Customer, api: Api) -> None:
    client = api(acme)
    answer = client.post("/api/v1/runs", {"segment": SEGMENT, "input": {"n": 1}})
    assert answer.status_code == 202, answer.content
    assert answer.json()["revision"] is None
    assert client.get("/api/v1/segments").json()["data"] == []
    assert client.post("/api/v1/runs", {"segment": SEGMENT}).status_code == 202
    first, second = all_runs()
    assert first.revision_id == second.revision_id, "equal content is one revision"


def test_each_field_has_its_effect(saved: APIClient) -> None:
    saved.put("/api/v1/segments/numbers", {**SEGMENT, "name": "Second"})
    fields: dict[str, Any] = {
        "input": 5,
        "revision": 1,
        "client_reference": "order-7",
        "metadata": {"a": 1},
        "timeout_seconds": 12.5,
        "priority": -3,
    }
    body = saved.post("/api/v1/segments/numbers/runs", fields).json()
    assert {name: body[name] for name in fields} == fields
    (run,) = all_runs()
    assert (run.revision.number, run.timeout_seconds, run.priority) == (1, 12.5, -3)


def test_a_form_starts_too(saved: APIClient) -> None:
    answer = saved.generic(
        "POST",
        "/api/v1/segments/numbers/runs",
        "input=%7B%22n%22%3A+2%7D&client_reference=007&timeout_seconds=9",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert (body["input"], body["client_reference"], body["timeout_seconds"]) == ({"n": 2}, "007", 9)


@pytest.mark.parametrize(
    ("name", "value"),
    [("priority", "3"), ("revision", "1"), ("timeout_seconds", "9"), ("on_duplicate", "return_existing")],
)
def test_a_blank_field_of_a_form_is_told_to_be_blank(saved: APIClient, name: str, value: str) -> None:
    def start(fields: str) -> Any:
        form = "application/x-www-form-urlencoded"
        return saved.generic("POST", "/api/v1/segments/numbers/runs", fields, content_type=form)

    assert start(f"input=1&client_reference=a&{name}={value}").status_code == 202
    for blank in ("", "+"):
        refused = start(f"input=1&client_reference=b&{name}={blank}")
        assert refused.status_code == 422
        (found,) = refused.json()["errors"]
        assert (found["pointer"], found["detail"]) == (f"/{name}", "This is blank: leave it out, or send a value.")


def test_the_same_key_and_request_answer_with_the_first_run(saved: APIClient) -> None:
    first = saved.post("/api/v1/segments/numbers/runs", {"input": {"n": 1}}, headers={"Idempotency-Key": "k1"})
    again = saved.post("/api/v1/segments/numbers/runs", {"input": {"n": 1}}, headers={"Idempotency-Key": "k1"})
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert len(all_runs()) == 1


def test_a_replay_shows_the_run_as_it_is_now(saved: APIClient) -> None:
    saved.post("/api/v1/segments/numbers/runs", {"input": 1}, headers={"Idempotency-Key": "k1"})
    with unscoped("stands in for the engine"):
        Run.objects.update(status=RunStatus.COMPLETED, output=7, wake_at=None)
    again = saved.post("/api/v1/segments/numbers/runs", {"input": 1}, headers={"Idempotency-Key": "k1"})
    assert again.status_code == 200
    assert again.json()["output"] == 7


@pytest.mark.parametrize("other", [{"input": 2}, {"input": 1, "priority": 1}])
def test_the_same_key_for_another_request_is_refused(saved: APIClient, other: dict[str, Any]) -> None:
    saved.post("/api/v1/segments/numbers/runs", {"input": 1}, headers={"Idempotency-Key": "k1"})
    answer = saved.post("/api/v1/segments/numbers/runs", other, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(all_runs()) == 1


def test_a_refused_start_leaves_its_key_free(saved: APIClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    refused = saved.post("/api/v1/segments/numbers/runs", {"input": 1, "revision": 9}, headers=headers)
    assert refused.status_code == 404
    assert saved.post("/api/v1/segments/numbers/runs", {"input": 1}, headers=headers).status_code == 202


@pytest.mark.parametrize("key", ["", "a" * 256, "with space", "ümlaut"])
def test_a_key_that_is_none_is_refused(saved: APIClient, key: str) -> None:
    answer = saved.post("/api/v1/segments/numbers/runs", {}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_MALFORMED")


def test_keys_are_forgotten_after_a_day(saved: APIClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    saved.post("/api/v1/segments/numbers/runs", {}, headers=headers)
    sweep_retention()
    with unscoped("tests look at everything"):
        assert IdempotencyKey.objects.count() == 1
    with unscoped("a day goes by"):
        IdempotencyKey.objects.update(created_at=utc_now() - timedelta(hours=25))
    assert "Idempotent-Replayed" not in saved.post("/api/v1/segments/numbers/runs", {}, headers=headers)
    assert len(all_runs()) == 2
    with unscoped("a day goes by"):
        IdempotencyKey.objects.update(created_at=utc_now() - timedelta(hours=25))
    sweep_retention()
    with unscoped("tests look at everything"):
        assert not IdempotencyKey.objects.exists()


def test_a_blind_repeat_finds_the_run_of_its_reference(saved: APIClient) -> None:
    fields = {"client_reference": "order-7", "on_duplicate": "return_existing", "input": 1}
    first = saved.post("/api/v1/segments/numbers/runs", fields)
    again = saved.post("/api/v1/segments/numbers/runs", fields)
    assert again.json()["run_id"] == first.json()["run_id"]
    assert again["Idempotent-Replayed"] == "true"
    saved.post("/api/v1/segments/numbers/runs", {"client_reference": "order-7"})
    assert len(all_runs()) == 2, "without on_duplicate a reference may repeat"


def test_input_is_checked_against_the_schema_with_pointers(acme: Customer, api: Api) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}}
    client = api(acme)
    assert client.put("/api/v1/segments/numbers", {**SEGMENT, "input_schema": schema}).status_code == 201
    assert client.post("/api/v1/segments/numbers/runs", {"input": {"n": 1}}).status_code == 202
    for value, pointer, code in [
        ({"n": 0}, "/input/n", "INPUT_MINIMUM"),
        ({"n": "x"}, "/input/n", "INPUT_TYPE"),
        ({}, "/input", "INPUT_REQUIRED"),
        ([], "/input", "INPUT_TYPE"),
    ]:
        answer = client.post("/api/v1/segments/numbers/runs", {"input": value})
        assert (answer.status_code, answer.json()["code"]) == (422, "INPUT_INVALID")
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]
    assert len(all_runs()) == 1


def test_an_inline_definition_with_errors_tells_all_of_them(acme: Customer, api: Api) -> None:
    broken = {**SEGMENT, "edges": [{"from": "step_1", "to": "nowhere"}], "entrypoint": "missing"}
    answer = api(acme).post("/api/v1/runs", {"segment": broken})
    assert (answer.status_code, answer.json()["code"]) == (422, "SEGMENT_INVALID")
    codes = {error["code"]: error["pointer"] for error in answer.json()["errors"]}
    assert codes["INVALID_REFERENCE"] == "/segment/edges/0/to"
    assert codes["INVALID_ENTRYPOINT"] == "/segment/entrypoint"
    assert all_runs() == []


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"inputs": 1}, "UNKNOWN_FIELD", "/inputs"),
        ({"priority": 11}, "MAX_VALUE", "/priority"),
        ({"timeout_seconds": 0}, "MIN_VALUE", "/timeout_seconds"),
        ({"timeout_seconds": True}, "INVALID", "/timeout_seconds"),
        ({"timeout_seconds": "nan"}, "INVALID", "/timeout_seconds"),
        ({"revision": 0}, "MIN_VALUE", "/revision"),
        ({"metadata": []}, "INVALID", "/metadata"),
        ({"metadata": {"a": "x" * 20_000}}, "VALUE_TOO_LARGE", "/metadata"),
        ({"client_reference": "x" * 256}, "MAX_LENGTH", "/client_reference"),
        ({"on_duplicate": "return_existing"}, "NEEDS_CLIENT_REFERENCE", "/on_duplicate"),
        ({"on_duplicate": "ignore", "client_reference": "a"}, "INVALID_CHOICE", "/on_duplicate"),
    ],
)
def test_refuses_a_field_and_says_which(saved: APIClient, fields: dict[str, Any], code: str, pointer: str) -> None:
    answer = saved.post("/api/v1/segments/numbers/runs", fields)
    assert answer.status_code == 422, answer.content
    assert [(error["code"], error["pointer"]) for error in answer.json()["errors"]] == [(code, pointer)]
    assert all_runs() == []


@pytest.mark.parametrize("wait", ["-1", "x", "nan", "inf"])
def test_a_wait_that_is_no_time_is_refused(saved: APIClient, wait: str) -> None:
    assert saved.post("/api/v1/segments/numbers/runs?wait=0", {}).status_code == 202
    answer = saved.post(f"/api/v1/segments/numbers/runs?wait={wait}", {})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/wait")
    assert len(all_runs()) == 1


def test_an_archived_segment_does_not_start(saved: APIClient) -> None:
    assert saved.delete("/api/v1/segments/numbers").status_code == 204
    answer = saved.post("/api/v1/segments/numbers/runs", {})
    assert (answer.status_code, answer.json()["state"]) == (409, "archived")


def test_another_tenant_starts_nothing_here(saved: APIClient, globex: Customer, api: Api) -> None:
    answer = api(globex).post("/api/v1/segments/numbers/runs", {})
    assert (answer.status_code, answer.json()["code"]) == (404, "SEGMENT_NOT_FOUND")
    assert all_runs() == []


def test_the_audit_tells_of_the_start(saved: APIClient) -> None:
    answer = saved.post("/api/v1/segments/numbers/runs", {})
    with unscoped("tests look at everything"):
        entry = Entry.objects.get(action="run.started")
    assert UUID(entry.object_id) == UUID(answer.json()["run_id"])
    assert entry.request_id == answer["X-Request-Id"]
    assert source_address_of(entry) == "127.0.0.1"
