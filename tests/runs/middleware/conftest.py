from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from runs.circuits.protocol import BreakerRules
from runs.middleware.circuit import CircuitBreaker
from runs.steps.registry import registry
from tenants.models import Tenant
from tests.support import step_types
from tests.support.engine import make_tenant
from tests.support.host_settings import set_up_hosts
from tests.support.http_server import CountingServer


@pytest.fixture
def hosts(settings: Any) -> Iterator[None]:
    """What hosts in this process need: short times, the tests' step types, the way to loopback."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, step_types.APP]
    set_up_hosts(settings)
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.fixture
def acme(transactional_db: None, hosts: None) -> Tenant:
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
    made = CircuitBreaker(BreakerRules())
    yield made
    await made.aclose()
