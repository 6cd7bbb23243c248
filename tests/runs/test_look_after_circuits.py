"""Circuits that are open are listed with why and until when, and closed by hand, each by who may."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from tests.conftest import Customer
from tests.support.http_server import Answer, CountingServer

Api = Callable[[Customer], APIClient]


@pytest.fixture
def server(settings: Any) -> Iterator[CountingServer]:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]
    with CountingServer() as running:
        running.route("GET", "/", Answer(503))
        yield running


def open_circuit(client: APIClient, server: CountingServer) -> str:
    """Open one by ten failures; gives its host."""
    assert client.get("/api/v1/circuits").json() == {"data": []}
    client.put("/api/v1/connections/crm", {"kind": "http", "base_url": f"{server.url}/"})
    for _ in range(10):
        client.post("/api/v1/connections/crm/test")
    return server.url.removeprefix("http://")


def test_one_is_listed_with_why_and_until_when_and_closed(
    acme: Customer, globex: Customer, api: Api, server: CountingServer
) -> None:
    client = api(acme)
    host = open_circuit(client, server)
    (found,) = client.get("/api/v1/circuits").json()["data"]
    assert (found["host"], found["connection"], found["last_failure"], found["trips"]) == (
        host, "crm", "HTTP_STATUS 503", 1
    )  # fmt: skip
    assert found["opened_at"] < found["next_probe"]
    assert "model" not in found
    assert client.post("/api/v1/connections/crm/test").json()["code"] == "CIRCUIT_OPEN"

    assert api(globex).get("/api/v1/circuits").json() == {"data": []}
    reset = f"/api/v1/circuits/{found['circuit_id']}/reset"
    assert api(globex).post(reset).status_code == 404
    assert client.post(reset).status_code == 204
    assert client.get("/api/v1/circuits").json() == {"data": []}
    assert client.post(reset).json()["code"] == "CIRCUIT_NOT_FOUND"
    server.route("GET", "/", Answer(200))
    assert client.post("/api/v1/connections/crm/test").json()["ok"]
    with unscoped("tests look everywhere"):
        entry = Entry.objects.get(action="circuit.reset")
    assert (entry.object_id, entry.before["host"]) == (found["circuit_id"], host)


def test_the_console_shows_those_of_all_tenants_and_closes_one(
    acme: Customer, api: Api, server: CountingServer, admin_client: Client
) -> None:
    host = open_circuit(api(acme), server)
    (found,) = api(acme).get("/api/v1/circuits").json()["data"]
    page = "/admin/tenants/connection/circuits/"
    assert page in admin_client.get("/admin/tenants/connection/").content.decode()
    shown = admin_client.get(page).content.decode()
    assert all(word in shown for word in (host, acme.tenant.slug, "HTTP_STATUS 503"))
    told = {"tenant": acme.tenant.slug, "circuit": found["circuit_id"]}
    assert "calls are made again" in admin_client.post(page, told, follow=True).content.decode()
    assert api(acme).get("/api/v1/circuits").json() == {"data": []}
    assert "no such open circuit" in admin_client.post(page, told, follow=True).content.decode()


def test_without_redis_nobody_pretends_that_none_is_open(acme: Customer, api: Api, settings: Any) -> None:
    assert api(acme).get("/api/v1/circuits").status_code == 200
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = api(acme).get("/api/v1/circuits")
    assert (answer.status_code, answer.json()["code"]) == (503, "CIRCUITS_UNKNOWN")
