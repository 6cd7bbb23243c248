"""A tenant with people, and a host in the test's own process."""

from collections.abc import Iterator

import pytest

from runs.engine.host.host import Host
from tenants.models import Membership, Tenant
from tests.support.engine import make_tenant
from tests.support.host import running_host
from tests.support.tasks import make_member


@pytest.fixture
def acme(transactional_db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def ann(acme: Tenant) -> Membership:
    return make_member(acme, "ann", "finance")


@pytest.fixture
def bob(acme: Tenant) -> Membership:
    return make_member(acme, "bob", "finance", "legal")


@pytest.fixture
def host(acme: Tenant) -> Iterator[Host]:
    with running_host() as running:
        yield running
