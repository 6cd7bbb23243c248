from collections.abc import Iterator

import pytest
from django.test import override_settings

from tenants.models import Tenant
from tests.support.engine import make_tenant
from tests.support.host_settings import OF_HOSTS
from tests.support.http_server import CountingServer


@pytest.fixture(scope="module", autouse=True)
def fast_hosts() -> Iterator[None]:
    with override_settings(**OF_HOSTS):
        yield


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return make_tenant("globex")


@pytest.fixture
def receiver() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running
