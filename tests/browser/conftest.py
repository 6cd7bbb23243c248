"""The real platform and a real Chromium; on a wide screen and on a phone."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test.utils import setup_databases, teardown_databases
from playwright.sync_api import Browser, expect, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from tenants.database_roles import ensure_roles
from tenants.services import create_api_key, create_tenant
from tests.support.browser import DEVICES, MISSING, Visitor, clear_pictures, find_chromium, launch
from tests.support.desk import Desk
from tests.support.platform import Platform
from tests.support.processes.login import make_login
from tests.support.provider import running_provider
from tests.support.server import running_server
from tests.support.worker import running_worker

Visit = Callable[..., AbstractContextManager[Visitor]]


def pytest_configure(config: pytest.Config) -> None:
    """End at once where there is no browser to show the pages to."""
    if config.option.markexpr == "browser" and find_chromium() is None:
        pytest.exit(MISSING, returncode=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


ZONE_IS_KNOWN = (
    "document.querySelector('[data-zone]')?.dataset.zone === Intl.DateTimeFormat().resolvedOptions().timeZone"
)
"""Script: whether the page has told the browser's zone, for which it loads itself once more."""


@pytest.fixture(scope="session")
def database(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database of these tests' own: pytest-django makes one only for tests that ask for it themselves."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={DEFAULT_DB_ALIAS})
        ensure_roles(login=make_login())
        yield
        with connection.cursor() as cursor:
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="module")
def desk(database: None) -> Iterator[Desk]:
    """A server, a worker and a tenant with a key; everything committed goes with the module.

    Playwright's event loop runs in the tests' thread, beside which Django asks no database: what a test needs of it is
    done in a thread of its own.
    """
    tenant = create_tenant(slug="acme", name="Acme Returns")
    key = create_api_key(tenant=tenant, name="canvas").text
    with (
        running_worker(),
        running_provider() as provider,
        running_server(**provider.settings()) as server,
        server.caller(key) as caller,
        ThreadPoolExecutor(1) as thread,
    ):
        yield Desk(Platform(caller), server, tenant, thread, provider)
        thread.submit(connections.close_all).result()
    call_command("flush", interactive=False, verbosity=0)


@pytest.fixture(scope="module")
def chromium(desk: Desk) -> Iterator[Browser]:
    clear_pictures()
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, desk: Desk) -> Visit:
    """Invite somebody, and let them sign in with their company's account, in a browser of their own."""

    @contextmanager
    def visiting(name: str, device: str = "desktop", *groups: str, **options: Any) -> Iterator[Visitor]:
        email = f"{name}-{device}@acme.test"
        desk.invite(email, name.title(), groups)
        context = chromium.new_context(**DEVICES[device], **options)
        try:
            visitor = Visitor(context.new_page(), desk.server.url, device, email=email, friends=(desk.provider.url,))
            sign_in(visitor)
            yield visitor
        finally:
            context.close()

    return visiting


def sign_in(visitor: Visitor) -> None:
    """Ask for the inbox, be sent to the company's sign-in and back."""
    page = visitor.page
    visitor.go("/inbox/?box=groups")
    page.locator("a[href^='/oidc/login/']").click()
    page.locator("input[name=sub]").fill(visitor.email)
    page.locator("button[type=submit]").first.click()
    expect(page).to_have_url(f"{visitor.url}/inbox/?box=groups")
    page.wait_for_function(ZONE_IS_KNOWN)
    # What the provider's own page asks for, and does not get, is not ours.
    visitor.complaints.clear()
    visitor.foreign.clear()
