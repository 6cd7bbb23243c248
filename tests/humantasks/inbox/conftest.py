"""Reviewers of two tenants."""

import pytest

from tenants.models import Membership
from tenants.services import create_api_key, create_tenant
from tests.conftest import Customer
from tests.support.inbox import a_member


@pytest.fixture
def acme(db: None) -> Customer:
    tenant = create_tenant(slug="acme", name="Acme")
    return Customer(tenant, create_api_key(tenant=tenant, name="tests").text)


@pytest.fixture
def ann(acme: Customer) -> Membership:
    return a_member(acme.tenant, "ann", groups=["finance"])


@pytest.fixture
def bob(acme: Customer) -> Membership:
    return a_member(acme.tenant, "bob", groups=["finance", "legal"])


@pytest.fixture
def gus(globex: Customer) -> Membership:
    return a_member(globex.tenant, "gus", groups=["finance"])
