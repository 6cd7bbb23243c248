from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from runs.steps.registry import registry
from tenants.models import Tenant
from tenants.roles import ensure_roles
from tests.support import step_types
from tests.support.engine import make_tenant
from tests.support.http_server import CountingServer


@pytest.fixture(autouse=True)
def engine_settings(settings: Any) -> Iterator[None]:
    apps = [*settings.INSTALLED_APPS, step_types.APP]
    with override_settings(
        INSTALLED_APPS=apps,
        WORKER_LEASE_SECONDS=2,
        WORKER_HEARTBEAT_SECONDS=0.5,
        SWEEP_SECONDS=0.3,
        WORKER_GRACE_SECONDS=3,
        EGRESS_ALLOW_HOSTS=["127.0.0.1:*"],
        EGRESS_ALLOW_CIDRS=["127.0.0.1/32"],
    ):
        registry.cache_clear()
        yield
    registry.cache_clear()


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    ensure_roles()
    return make_tenant("acme")


@pytest.fixture
def globex(acme: Tenant) -> Tenant:
    return make_tenant("globex")


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as running:
        yield running
