"""Pages of other origins: read what their tenant allows, nothing without it, and never with cookies."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from tenants.access.known_callers import known_callers
from tenants.access.known_origins import known_origins
from tenants.origins import check_origin
from tests.conftest import Customer

EDITOR = "https://editor.example.com"
STRANGER = "https://stranger.example.com"


@pytest.fixture(autouse=True)
def nothing_is_remembered(acme: Customer, globex: Customer) -> Iterator[None]:
    acme.tenant.allowed_origins = [EDITOR]
    acme.tenant.save()
    for customer in (acme, globex):
        known_callers.forget(customer.tenant.id)
    known_origins.forget()
    yield
    known_origins.forget()


async def answer(async_client: Any, method: str, path: str, origin: str | None, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await async_client.generic(method, path, headers=sent | ({"Origin": origin} if origin else {}))


def allowed(response: Any) -> str | None:
    return response.headers.get("Access-Control-Allow-Origin")


@pytest.mark.django_db(transaction=True)
async def test_a_page_reads_answers_and_errors_of_the_tenant_that_lists_it(async_client: Any, acme: Customer) -> None:
    key = {"X_API_Key": acme.key}
    for path, status in (("/api/v1/me", 200), ("/api/v1/segments/nowhere", 404), ("/api/v1/runs?limit=x", 422)):
        response = await answer(async_client, "GET", path, EDITOR, **key)
        assert (response.status_code, allowed(response)) == (status, EDITOR)
        assert "x-request-id" in response.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "origin" in response.headers["Vary"].lower()


@pytest.mark.django_db(transaction=True)
async def test_another_page_and_another_tenant_s_page_read_nothing(
    async_client: Any, acme: Customer, globex: Customer
) -> None:
    assert allowed(await answer(async_client, "GET", "/api/v1/me", EDITOR, X_API_Key=acme.key)) == EDITOR
    assert allowed(await answer(async_client, "GET", "/api/v1/me", STRANGER, X_API_Key=acme.key)) is None
    assert allowed(await answer(async_client, "GET", "/api/v1/me", EDITOR, X_API_Key=globex.key)) is None
    assert allowed(await answer(async_client, "GET", "/api/v1/me", EDITOR)) is None, "nobody is signed in"
    assert allowed(await answer(async_client, "GET", "/api/v1/me", None, X_API_Key=acme.key)) is None


@pytest.mark.django_db(transaction=True)
async def test_a_preflight_is_answered_for_an_origin_some_tenant_lists(async_client: Any, acme: Customer) -> None:
    asked = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "authorization"}
    response = await answer(async_client, "OPTIONS", "/api/v1/segments/a", EDITOR, **asked)
    assert (response.status_code, allowed(response)) == (200, EDITOR)
    assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    assert "idempotency-key" in response.headers["Access-Control-Allow-Headers"]
    assert allowed(await answer(async_client, "OPTIONS", "/api/v1/segments/a", STRANGER, **asked)) is None


@pytest.mark.django_db(transaction=True)
async def test_an_inactive_tenant_s_origins_do_not_count(async_client: Any, acme: Customer) -> None:
    asked = {"Access_Control_Request_Method": "GET"}
    assert allowed(await answer(async_client, "OPTIONS", "/api/v1/me", EDITOR, **asked)) == EDITOR
    acme.tenant.is_active = False
    await acme.tenant.asave()
    known_origins.forget()
    assert allowed(await answer(async_client, "OPTIONS", "/api/v1/me", EDITOR, **asked)) is None


@pytest.mark.django_db(transaction=True)
async def test_only_the_api_is_for_pages_of_others(async_client: Any, acme: Customer) -> None:
    assert allowed(await answer(async_client, "GET", "/metrics", EDITOR)) is None
    assert allowed(await answer(async_client, "GET", "/admin/login/", EDITOR)) is None


def test_what_is_remembered_is_not_asked_for_again(acme: Customer) -> None:
    sent: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    known_origins.read()
    with connection.execute_wrapper(note):
        assert not known_origins.is_old()
        assert EDITOR in known_origins
        assert STRANGER not in known_origins
    assert sent == []


@pytest.mark.parametrize("text", [EDITOR, "http://localhost:3000", "https://a-b.c_d.example:8443", "http://[::1]"])
def test_an_origin_is_written_as_browsers_send_it(text: str) -> None:
    check_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://[::1]:80",
        "*",
        "null",
        "editor.example.com",
        f"{EDITOR}/",
        f"{EDITOR}:443",
        "https://Editor.example.com",
        "file://a",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="not an origin"):
        check_origin(text)
