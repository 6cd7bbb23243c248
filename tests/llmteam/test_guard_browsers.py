"""Every answer tells browsers what may be loaded, run and kept, and odd addresses lead nowhere."""

import re
import socket
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from tenants.members.sessions import TENANT
from tenants.models import User
from tests.conftest import Customer
from tests.support.console import a_world
from tests.support.server import ServerProcess
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]
ANYBODY = [
    "/sign-in/", "/oidc/callback/", "/admin/login/", "/admin/", "/api/docs/", "/api/docs/?script", "/api/schema/",
    "/api/v1/me", "/api/nothing", "/nothing", "/metrics", "/inbox/", "/static/pages/pages.css",
]  # fmt: skip
ODD = [
    "/a/..;/x", "/..;/admin/", "/api/v1/..;/me", "/inbox/..;/x", "/static/..;/x", "/static/../manage.py",
    "/static/%2e%2e/manage.py", "/static/..%5cmanage.py", "/static/%00", "/%00", "/%ff%fe", "/api/v1/%ff", "/a;b=c/x",
    "//evil.example/x", "/\\evil.example", "/..", "/oidc/..;/callback/", "http://evil.example/x", "*",
    "/admin/%0d%0aX:1", "/healthz/..;/x",
]  # fmt: skip


class InlineCode(HTMLParser):
    """Finds what a policy without ``unsafe-inline`` keeps from running."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.found += [f"<{tag} {name}>" for name in named if name.startswith("on")]
        self.found += [f"<{tag} {value}>" for value in named.values() if (value or "").startswith("javascript:")]
        if tag == "script" and "src" not in named and named.get("type") not in {"application/json", "text/plain"}:
            self.found.append("<script>")


def sources(policy: str) -> dict[str, list[str]]:
    return {name: allowed for name, *allowed in (one.split() for one in policy.split(";"))}


def check_policy(policy: str) -> dict[str, list[str]]:
    found = sources(policy)
    assert found["default-src"] == ["'none'"]
    assert found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert found["form-action"]
    assert "'unsafe-inline'" not in found.get("script-src", [])
    assert not {"*", "data:", "http:", "https:"} & set(found.get("script-src", []))
    return found


@pytest.mark.parametrize("path", ANYBODY)
def test_every_answer_has_a_policy(client: Client, db: None, path: str) -> None:
    answer = client.get(path)
    answer.close()
    found = check_policy(answer["Content-Security-Policy"])
    if path.startswith(("/api/v1", "/metrics")):
        assert set(found) == {"default-src", "form-action", "base-uri", "frame-ancestors"}


def test_pages_hold_nothing_their_policy_forbids(client: Client, acme: Customer) -> None:
    world = a_world(acme.tenant)
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    pages = ["/admin/", "/api/docs/", reverse("admin:runs_run_change", args=[world.run.pk])]
    models = [model._meta for model in admin.site._registry]
    pages += [reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist") for meta in models]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200
        check_policy(answer["Content-Security-Policy"])
        assert InlineCode(answer.text).found == [], page
    assert len(pages) > 20
    assert InlineCode('<a onclick="x()" href="javascript:y">').found == ["<a onclick>", "<a javascript:y>"]


def test_a_members_pages_send_forms_here_and_to_their_provider_only(client: Client, acme: Customer) -> None:
    ann = make_member(acme.tenant, "ann")
    client.force_login(ann.user)
    session = client.session
    session[TENANT] = str(acme.tenant.id)
    session["sign_out_at"] = "https://login.example"
    session.save()
    answer = client.get("/inbox/")
    assert answer.status_code == 200
    assert check_policy(answer["Content-Security-Policy"])["form-action"] == ["'self'", "https://login.example"]
    assert InlineCode(answer.text).found == []
    assert answer["Cache-Control"] == "no-store"


def test_what_is_secret_or_somebodys_is_kept_by_nobody(client: Client, acme: Customer, api: Api) -> None:
    caller = api(acme)
    made = [
        caller.post("/api/v1/tokens", {"scopes": ["runs:read"]}),
        caller.post("/api/v1/ws-tickets"),
        caller.post("/api/v1/callback-secret"),
        caller.put("/api/v1/connections/crm", {"kind": "http", "base_url": "https://crm.example", "secret": "x"}),
        caller.get("/api/v1/connections"),
        caller.get("/api/v1/me"),
        caller.get("/api/v1/runs"),
    ]
    assert [answer.status_code for answer in made] == [201, 201, 201, 201, 200, 200, 200]
    assert [answer["Cache-Control"] for answer in made] == ["no-store"] * len(made)
    kept = caller.get("/api/v1/catalog")
    assert kept.status_code == 200
    assert (kept["Cache-Control"], bool(kept["ETag"])) == ("private, no-cache", True)
    client.force_login(User.objects.create(username="operator", is_staff=True, is_superuser=True))
    for path in ("/admin/", "/admin/tenants/apikey/", "/admin/login/"):
        assert "no-store" in client.get(path)["Cache-Control"]
    static = client.get("/static/pages/pages.css")
    static.close()
    assert "no-store" not in static["Cache-Control"], "what is nobody's may be kept"


@pytest.mark.django_db(transaction=True)
def test_odd_addresses_lead_nowhere(server: ServerProcess) -> None:
    with server.caller() as caller:
        assert caller.get("/sign-in/").status_code == 200
    for path in ODD:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1"))
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert re.match(rb"HTTP/1\.1 40[04] ", answer), (path, answer[:200])
        assert b"\r\nlocation:" not in answer.lower(), path
