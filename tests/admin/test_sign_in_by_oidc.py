"""Operators sign in by the installation's provider, which vouches for a second factor; no member's session does."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import Entry
from foundation.scope import unscoped
from tenants.access.rate_limits import rate_limits
from tenants.models import Identity, Membership, User
from tenants.sign_in.metadata import directory
from tests.conftest import Customer
from tests.support.issuer import CLIENT_ID, CLIENT_SECRET, Issuer, begin, come_back, give_provider, sign, sign_in

PASSWORD = "a long enough password"


@pytest.fixture
def issuer(db: None, settings: Any) -> Iterator[Issuer]:
    settings.EGRESS_ALLOW_HOSTS, settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1:*"], ["127.0.0.1/32"]
    directory.forget()
    rate_limits().forget_all()
    with Issuer() as issuer:
        settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = issuer.url, CLIENT_ID
        settings.OIDC_CLIENT_SECRET = CLIENT_SECRET
        settings.OPERATOR_SIGN_IN, settings.OPERATOR_ACR, settings.OPERATOR_AMR = "oidc", ["gold"], ["otp", "hwk"]
        yield issuer


@pytest.fixture
def operator(issuer: Issuer) -> User:
    user = User.objects.create_superuser(username="operator", password=PASSWORD, email="op@example.com")
    call_command("link_operator", "operator", "sub-op", stdout=StringIO())
    return user


def come(issuer: Issuer, subject: str = "sub-op", *, client: Client | None = None, **said: Any) -> tuple[Client, Any]:
    client = client or Client()
    begun = begin(client, **{"for": "operator"})
    claims = issuer.claims(begun, subject, **{"acr": "gold", "amr": ["pwd", "otp"], **said})
    userinfo = {"sub": subject, "email": "op@example.com", "email_verified": True, "acr": "gold", "amr": ["otp"]}
    return client, come_back(client, begun, issuer.code_for(begun, sign(claims), userinfo=userinfo))


def entries(action: str) -> list[Entry]:
    with unscoped("looking at what was written"):
        return list(Entry.objects.filter(action=action))


def test_an_operator_signs_in_with_the_second_factor(issuer: Issuer, operator: User) -> None:
    assert begin(Client(), **{"for": "operator"})["acr_values"] == "gold", "it is asked for"
    client, answer = come(issuer)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/v1/me").status_code == 401, "an operator is no member"
    (entry,) = entries("operator.signed_in")
    assert (entry.actor, entry.after["amr"]) == (f"user:{operator.pk}", ["pwd", "otp"])


@pytest.mark.parametrize(
    "said",
    [{"acr": "silver"}, {"acr": None}, {"amr": ["pwd"]}, {"amr": None}, {"amr": {"otp": 1}}, {"amr": []}],
    ids=str,
)
def test_without_it_nobody_is_let_in(issuer: Issuer, operator: User, said: dict[str, Any]) -> None:
    client, answer = come(issuer, **said)
    assert (answer.status_code, "SECOND_FACTOR_MISSING" in answer.text) == (403, True)
    assert client.get("/admin/").status_code == 302
    assert entries("sign_in.refused")[0].after["code"] == "SECOND_FACTOR_MISSING"
    assert come(issuer)[1].status_code == 302


def test_an_account_nobody_has_linked_opens_nothing_whatever_its_e_mail(issuer: Issuer, operator: User) -> None:
    client, answer = come(issuer, "sub-of-another")
    assert (answer.status_code, "NOT_AN_OPERATOR" in answer.text) == (403, True)
    assert client.get("/admin/").status_code == 302
    User.objects.filter(pk=operator.pk).update(is_staff=False)
    assert "NOT_AN_OPERATOR" in come(issuer)[1].text, "nor one of who was an operator"


@pytest.mark.django_db(transaction=True)  # passwords are judged in a thread of their own
def test_a_local_password_is_refused_where_the_setting_says_so(issuer: Issuer, operator: User, settings: Any) -> None:
    known = Client()
    known.force_login(operator)
    typed = {"username": "operator", "password": PASSWORD, "next": "/admin/"}
    settings.OPERATOR_SIGN_IN = "either"
    assert known.get("/admin/").status_code == 200
    assert "Sign in with your company account" in Client().get("/admin/login/").text
    assert Client().post("/admin/login/", typed).status_code == 302
    settings.OPERATOR_SIGN_IN = "oidc"
    refused = Client().post("/admin/login/", typed)
    assert (refused.status_code, "passwords are switched off" in refused.text) == (403, True)
    assert 'name="password"' not in Client().get("/admin/login/").text
    assert known.get("/admin/").status_code == 302, "sessions that a password has begun are over"
    client, _ = come(issuer)
    settings.OPERATOR_SIGN_IN, settings.OPERATOR_ACR, settings.OPERATOR_AMR = "password", [], []
    assert Client().get("/oidc/login/?for=operator").status_code == 404
    assert client.get("/admin/").status_code == 302, "and the other way round"
    assert Client().post("/admin/login/", typed).status_code == 302


def test_an_operator_s_session_as_a_member_does_not_open_the_console(
    issuer: Issuer, operator: User, acme: Customer
) -> None:
    """Whoever runs a tenant's own provider can sign in as any account of it, without what operators have to show."""
    with unscoped("rows for a test"):
        Membership.objects.create(tenant=acme.tenant, user=operator)
    member = Client()
    assert sign_in(member, issuer, "sub-op", "op@example.com").status_code == 302
    assert member.get("/api/v1/me").status_code == 200
    assert member.get("/admin/").status_code == 302
    with Issuer() as own:
        give_provider(acme.tenant, own)
        with unscoped("rows for a test"):
            Identity.objects.create(user=operator, issuer=own.url, subject="sub-op")
        member = Client()
        assert sign_in(member, own, "sub-op", "op@example.com", tenant="acme").status_code == 302
        assert member.get("/admin/").status_code == 302
    client, _ = come(issuer, client=member)
    assert client.get("/admin/").status_code == 200


def test_an_unlinked_account_ends_the_session(issuer: Issuer, operator: User) -> None:
    client, _ = come(issuer)
    assert client.get("/admin/").status_code == 200
    with unscoped("rows for a test"):
        Identity.objects.all().delete()
    assert client.get("/admin/").status_code == 302


def test_an_account_is_linked_to_an_operator_and_to_nobody_else(issuer: Issuer, operator: User, settings: Any) -> None:
    said = StringIO()
    call_command("link_operator", "operator", "sub-op", stdout=said)
    assert "operator signs in as sub-op at http" in said.getvalue()
    assert len(entries("operator.account_linked")) == 1, "again changes nothing"
    User.objects.create(username="other", is_staff=True)
    User.objects.create(username="member")
    with pytest.raises(CommandError, match="somebody else's"):
        call_command("link_operator", "other", "sub-op")
    with pytest.raises(CommandError, match="no active operator 'member'"):
        call_command("link_operator", "member", "sub-2")
    settings.OIDC_ISSUER = ""
    with pytest.raises(CommandError, match="OIDC_ISSUER is not set"):
        call_command("link_operator", "operator", "sub-3")
