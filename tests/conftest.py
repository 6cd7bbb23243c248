"""What every test may ask for: two tenants with keys, clients that speak as them, the database's roles."""

import gc
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from hypothesis import HealthCheck, settings
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from tenants.database_roles import ensure_roles
from tenants.models import Tenant
from tenants.services import create_api_key, create_tenant
from tests.support import pooler
from tests.support.database.cleanup import empty_quickly
from tests.support.database.warm_connections import warm_connections
from tests.support.processes.login import make_login
from tests.support.server import ServerProcess, running_server

# How fast examples are drawn depends on what else the machine does; the first draw reads all of Unicode.
settings.register_profile("drawn in any time", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("drawn in any time")

STARTERS = {"running_worker", "running_server", "running_platform", "running_host", "WorkerProcess", "subprocess"}
"""Who imports one of them waits for what it started."""
MEASURING = {"cost_of"}
"""Who imports it does each case several times, once with the memory traced."""
MANY = 100
"""Tests in one file, which one process runs."""
QUICK_ITERATIONS = 1000
"""Of a password's hash in the tests' own process; servers hash as they do for everybody."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A tenant and a key of it with every scope."""

    tenant: Tenant
    key: str = field(repr=False)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        with django_db_blocker.unblock():
            ensure_roles()
            ensure_roles(login=make_login())
            empty_quickly(patch)
        patch.setattr(PBKDF2PasswordHasher, "iterations", QUICK_ITERATIONS)
        with warm_connections(patch):
            yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        # A killed process's session may end a moment after it, and would keep the database from being dropped.
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.fixture
def acme(db: None) -> Customer:
    return make_customer("acme", "Acme")


@pytest.fixture
def globex(db: None) -> Customer:
    return make_customer("globex", "Globex")


@pytest.fixture
def api() -> Callable[[Customer], APIClient]:
    """Make a client that sends JSON with a customer's key."""

    def client_of(customer: Customer) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {customer.key}")
        client.default_format = "json"
        return client

    return client_of


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[ServerProcess]:
    """A real API server on the test's database, for tests of committed rows (``transaction=True``)."""
    with running_server() as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep what stays to the end, thousands of tests and all modules, from being looked through for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have long files come first: the many short ones then fill what is left, and no process is last alone."""
    sizes = Counter(item.path for item in items)

    def is_short(item: pytest.Item) -> bool:
        imported = vars(getattr(item, "module", object)).keys()
        return not (STARTERS | MEASURING) & imported and sizes[item.path] < MANY

    items.sort(key=is_short)


def make_customer(slug: str, name: str) -> Customer:
    tenant = create_tenant(slug=slug, name=name)
    return Customer(tenant, create_api_key(tenant=tenant, name="tests").text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what could not be shown on this machine."""
    if pooler.PROGRAM is None:
        terminalreporter.write_line(f"NOT SHOWN: {pooler.MISSING}", red=True, bold=True)
