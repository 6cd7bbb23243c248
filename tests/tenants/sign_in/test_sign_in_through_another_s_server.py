"""A provider that is not ours, end to end: the form is filled in there, the code comes back here."""

import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import Client

from tenants.members.services import invite_member
from tests.conftest import Customer

with warnings.catch_warnings(action="ignore"):  # its own libraries are on their way to others
    from oidc_provider_mock import User, run_server_in_thread

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # it runs in this process, with the same


@pytest.fixture
def provider(settings: Any) -> Iterator[str]:
    people = [
        User(sub="ann", claims={"email": "ann@acme.example", "email_verified": True, "name": "Ann Lee"}),
        User(sub="eve", claims={"email": "ann@acme.example", "email_verified": False}),
    ]
    with run_server_in_thread(user_claims=people) as server:
        settings.OIDC_ISSUER = f"http://localhost:{server.server_port}"
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = "llmteam", "secret"
        yield settings.OIDC_ISSUER


def sign_in_as(client: Client, subject: str) -> Any:
    sent = client.get("/oidc/login/", {"next": "/inbox/7/"})
    assert sent.status_code == 302, sent.text
    form = httpx.post(sent["Location"], data={"sub": subject})
    back = httpx.URL(form.headers["location"])
    assert back.path == "/oidc/callback/"
    return client.get("/oidc/callback/", dict(back.params))


def test_who_is_invited_signs_in_and_out(acme: Customer, provider: str, client: Client) -> None:
    invite_member(tenant=acme.tenant, actor="system", email="ann@acme.example", role="reviewer", groups=["finance"])
    answer = sign_in_as(client, "ann")
    assert (answer.status_code, answer["Location"]) == (302, "/inbox/7/")
    told = client.get("/api/v1/me").json()
    assert (told["member"]["name"], told["member"]["groups"]) == ("Ann Lee", ["finance"])
    out = client.post("/oidc/logout/")
    assert out["Location"].startswith(f"{provider}/oauth2/end_session?")
    assert httpx.get(out["Location"]).status_code == 200
    assert client.get("/api/v1/me").status_code == 401


def test_an_unverified_e_mail_is_nobody(acme: Customer, provider: str, client: Client) -> None:
    invite_member(tenant=acme.tenant, actor="system", email="ann@acme.example", role="reviewer", groups=[])
    assert sign_in_as(client, "eve").status_code == 403
    assert sign_in_as(client, "ann").status_code == 302
