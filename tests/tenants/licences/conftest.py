"""What tests of licences share: an installation that knows a vendor, and an operator's key."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.services import create_api_key
from tenants.types import KNOWN_SCOPES
from tests.conftest import Customer
from tests.support.licences import VENDOR
from tests.support.moved_clock import MovedClock


@pytest.fixture(autouse=True)
def _vendor(settings: Any) -> None:
    settings.LICENCE_KEYS = [VENDOR.verifier]
    settings.DEFAULT_TIER = "free"


@pytest.fixture
def operator(acme: Customer) -> APIClient:
    """A client with a key of acme that an operator has given the operator's scope."""
    key = create_api_key(tenant=acme.tenant, name="operator", scopes=KNOWN_SCOPES)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key.text}")
    client.default_format = "json"
    return client


@pytest.fixture
def moved_clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(monkeypatch)
