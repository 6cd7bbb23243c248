from collections.abc import Iterator
from typing import Any

import pytest

from runs.steps.registry import registry
from tenants.models import Tenant
from tests.support import step_types
from tests.support.engine import make_tenant
from tests.support.host_settings import set_up_hosts
from tests.support.http_server import CountingServer


@pytest.fixture(autouse=True)
def engine_settings(settings: Any) -> Iterator[None]:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, step_types.APP]
    set_up_hosts(settings)
    registry.cache_clear()
    yield
    registry.cache_clear()


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
