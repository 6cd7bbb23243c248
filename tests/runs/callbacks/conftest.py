from collections.abc import Iterator
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.roles import ensure_roles
from tests.support.engine import make_tenant
from tests.support.http_server import CountingServer


@pytest.fixture(autouse=True)
def fast_hosts(settings: Any) -> None:
    settings.WORKER_LEASE_SECONDS = 2
    settings.WORKER_HEARTBEAT_SECONDS = 0.5
    settings.SWEEP_SECONDS = 0.3
    settings.WORKER_GRACE_SECONDS = 3
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    ensure_roles()
    return make_tenant("acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return make_tenant("globex")


@pytest.fixture
def receiver() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running
