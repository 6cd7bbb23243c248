from collections.abc import Iterator

import pytest

from tenants.models import Tenant
from tests.support.engine import make_tenant
from tests.support.host_settings import OF_HOSTS, with_step_types
from tests.support.http_server import CountingServer


@pytest.fixture(scope="module", autouse=True)
def engine_settings() -> Iterator[None]:
    with with_step_types(**OF_HOSTS):
        yield


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return make_tenant("globex")


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running
