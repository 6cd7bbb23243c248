from collections.abc import Iterator
from typing import Any

import pytest

from tenants.models import Tenant
from tests.support.engine import make_tenant
from tests.support.host_settings import set_up_hosts
from tests.support.http_server import CountingServer


@pytest.fixture(autouse=True)
def fast_hosts(settings: Any) -> None:
    set_up_hosts(settings)


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
