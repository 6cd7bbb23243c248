"""Providers to sign in with."""

from collections.abc import Iterator
from typing import Any

import pytest

from tenants.access.rate_limits import rate_limits
from tenants.sign_in.metadata import directory
from tests.support.issuer import CLIENT_ID, CLIENT_SECRET, Issuer


@pytest.fixture(autouse=True)
def on_loopback(settings: Any) -> Iterator[None]:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*", "localhost:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32", "::1/128"]
    directory.forget()
    rate_limits().forget_all()
    yield
    directory.forget()


@pytest.fixture
def issuer(settings: Any) -> Iterator[Issuer]:
    """The installation's provider."""
    with Issuer() as issuer:
        settings.OIDC_ISSUER = issuer.url
        settings.OIDC_CLIENT_ID = CLIENT_ID
        settings.OIDC_CLIENT_SECRET = CLIENT_SECRET
        yield issuer


@pytest.fixture
def second_issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer
