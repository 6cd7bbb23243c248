"""A worker keeps no connections of tenants it has nothing to do for."""

from collections.abc import Iterator

import psutil
import pytest

from runs.engine import context
from runs.engine.delivery import sending
from tenants.models import Tenant
from tests.support.callbacks import start_with_callback, wait_for_status
from tests.support.engine import queue_run, wait_for, wait_until_over
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.segments import segment, step


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        running.route("POST", "/", Answer(200))
        yield running


def open_connections(server: CountingServer) -> int:
    port = int(server.url.rpartition(":")[2])
    return sum(
        found.status == "ESTABLISHED" and bool(found.raddr) and found.raddr.port == port
        for found in psutil.Process().net_connections()
    )


def test_what_a_tenant_has_called_is_let_go_when_its_runs_are_over(
    acme: Tenant, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = segment(step("call", "outsider", url=f"{server.url}/"))
    with running_host():
        wait_until_over(queue_run(acme, document))
        assert open_connections(server) == 1, "it is kept for the next call"
        monkeypatch.setattr(context, "IDLE_SECONDS", 0.1)
        wait_for(lambda: open_connections(server) == 0)
        assert wait_until_over(queue_run(acme, document)) == ["completed"]


def test_receivers_of_many_tenants_are_not_all_kept(
    acme: Tenant, globex: Tenant, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MAX_CLIENTS", 1)
    with running_host():
        for tenant in (acme, globex, acme):
            wait_for_status(start_with_callback(tenant, f"{server.url}/"), "delivered")
            assert open_connections(server) == 1
    assert server.count("/") == 3
