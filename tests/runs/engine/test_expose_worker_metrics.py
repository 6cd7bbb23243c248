"""A worker's own counts, at the address it was given."""

import socket
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from devserver.processes import free_port
from llmteam import environment
from runs.engine.host.metrics_server import MetricsServer
from tenants.models import Tenant
from tests.support.engine import queue_run, wait_until_over
from tests.support.segments import segment, step
from tests.support.server import NO_TLS
from tests.support.worker import running_worker

TOKEN = "a token of the scraper"


def get(port: int, path: str = "/metrics", **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False, verify=NO_TLS)


def test_a_worker_shows_what_it_did(acme: Tenant) -> None:
    port = free_port()
    with running_worker(WORKER_METRICS_ADDRESS=f"127.0.0.1:{port}"):
        wait_until_over(queue_run(acme, segment(step("one"))))
        page = get(port)
    assert page.status_code == 200
    assert 'llmteam_step_attempts_total{outcome="completed",step_type="probe"} 1.0' in page.text
    assert "llmteam_runs_owned 0.0" in page.text


def test_a_token_counts_there_too(settings: Any) -> None:
    settings.WORKER_METRICS_ADDRESS = "127.0.0.1", free_port()
    port = settings.WORKER_METRICS_ADDRESS[1]
    exposition = MetricsServer()
    exposition.start()
    try:
        assert get(port).status_code == 200
        settings.METRICS_TOKEN = TOKEN
        assert get(port).status_code == 401
        assert get(port, Authorization=f"Bearer {TOKEN}").status_code == 200
        assert get(port, "/", Authorization=f"Bearer {TOKEN}").status_code == 404
    finally:
        exposition.stop()
    with pytest.raises(httpx.ConnectError):
        get(port)


def test_nothing_is_served_unless_it_was_asked_for(settings: Any) -> None:
    assert settings.WORKER_METRICS_ADDRESS is None
    exposition = MetricsServer()
    exposition.start()
    exposition.stop()


def test_an_address_that_is_taken_costs_the_metrics_only(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.WORKER_METRICS_ADDRESS = taken.getsockname()
        exposition = MetricsServer()
        exposition.start()
        exposition.stop()
    assert "no metrics" in caplog.text


@pytest.mark.parametrize(
    ("written", "read"), [("", None), ("127.0.0.1:9100", ("127.0.0.1", 9100)), ("[::1]:9100", ("::1", 9100))]
)
def test_an_address_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, written: str, read: Any) -> None:
    monkeypatch.setenv("WORKER_METRICS_ADDRESS", written)
    assert environment.address("WORKER_METRICS_ADDRESS") == read


@pytest.mark.parametrize("written", ["9100", ":9100", "host:", "host:0", "host:70000", "host:x", "host"])
def test_what_is_no_address_stops_the_start(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("WORKER_METRICS_ADDRESS", written)
    with pytest.raises(ImproperlyConfigured, match="write host:port"):
        environment.address("WORKER_METRICS_ADDRESS")
