"""The console and the API's page work in Chromium under their content security policy, without one violation."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from foundation.scope import unscoped
from tenants.models import User
from tests.support.desk import Desk
from tests.support.refund_desk import ORDER, refund_desk

PASSWORD = "a long enough password"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def violations(page: Page) -> list[str]:
    """What the browser says of its policy from now on."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def make_operator() -> None:
    with unscoped("an operator for a test"):
        User.objects.create_superuser(username="operator", password=PASSWORD)


def test_an_operator_signs_in_and_looks_around(desk: Desk, page: Page) -> None:
    desk.thread.submit(make_operator).result()
    run = desk.platform.start(refund_desk(), ORDER)
    desk.platform.task(run)
    said = violations(page)
    page.goto(f"{desk.server.url}/admin/")
    page.locator("input[name=username]").fill("operator")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("button[type=submit]").first.click()
    expect(page).to_have_url(f"{desk.server.url}/admin/")
    for path in ("runs/run/", f"runs/run/{run['run_id']}/change/", "tenants/tenant/", "humantasks/humantask/"):
        page.goto(f"{desk.server.url}/admin/{path}")
        assert page.evaluate("typeof Alpine") == "object", "what draws the console runs"
    page.goto(f"{desk.server.url}/admin/tenants/tenant/{desk.tenant.id}/change/")
    page.locator("input[name=name]").fill("Acme Returns Ltd")
    page.locator("button[name=_save]").click()
    expect(page.locator("#result_list")).to_contain_text("Acme Returns Ltd")
    assert said == []


def test_the_apis_page_shows_every_operation(desk: Desk, page: Page) -> None:
    said = violations(page)
    page.goto(f"{desk.server.url}/api/docs/")
    expect(page.locator(".opblock").first).to_be_visible()
    assert page.locator(".opblock").count() > 40
    page.locator(".opblock-summary").first.click()
    expect(page.locator(".opblock-body").first).to_be_visible()
    assert said == []


def test_a_script_somebody_smuggles_in_does_not_run(desk: Desk, page: Page) -> None:
    """The policy bites: or else the pages above might have none."""
    said = violations(page)
    page.goto(f"{desk.server.url}/sign-in/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.smuggled = 1\">')")
    page.wait_for_function("true")
    expect.soft(page.locator("img")).to_have_count(1)
    page.wait_for_timeout(300)
    assert page.evaluate("window.smuggled") is None
    assert said
