"""Waiting for a run's end, through a real server and a real worker."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from runs.models import Run, RunStatus
from tenants.context import unscoped
from tests.conftest import Customer
from tests.support.definitions import steps_in_a_row
from tests.support.server import ServerProcess
from tests.support.worker import running_worker

BODY = {"segment": steps_in_a_row("input + 1", "input * 2"), "input": 20}
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_over_within_the_wait_is_a_200_with_its_output(acme: Customer, server: ServerProcess) -> None:
    with running_worker(), server.caller(acme.key) as caller:
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
            began = time.monotonic()
            assert caller.get("/api/v1/me").status_code == 200
            assert time.monotonic() - began < 1
            assert not any(answer.done() for answer in answers), "they wait"
            assert psutil.Process(server.pid).num_threads() < 25
            with running_worker():
                assert {answer.result().json()["output"] for answer in answers} == {42}
            assert {answer.result().status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("status", "patience"), [(RunStatus.PAUSED, 0), (RunStatus.STALLED, 0), (RunStatus.WAITING, 1)]
)
def test_a_run_that_only_a_person_moves_on_is_answered_at_once_and_a_parked_retry_waited_for(
    acme: Customer, server: ServerProcess, status: RunStatus, patience: int
) -> None:
    with server.caller(acme.key) as caller:
        run_id = caller.post("/api/v1/runs", json=BODY).json()["run_id"]
        with unscoped("tests look everywhere"):
            Run.objects.filter(id=run_id).update(status=status)
        began = time.monotonic()
        answer = caller.get(f"/api/v1/runs/{run_id}?wait=1")
        assert (answer.status_code, answer.json()["status"]) == (202, status)
        assert int(time.monotonic() - began) == patience
