from collections.abc import AsyncIterator, Iterator

import pytest

from runs.circuits.protocol import BreakerRules
from runs.middleware.circuit import CircuitBreaker
from tenants.models import Tenant
from tests.support.engine import make_tenant, set_limits
from tests.support.host_settings import OF_HOSTS, with_step_types
from tests.support.http_server import CountingServer


@pytest.fixture(scope="module")
def hosts() -> Iterator[None]:
    """What hosts in this process need: short times, the tests' step types, the way to loopback."""
    with with_step_types(**OF_HOSTS):
        yield


@pytest.fixture
def acme(transactional_db: None, hosts: None) -> Tenant:
    return _tenant("acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return _tenant("globex")


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


def _tenant(slug: str) -> Tenant:
    tenant = make_tenant(slug)
    set_limits(tenant, concurrent_runs=1_000)
    return tenant
