"""Waiting for a run's end, through a real server and a real worker."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx
import psutil
import pytest
import redis
from django.conf import settings

from foundation.scope import unscoped
from runs.bus.advances import CHANNEL, Advance, write_advance
from runs.failures import failed_run_problem
from runs.models import Run, RunStatus
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.best_tries import quick_once
from tests.support.definitions import steps_in_a_row
from tests.support.engine import wait_for
from tests.support.host import running_host
from tests.support.server import ServerProcess, running_server
from tests.support.valkeys import own_valkey

BODY = {"segment": steps_in_a_row("input + 1", "input * 2"), "input": 20}
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_over_within_the_wait_is_a_200_with_its_output(acme: Customer, server: ServerProcess) -> None:
    with running_host(), server.caller(acme.key) as caller:
        answer = caller.post("/api/v1/runs?wait=20", json=BODY)
        assert (answer.status_code, answer.json()["status"]) == (200, "completed"), answer.text
        assert answer.json()["output"] == 42
        assert "Retry-After" not in answer.headers
        preferred = caller.post("/api/v1/runs", json=BODY, headers={"Prefer": "respond-async, wait=20"})
        assert (preferred.status_code, preferred.json()["output"]) == (200, 42)

        steps = caller.get(answer.json()["links"]["steps"]).json()["data"]
        assert [(step["step_id"], step["status"], step["attempts"]) for step in steps] == [
            ("step_1", "completed", 1),
            ("step_2", "completed", 1),
        ]
        assert [list(step["inputs"].values()) for step in steps] == [[20], [21]]
        assert [list(step["output"].values()) for step in steps] == [[21], [42]]
        assert all(step["duration_ms"] >= 0 for step in steps)

        events = caller.get(answer.json()["links"]["events"]).json()["data"]
        assert [event["event_type"] for event in events] == [
            "segment.started",
            "step.started",
            "step.completed",
            "data.produced",
            "step.started",
            "step.completed",
            "data.produced",
            "segment.completed",
        ]
        assert [event["seq"] for event in events] == [1, 2, 3, 3, 4, 5, 5, 6]
        assert len({event["event_id"] for event in events}) == len(events)

        first = caller.get(answer.json()["links"]["steps"], params={"limit": 1}).json()
        second = caller.get(first["next_url"]).json()
        assert [step["step_id"] for step in first["data"] + second["data"]] == ["step_1", "step_2"]
        assert second["next_url"] is None


def test_without_a_worker_the_wait_ends_with_a_202(acme: Customer, server: ServerProcess) -> None:
    with server.caller(acme.key) as caller:
        began = time.monotonic()
        answer = caller.post("/api/v1/runs?wait=1", json=BODY)
        assert 0.9 < time.monotonic() - began < 5
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert answer.headers["Retry-After"] == "1"
        read = caller.get(answer.headers["Location"])
        assert (read.status_code, read.json()["run_id"]) == (200, answer.json()["run_id"])
        assert caller.get(answer.headers["Location"], params={"wait": "0.2"}).status_code == 202


def test_late_news_of_a_pause_ends_no_wait_of_a_run_that_was_resumed(acme: Customer, server: ServerProcess) -> None:
    with server.caller(acme.key) as caller:
        run = caller.post("/api/v1/runs", json=BODY).json()
        late = write_advance([Advance(acme.tenant.id, UUID(run["run_id"]), 1, RunStatus.PAUSED)])
        with ThreadPoolExecutor(1) as pool, redis.Redis.from_url(settings.REDIS_URL) as valkey:
            answer = pool.submit(caller.get, run["links"]["self"], params={"wait": 2})
            heard = 0
            while not answer.done():
                heard += valkey.publish(CHANNEL, late)
                time.sleep(0.1)
        assert heard, "the server listens"
        assert (answer.result().status_code, answer.result().json()["status"]) == (202, "queued")
        assert answer.result().elapsed.total_seconds() >= 1.9


def test_a_wait_ends_with_what_was_known_once_its_tenant_is_inactive(acme: Customer, globex: Customer) -> None:
    with (
        own_valkey() as valkey,
        redis.Redis.from_url(valkey.url) as bus,
        running_server(REDIS_URL=valkey.url) as server,
        ThreadPoolExecutor(2) as threads,
        server.caller(acme.key) as own,
        server.caller(globex.key) as others,
    ):
        own_run, other_run = (each.post("/api/v1/runs", json=BODY).json()["links"]["self"] for each in (own, others))
        own_wait = threads.submit(own.get, own_run, params={"wait": 50})
        wait_for(lambda: bus.pubsub_numsub(CHANNEL)[0][1] == 1)
        Tenant.objects.filter(id=acme.tenant.id).update(is_active=False)
        with unscoped("the test is the host"):
            Run.objects.filter(tenant=acme.tenant).update(output="news")
        other_wait = threads.submit(others.get, other_run, params={"wait": 50})
        answer = own_wait.result(60)
        assert (answer.status_code, answer.json()["status"], answer.json()["output"]) == (202, "queued", None)
        assert answer.elapsed.total_seconds() < 40, "it does not last the whole wait"
        assert own.get(own_run).status_code == 401
        assert not other_wait.done(), "whose tenant is active waits on"
        with unscoped("the test is the host"):
            Run.objects.filter(tenant=globex.tenant).update(status=RunStatus.STALLED)
        assert other_wait.result(60).json()["status"] == "stalled"


def test_many_who_wait_hold_no_thread_and_all_hear_of_the_end(acme: Customer, server: ServerProcess) -> None:
    waiters = 40
    with server.caller(acme.key) as caller:
        run = caller.post("/api/v1/runs", json=BODY).json()

        def wait(_: int) -> httpx.Response:
            with server.caller(acme.key) as own:
                return own.get(run["links"]["self"], params={"wait": 30})

        with ThreadPoolExecutor(waiters) as pool:
            answers = [pool.submit(wait, number) for number in range(waiters)]
            time.sleep(3)
            quick_once(lambda: caller.get("/api/v1/me").raise_for_status(), seconds=1)
            assert not any(answer.done() for answer in answers), "they wait"
            assert psutil.Process(server.pid).num_threads() < 25
            with running_host():
                assert {answer.result().json()["output"] for answer in answers} == {42}
            assert {answer.result().status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("status", "patience"), [(RunStatus.PAUSED, 20), (RunStatus.STALLED, 20), (RunStatus.WAITING, 1)]
)
def test_a_run_that_only_a_person_moves_on_is_answered_at_once_and_a_parked_retry_waited_for(
    acme: Customer, server: ServerProcess, status: RunStatus, patience: int
) -> None:
    with server.caller(acme.key) as caller:
        run_id = caller.post("/api/v1/runs", json=BODY).json()["run_id"]
        with unscoped("tests look everywhere"):
            Run.objects.filter(id=run_id).update(status=status)
        began = time.monotonic()
        answer = caller.get(f"/api/v1/runs/{run_id}?wait={patience}")
        assert (answer.status_code, answer.json()["status"]) == (202, status)
        assert (time.monotonic() - began >= patience) is (status == RunStatus.WAITING)


ASKS = {
    "segment_id": "asks",
    "entrypoint": "ask",
    "steps": [{"step_id": "ask", "type": "human_task", "config": {"task_type": "approval", "title": "May it?"}}],
    "edges": [],
}
DIVIDES = {"segment": steps_in_a_row("input / 0"), "input": 1}


def test_who_waits_is_answered_when_a_person_is_asked(acme: Customer, server: ServerProcess) -> None:
    with running_host(), server.caller(acme.key) as caller:
        began = time.monotonic()
        answer = caller.post("/api/v1/runs?wait=50", json={"segment": ASKS})
        assert (answer.status_code, answer.json()["status"]) == (202, "waiting"), answer.text
        assert time.monotonic() - began < 40
        began = time.monotonic()
        still = caller.get(answer.headers["Location"], params={"wait": 1, "until": "over"})
        assert (still.status_code, still.json()["status"]) == (202, "waiting")
        assert time.monotonic() - began >= 1
        at_once = caller.get(answer.headers["Location"], params={"wait": 50, "until": "parked"})
        assert at_once.json()["waiting_for"][0]["kind"] == "human"


def test_a_run_that_did_not_complete_is_a_problem_where_the_caller_asks_for_it(
    acme: Customer, server: ServerProcess
) -> None:
    with running_host(), server.caller(acme.key) as caller:
        as_usual = caller.post("/api/v1/runs?wait=20", json=DIVIDES)
        assert (as_usual.status_code, as_usual.json()["status"]) == (200, "failed")
        answer = caller.post("/api/v1/runs?wait=20&on_failure=error", json=DIVIDES)
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
        problem = answer.json()
        assert problem["code"] == as_usual.json()["error"]["code"] == problem["run"]["error"]["code"]
        assert problem["detail"] == as_usual.json()["error"]["message"]
        assert caller.get(problem["run"]["links"]["self"]).status_code == 200
        assert caller.get(problem["run"]["links"]["self"] + "?on_failure=error").status_code == 422
        assert caller.post("/api/v1/runs?wait=20&on_failure=error", json=BODY).status_code == 200


@pytest.mark.parametrize(
    ("status", "error", "answered"),
    [
        (RunStatus.CANCELLED, None, 409),
        (RunStatus.TIMED_OUT, {"code": "RUN_TIMED_OUT"}, 504),
        (RunStatus.FAILED, {"code": "HTTP_STATUS"}, 502),
        (RunStatus.FAILED, {"code": "CONNECTION_FAILED"}, 502),
        (RunStatus.FAILED, {"code": "CONNECTION_UNKNOWN"}, 422),
        (RunStatus.FAILED, {"code": "CONNECTION_UNUSABLE"}, 422),
        (RunStatus.FAILED, {"code": "LLM_RATE_LIMITED"}, 502),
        (RunStatus.FAILED, {"code": "CIRCUIT_OPEN"}, 503),
        (RunStatus.FAILED, {"code": "BUDGET_EXCEEDED"}, 402),
        (RunStatus.FAILED, {"code": "STEP_CRASHED"}, 500),
        (RunStatus.FAILED, {"code": "ORDER_REFUSED"}, 422),
        (RunStatus.FAILED, {"code": "BRANCH_FAILED", "details": {"causes": [{"code": "HTTP_STATUS"}]}}, 502),
    ],
)
def test_the_status_says_whose_fault_it_is(status: RunStatus, error: dict[str, Any] | None, answered: int) -> None:
    assert failed_run_problem(Run(status=status, error=error), {})["status"] == answered
