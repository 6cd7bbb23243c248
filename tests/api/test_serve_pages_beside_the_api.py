"""Pages and API calls go through the same server; only pages have sessions and forms."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.module_loading import import_string

from tenants.models import User
from tests.conftest import Customer
from tests.support.server import ServerProcess

PASSWORD = "a long enough password"


@pytest.fixture
def browser(transactional_db: None, server: ServerProcess) -> Iterator[httpx.Client]:
    User.objects.create_superuser(username="operator", password=PASSWORD)
    with server.caller() as caller:
        yield caller


def sign_in(browser: httpx.Client, token: str) -> int:
    form = {"username": "operator", "password": PASSWORD, "next": "/admin/", "csrfmiddlewaretoken": token}
    return browser.post("/admin/login/", data=form).status_code


def test_a_person_signs_in_and_stays_signed_in(browser: httpx.Client) -> None:
    page = browser.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token is not None
    assert browser.get("/admin/").status_code == 302
    assert sign_in(browser, "x" * 64) == 403
    assert browser.get("/admin/").status_code == 302
    assert sign_in(browser, token[1]) == 302
    assert browser.get("/admin/").status_code == 200


def test_an_api_call_needs_no_token_of_a_page_and_gets_no_cookie(browser: httpx.Client, acme: Customer) -> None:
    headers = {"Authorization": f"Bearer {acme.key}"}
    answer = browser.post("/api/v1/segments/validate", json={}, headers=headers)
    assert answer.status_code == 200
    assert not browser.cookies


def test_pages_and_answers_carry_the_security_headers(browser: httpx.Client, acme: Customer) -> None:
    for path in ("/admin/login/", "/api/v1/me"):
        answer = browser.get(path, headers={"Authorization": f"Bearer {acme.key}"})
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Content-Length"] == str(len(answer.content))


def test_what_djangos_silenced_checks_look_for_is_there(settings: Any) -> None:
    installed = [import_string(name) for name in settings.MIDDLEWARE]
    for wanted in (SecurityMiddleware, CsrfViewMiddleware, XFrameOptionsMiddleware):
        assert any(isinstance(one, type) and issubclass(one, wanted) for one in installed)
