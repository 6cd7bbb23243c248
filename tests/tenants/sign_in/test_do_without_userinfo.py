"""Userinfo that fails shuts nobody out whose ID token says all; answers and tokens of another kind are refused."""

import base64
import hashlib
from typing import Any

import pytest
from django.test import Client

from tenants.members.services import invite_member
from tests.conftest import Customer
from tests.support.http_server import Answer
from tests.support.issuer import Issuer, begin, come_back, sign

ANN = "ann@acme.example"
WHOLE = {"email": ANN, "email_verified": True}
FAILURES = {
    "refused": Answer(401, {"error": "invalid_token"}),
    "without content": Answer(204),
    "a page": Answer(200, "<html>"),
    "a fault": Answer(500),
}


@pytest.fixture
def invited(acme: Customer) -> Customer:
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    return acme


def come(issuer: Issuer, *, said: dict[str, Any], header: dict[str, Any] | None = None) -> Any:
    client = Client()
    begun = begin(client)
    token = sign(issuer.claims(begun, "sub-ann", **said), **(header or {}))
    return come_back(client, begun, issuer.code_for(begun, token, userinfo={"sub": "sub-ann", **WHOLE}))


@pytest.mark.parametrize("failure", FAILURES)
def test_what_the_id_token_has_needs_no_userinfo(invited: Customer, issuer: Issuer, failure: str) -> None:
    issuer.server.route("GET", "/userinfo", FAILURES[failure])
    for lacking in ({"email": ANN}, {"email": ANN, "email_verified": False}, {}):
        assert come(issuer, said=lacking).status_code == 400
    assert come(issuer, said=WHOLE).status_code == 302


def test_an_e_mail_that_userinfo_calls_unverified_is_so_whatever_the_id_token_says(
    invited: Customer, issuer: Issuer
) -> None:
    for said, status in ((False, 403), (True, 302)):
        client = Client()
        begun = begin(client)
        told = {"sub": "sub-ann", "email": ANN, "email_verified": said}
        code = issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann", **WHOLE)), userinfo=told)
        assert come_back(client, begun, code).status_code == status


@pytest.mark.parametrize("typ", ["at+jwt", "application/Logout+JWT", "secevent+jwt", 7])
def test_a_token_of_another_kind_is_no_id_token(invited: Customer, issuer: Issuer, typ: Any) -> None:
    assert come(issuer, said={}, header={"typ": typ}).status_code == 403
    for right in ("JWT", "id+jwt"):
        assert come(issuer, said={}, header={"typ": right}).status_code == 302


def test_an_id_token_that_was_made_with_another_access_token_is_refused(invited: Customer, issuer: Issuer) -> None:
    half = hashlib.sha256(f"access-code-{len(issuer.sayings)}".encode()).digest()[:16]
    assert come(issuer, said={"at_hash": base64.urlsafe_b64encode(half).decode().rstrip("=")}).status_code == 302
    assert come(issuer, said={"at_hash": "A" * 22}).status_code == 403


@pytest.mark.parametrize("name", ["state", "code", "iss"])
def test_an_answer_that_says_a_thing_twice_is_refused(invited: Customer, issuer: Issuer, name: str) -> None:
    for times, status in ((1, 302), (2, 400)):
        client = Client()
        begun = begin(client)
        code = issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann")), userinfo={"sub": "sub-ann", **WHOLE})
        answer = {"state": begun["state"], "code": code, "iss": issuer.url}
        said = {key: [value] * (times if key == name else 1) for key, value in answer.items()}
        assert client.get("/oidc/callback/", said).status_code == status
