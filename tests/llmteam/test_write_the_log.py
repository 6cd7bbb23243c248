"""In production each line of each process is JSON, names what it belongs to, and holds no query and no secret."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from devserver.folders import CHECKOUT
from tests.conftest import Customer
from tests.support.engine import wait_for, wait_until_over
from tests.support.http_server import Answer, CountingServer
from tests.support.raw_http import ask
from tests.support.segments import segment, step
from tests.support.server import running_server
from tests.support.worker import running_worker

CANARY = "canary-5d1f0c"
PRODUCTION = {
    "LLMTEAM_DEVELOPMENT": "0",
    "SECRET_KEY": "production" * 6,
    "SECRET_KEYS": "1:" + base64.b64encode(bytes(range(32))).decode(),
    "AUDIT_SIGNING_KEY": base64.b64encode(bytes(range(32))).decode(),
    "HTTPS": "0",
}


def lines_of(log: str) -> list[dict[str, Any]]:
    """Each line read; fails at the first that is not JSON."""
    return [json.loads(line) for line in log.splitlines()]


def messages(lines: list[dict[str, Any]]) -> str:
    return "\n".join(line["message"] for line in lines)


@pytest.mark.django_db(transaction=True)
def test_web_and_worker_write_lines_that_name_request_tenant_and_run(acme: Customer) -> None:
    json_lines = {"LOG_FORMAT": "json"}
    with CountingServer() as world, running_server(**json_lines) as web, running_worker(**json_lines) as worker:
        world.route("POST", "/x", Answer(body={"n": 1}))
        call = step("call", "http_action", url=f"{world.url}/x?token={CANARY}")
        with web.caller(acme.key) as caller:
            answer = caller.post(f"/api/v1/runs?wait=10&{CANARY}=1", json={"segment": segment(call), "input": {}})
            assert answer.status_code == 422, "a parameter nobody knows is refused"
            answer = caller.post("/api/v1/runs?wait=10", json={"segment": segment(call), "input": {}})
            run_id = answer.json()["run_id"]
            seen = caller.get(f"/api/v1/runs/{run_id}", headers={"X-Note": CANARY})
        assert ask(web.port, f"GET /nowhere/{CANARY}?key={CANARY} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        wait_until_over(UUID(run_id))
        web.stop()
        worker.stop()
        log, worker_log = web.log, worker.log
    requests = [line for line in lines_of(log) if line["logger"] == "llmteam.requests"]
    line = next(line for line in requests if line["request_id"] == seen.headers["X-Request-Id"])
    assert (line["tenant"], line["run"], line["status"]) == (str(acme.tenant.id), run_id, 200)
    assert line["route"] == "api/v1/runs/<str:run_id>"
    assert line["duration_ms"] >= 0
    attempt = next(line for line in lines_of(worker_log) if line["logger"] == "llmteam.attempts")
    assert (attempt["run"], attempt["tenant"], attempt["step"]) == (run_id, str(acme.tenant.id), "call")
    for text in (log, worker_log):
        assert CANARY not in text
        assert acme.key not in text
    for said in ("web process starts", "web process is ready at", "web process has stopped"):
        assert said in messages(lines_of(log))
    for said in ("worker worker-1@test starts", "is ready, as host", "releases its own", "has stopped"):
        assert said in messages(lines_of(worker_log))


@pytest.mark.django_db(transaction=True)
def test_the_scheduler_says_that_it_is_ready_and_has_stopped(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "celery", "--quiet", "-A", "llmteam", "beat", "--schedule", str(tmp_path / "times")]
    environment = {**os.environ, **PRODUCTION, "PYTHONPATH": f"{CHECKOUT}/platform:{CHECKOUT}"}
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*argv, "--pidfile=", "--loglevel", "INFO"], cwd=CHECKOUT, env=environment, stdout=out, stderr=out
        )
    try:
        wait_for(lambda: "scheduler is ready" in log.read_text(), seconds=30)
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
    assert "scheduler has stopped" in messages(lines_of(log.read_text()))


@pytest.mark.django_db(transaction=True)
def test_in_development_lines_are_for_people() -> None:
    with running_server() as web:
        time.sleep(0.1)
        web.stop()
        assert " INFO llmteam.web.server web process starts" in web.log
