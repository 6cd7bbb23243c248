"""Userinfo that comes signed (application/jwt) is believed as ID tokens are, or refused with what is wrong with it."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from tenants.members.services import invite_member
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.issuer import CLIENT_ID, EC_KEY, MISSING, OTHER_KEY, Issuer, begin, by_hand, come_back, jwk_of, sign

ANN = "ann@acme.example"


@pytest.fixture
def invited(acme: Customer) -> Customer:
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="reviewer", groups=[])
    return acme


def told(issuer: Issuer, **more: Any) -> dict[str, Any]:
    said = {"iss": issuer.url, "aud": CLIENT_ID, "sub": "sub-ann", "email": ANN, "email_verified": True, **more}
    return {name: value for name, value in said.items() if value is not MISSING}


def come(issuer: Issuer, userinfo: str) -> Any:
    """Come with an ID token that tells no e-mail."""
    client = Client()
    begun = begin(client)
    return come_back(client, begun, issuer.code_for(begun, sign(issuer.claims(begun, "sub-ann")), userinfo=userinfo))


@pytest.mark.parametrize("more", [{}, {"aud": [CLIENT_ID]}, {"exp": int(time.time()) + 3600, "iat": int(time.time())}])
def test_who_it_is_about_is_let_in_by_what_it_says(invited: Customer, issuer: Issuer, more: dict[str, Any]) -> None:
    assert come(issuer, sign(told(issuer, **more))).status_code == 302
    with unscoped("looking at what was written"):
        assert Membership.objects.get(user__email=ANN).tenant == invited.tenant


def test_a_key_that_is_new_is_looked_up(invited: Customer, issuer: Issuer) -> None:
    begin(Client())
    issuer.keys.append(jwk_of(OTHER_KEY, "new"))
    assert come(issuer, sign(told(issuer), OTHER_KEY, kid="new")).status_code == 302


def claims(**more: Any) -> Callable[[Issuer], str]:
    return lambda issuer: sign(told(issuer, **more))


FORGERIES: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "another key": (lambda issuer: sign(told(issuer), OTHER_KEY), "userinfo_signature"),
    "a key of another kind": (lambda issuer: sign(told(issuer), EC_KEY, "ES256"), "userinfo_kid"),
    "no signature": (lambda issuer: by_hand({"alg": "none"}, told(issuer)), "userinfo_alg"),
    "a shared secret": (lambda issuer: by_hand({"alg": "HS256"}, told(issuer), b"x"), "userinfo_alg"),
    "encrypted": (lambda _: "e30.e30.e30.e30.e30", "userinfo_encrypted"),
    "no token": (lambda _: "{}", "userinfo_form"),
    "issuer": (claims(iss="https://evil.example"), "userinfo_iss"),
    "no issuer": (claims(iss=MISSING), "userinfo_iss"),
    "audience": (claims(aud="another"), "userinfo_aud"),
    "no audience": (claims(aud=MISSING), "userinfo_aud"),
    "expired": (claims(exp=int(time.time()) - 3600), "userinfo_exp"),
    "issued in the future": (claims(iat=int(time.time()) + 3600), "userinfo_iat"),
    "somebody else": (claims(sub="sub-eve"), "userinfo_sub"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_wrong_with_it_refuses_the_sign_in(invited: Customer, issuer: Issuer, name: str) -> None:
    forge, reason = FORGERIES[name]
    answer = come(issuer, forge(issuer))
    assert (answer.status_code, "TOKEN_REFUSED" in answer.text) == (403, True)
    with unscoped("looking at what was written"):
        (entry,) = Entry.objects.filter(action="sign_in.refused")
        assert not Membership.objects.filter(user__email=ANN).exists()
    assert entry.after["reason"] == reason
    assert "userinfo" in entry.after["detail"]
    assert come(issuer, sign(told(issuer))).status_code == 302, "the honest twin is let in"
