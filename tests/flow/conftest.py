"""A tenant and a counting server for whole modules of stories: processes are started once for all of them."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from tenants.services import create_api_key, create_tenant
from tests.support.http_server import CountingServer


@pytest.fixture(scope="module")
def key(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The key of a tenant that other processes see; everything committed goes with the module."""
    with django_db_blocker.unblock():
        yield create_api_key(tenant=create_tenant(slug="acme", name="Acme"), name="tests").text
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture(scope="module")
def world_server() -> Iterator[CountingServer]:
    with CountingServer() as server:
        yield server


@pytest.fixture
def world(world_server: CountingServer) -> CountingServer:
    """A server outside the platform that counts; nothing of an earlier story is left in it."""
    world_server.forget()
    return world_server
