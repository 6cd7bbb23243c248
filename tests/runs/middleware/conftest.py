from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from runs.circuits.turns import Rules
from runs.middleware.circuit import CircuitBreaker
from runs.steps.registry import registry
from tenants.models import Tenant
from tenants.roles import ensure_roles
from tests.support import step_types
from tests.support.engine import make_tenant
from tests.support.http_server import CountingServer


@pytest.fixture
def hosts(settings: Any) -> Iterator[None]:
    """What hosts in this process need: short leases, the tests' step types, the way to loopback."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, step_types.APP]
    settings.WORKER_LEASE_SECONDS = 2
    settings.WORKER_HEARTBEAT_SECONDS = 0.5
    settings.SWEEP_SECONDS = 0.3
    settings.WORKER_GRACE_SECONDS = 3
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.fixture
def acme(transactional_db: None, hosts: None) -> Tenant:
    ensure_roles()
    return make_tenant("acme", max_concurrent_runs=1000)


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return make_tenant("globex", max_concurrent_runs=1000)


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running


@pytest.fixture
async def breaker() -> AsyncIterator[CircuitBreaker]:
    made = CircuitBreaker(Rules())
    yield made
    await made.aclose()
