"""What a proxy says about a request is believed of trusted proxies, and of nobody else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from audit.models import Entry
from devserver.folders import CHECKOUT
from foundation.scope import unscoped
from llmteam.web.proxies import Networks, with_proxy_headers
from tests.conftest import Customer
from tests.support.audit_entries import source_address_of
from tests.support.definitions import steps_in_a_row
from tests.support.server import NO_TLS, ServerProcess, running_server

PROXY, STRANGER = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def production(django_db_setup: None) -> Iterator[ServerProcess]:
    """Behind a proxy that ends TLS."""
    with running_server(HTTPS="1", TRUSTED_PROXIES=f"{PROXY}, 10.0.0.0/8", HSTS_SECONDS="") as server:
        yield server


def call(
    server: ServerProcess, source: str, method: str = "GET", path: str = "/api/v1/me", json: Any = None, **headers: str
) -> httpx.Response:
    """Send one request from an address of the loopback, as whoever connects from there."""
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    transport = httpx.HTTPTransport(local_address=source, verify=NO_TLS)
    with httpx.Client(transport=transport, base_url=server.url, headers=sent, timeout=30) as caller:
        return caller.request(method, path, json=json)


@pytest.mark.django_db(transaction=True)
def test_behind_tls_a_trusted_proxy_s_request_is_answered_and_a_stranger_s_is_sent_to_https(
    production: ServerProcess, acme: Customer
) -> None:
    said = {"X_Forwarded_Proto": "https", "X_API_Key": acme.key}
    answered = call(production, PROXY, **said)
    assert (answered.status_code, answered.json()["tenant"]["slug"]) == (200, "acme")
    redirected = call(production, STRANGER, **said)
    location = f"https://127.0.0.1:{production.port}/api/v1/me"
    assert (redirected.status_code, redirected.headers["location"]) == (301, location)
    assert call(production, PROXY, **{**said, "X_Forwarded_Proto": "http"}).status_code == 301


@pytest.mark.django_db(transaction=True)
def test_the_caller_s_address_is_the_last_that_no_trusted_proxy_has(production: ServerProcess, acme: Customer) -> None:
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.66, 127.0.0.77, 10.1.2.3", "X_API_Key": acme.key}
    assert call(production, PROXY, "PUT", "/api/v1/segments/row", steps_in_a_row("input"), **said).status_code == 201
    assert address_seen(acme) == "127.0.0.77"


def address_seen(customer: Customer) -> str | None:
    with unscoped("tests look at everything"):
        entry = Entry.objects.filter(tenant_id=customer.tenant.id).order_by("-id").first()
    return None if entry is None else source_address_of(entry)


async def scope_inside(client: list[Any] | None, *headers: tuple[bytes, bytes], kind: str = "http") -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope)

    proxies = Networks([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])
    scope = {"type": kind, "client": client, "headers": list(headers), "scheme": "plain"}
    await with_proxy_headers(application, proxies)(scope, None, None)  # type: ignore[arg-type]  # neither is used
    return seen[0]


@pytest.mark.parametrize(
    ("client", "forwarded", "believed"),
    [
        ("10.0.0.1", b"192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.1", b"192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", b"2001:DB9::1", "2001:db9::1"),
        ("10.0.0.1", b"192.0.2.1, 10.9.9.9", "192.0.2.1"),
        ("10.0.0.1", b"192.0.2.9, 192.0.2.1 , 10.9.9.9", "192.0.2.1"),
        ("10.0.0.1", b"192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", b"192.0.2.1:4711, 10.9.9.9:80", "192.0.2.1"),
        ("10.0.0.1", b"[2001:DB9::1]:44", "2001:db9::1"),
        ("10.0.0.1", b"[2001:DB9::1]", "2001:db9::1"),
        ("10.0.0.1", b"192.0.2.1:4711:1", "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.1:", "10.0.0.1"),
        ("10.0.0.1", b"10.9.9.9", "10.0.0.1"),
        ("10.0.0.1", b"unknown", "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.1, garbage", "10.0.0.1"),
        ("192.0.2.5", b"198.51.100.1", "192.0.2.5"),
    ],
)
async def test_addresses_are_read_from_the_near_end(client: str, forwarded: bytes, believed: str) -> None:
    scope = await scope_inside([client, 1234], (b"x-forwarded-for", forwarded), (b"accept", b"x"))
    assert scope["client"][0] == believed
    assert scope["headers"] == [(b"accept", b"x")]


async def test_a_unix_socket_s_other_end_is_trusted_and_schemes_fit_the_protocol() -> None:
    https = (b"x-forwarded-proto", b"https")
    assert (await scope_inside(None, https))["scheme"] == "https"
    assert (await scope_inside(["10.0.0.1", 1], https, kind="websocket"))["scheme"] == "wss"
    for odd in ((https, https), ((b"x-forwarded-proto", b"gopher"),), ((b"forwarded", b"proto=https"),)):
        assert (await scope_inside(["10.0.0.1", 1], *odd))["scheme"] == "plain"


def settings_say(**environment: str) -> subprocess.CompletedProcess[str]:
    names = "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"
    code = f"from llmteam import settings; print(*(getattr(settings, name) for name in {names}))"
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}", **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.soak
def test_hsts_is_modest_unless_more_is_asked_for_and_preload_needs_what_browsers_want() -> None:
    assert settings_say(HTTPS="1").stdout.split() == ["2592000", "False", "False"]
    assert settings_say(HTTPS="0").stdout.split() == ["0", "False", "False"]
    asked = {"HTTPS": "1", "HSTS_PRELOAD": "1", "HSTS_INCLUDE_SUBDOMAINS": "1", "HSTS_SECONDS": "31536000"}
    assert settings_say(**asked).stdout.split() == ["31536000", "True", "True"]
    for flaw in ({"HSTS_SECONDS": "31535999"}, {"HSTS_INCLUDE_SUBDOMAINS": "0"}):
        assert "HSTS_PRELOAD needs HSTS_INCLUDE_SUBDOMAINS=1" in settings_say(**{**asked, **flaw}).stderr
    assert "TRUSTED_PROXIES has the entry '10.0.0.1/8'" in settings_say(TRUSTED_PROXIES="10.0.0.1/8").stderr


@pytest.mark.django_db(transaction=True)
def test_answers_over_https_carry_hsts_for_this_name_only(production: ServerProcess, acme: Customer) -> None:
    answer = call(production, PROXY, X_Forwarded_Proto="https")
    assert (answer.status_code, answer.headers["strict-transport-security"]) == (401, "max-age=2592000")
