"""What Prometheus is shown of a web process, and who is."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import resolve
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from foundation.scope import unscoped
from llmteam import metrics
from runs.engine.store.connection import connect
from runs.models import Run, RunStatus
from tenants.lifecycle.retention import sweep_retention
from tenants.models import Tenant
from tests.conftest import Customer
from tests.support.best_tries import least_of
from tests.support.cost import under_a_tracer
from tests.support.definitions import steps_in_a_row
from tests.support.engine import queue_runs
from tests.support.server import ServerProcess

Api = Callable[[Customer], APIClient]
TOKEN = "a token of the scraper"


@pytest.fixture(autouse=True)
def production(settings: Any) -> None:
    settings.DEVELOPMENT = settings.DEBUG = False
    settings.METRICS_TOKEN = TOKEN
    settings.SECURE_SSL_REDIRECT = False


def scrape(**headers: str) -> Any:
    return Client().get("/metrics", headers=headers)


def read(**headers: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = scrape(authorization=f"Bearer {TOKEN}", **headers)
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.mark.django_db
def test_who_has_the_token_may_read() -> None:
    answer = scrape(authorization=f"Bearer {TOKEN}")
    assert (answer.status_code, answer["Content-Type"].partition(";")[0]) == (200, "text/plain")
    for given in ("", "Bearer", f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}", "Bearer \xff"):
        assert scrape(authorization=given).status_code == 401
    assert scrape().headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_without_a_token_there_is_such_a_page_on_a_developers_machine_only(settings: Any) -> None:
    settings.METRICS_TOKEN = ""
    settings.DEVELOPMENT = True
    assert scrape().status_code == 200
    assert Client(REMOTE_ADDR="192.0.2.7").get("/metrics").status_code == 404
    settings.DEVELOPMENT = False
    assert scrape().status_code == 404
    assert scrape(authorization="Bearer ").status_code == 404


@pytest.mark.django_db
def test_requests_are_counted_by_route_and_never_by_path(acme: Customer, api: Api) -> None:
    route = resolve("/api/v1/segments/x").route
    found = "llmteam_http_requests_total", frozenset({("method", "GET"), ("route", route), ("status", "404")})
    took = "llmteam_http_request_seconds_count", frozenset({("route", route)})
    before = read()
    for name in ("canary-1", "canary-2"):
        assert api(acme).get(f"/api/v1/segments/{name}").status_code == 404
    after = read()
    assert after[found] - before.get(found, 0) == 2
    assert after[took] - before.get(took, 0) == 2
    assert "canary" not in str(after)


@pytest.mark.django_db
def test_what_callers_make_up_does_not_fill_the_memory(acme: Customer) -> None:
    Client().get("/metrics")
    for number in range(50):
        Client().generic(f"METHOD{number}", f"/nothing/{number}")
    labels = {
        (sample.labels["method"], sample.labels["route"])
        for family in REGISTRY.collect()
        if family.name == "llmteam_http_requests"
        for sample in family.samples
    }
    assert not [method for method, _ in labels if method.startswith("METHOD")]
    assert ("other", "none") in labels
    assert not [key for key in metrics._SEEN if key[0].startswith("METHOD")]


@pytest.mark.django_db(transaction=True)
def test_the_queue_is_read_when_it_is_asked_for(acme: Customer) -> None:
    assert read()["llmteam_runs", frozenset({("state", "queued")})] == 0
    tenant: Tenant = acme.tenant
    queue_runs(tenant, steps_in_a_row("input"), 3)
    # One that is paused and will wake by itself is not queued.
    (paused,) = queue_runs(tenant, steps_in_a_row("input"), 1)
    with unscoped("rows for a test"):
        Run.objects.filter(id=paused).update(status=RunStatus.PAUSED)
    time.sleep(0.1)
    found = read()
    assert [found["llmteam_runs", frozenset({("state", state)})] for state in ("queued", "waiting", "running")] == [
        3,
        0,
        0,
    ]
    assert 0.1 <= found["llmteam_queue_age_seconds", frozenset()] < 60
    assert found["llmteam_database_answers", frozenset()] == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_slow_costs_the_scrape_a_moment_and_the_rest_is_shown(acme: Customer) -> None:
    began = time.monotonic()
    with connect("test") as other, other.transaction():
        other.execute("lock table runs_run in access exclusive mode")
        found = read()
    # Without a bound it would wait for the lock for ever.
    assert 0.4 < time.monotonic() - began < 10
    assert found["llmteam_database_answers", frozenset()] == 0
    assert not [name for name, _ in found if name == "llmteam_runs"]
    assert [name for name, _ in found if name == "llmteam_http_requests_total"]
    assert read()["llmteam_database_answers", frozenset()] == 1


def test_a_request_costs_twenty_microseconds_to_count() -> None:
    response = HttpResponse()
    counted: Any = metrics.count_requests(lambda _request: response)
    bare: Any = lambda _request: response  # noqa: E731 - what is compared
    request = HttpRequest()
    request.method = "POST"
    request.resolver_match = resolve("/api/v1/me")

    def seconds(answer: Any) -> float:
        began = time.thread_time()
        for _ in range(5_000):
            answer(request)
        return (time.thread_time() - began) / 5_000

    least_of(lambda: seconds(counted) - seconds(bare), below=under_a_tracer(20e-6))


@pytest.mark.django_db(transaction=True)
def test_a_real_server_shows_what_it_answered(server: ServerProcess, acme: Customer) -> None:
    with server.caller(acme.key) as caller:
        assert caller.get("/api/v1/me").status_code == 200
        page = caller.get("/metrics")
    assert page.status_code == 200
    route = re.escape(resolve("/api/v1/me").route)
    assert re.search(rf'llmteam_http_requests_total{{method="GET",route="{route}",status="200"}} [1-9]', page.text)
    assert 'llmteam_runs{state="queued"} 0.0' in page.text
    assert 'llmteam_human_tasks{state="overdue"} 0.0' in page.text
    assert "python_gc_objects_collected_total" in page.text


@pytest.mark.django_db
def test_what_is_kept_is_told_by_kind_with_its_age(acme: Customer) -> None:
    assert ("llmteam_retained_rows", frozenset({("kind", "tenants")})) not in read()
    sweep_retention()
    told = read()
    assert told["llmteam_retained_rows", frozenset({("kind", "tenants")})] == 1
    assert 0 <= told["llmteam_retained_oldest_seconds", frozenset({("kind", "tenants")})] < 600
    assert ("llmteam_retained_oldest_seconds", frozenset({("kind", "runs")})) not in told, "there is none"
