"""A page that is for members gets the member at each request, and nobody else gets the page."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from foundation.scope import unscoped
from tenants.members.services import deactivate_member
from tenants.models import Membership, Tenant, User
from tenants.sign_in.pages import member_required, signed_in_member
from tests.conftest import Customer
from tests.support.issuer import Issuer, sign_in
from tests.support.tasks import make_member


@member_required
def whose(request: HttpRequest) -> HttpResponse:
    member: Membership = request.member  # type: ignore[attr-defined]  # what the decorator gives
    return HttpResponse(f"{member.user.email} in {member.tenant.slug}")


def asked(client: Client, method: str = "GET") -> Any:
    request = RequestFactory().generic(method, "/inbox/7/?tab=a")
    request.session = SessionStore(client.cookies["sessionid"].value if "sessionid" in client.cookies else None)
    request.user = AnonymousUser()
    return whose(request)


@pytest.fixture
def ann(acme: Customer, issuer: Issuer, client: Client) -> Membership:
    member = make_member(acme.tenant, "ann")
    assert sign_in(client, issuer, "sub-ann", "ann@acme.example").status_code == 302
    return member


def test_a_member_is_let_in(ann: Membership, client: Client) -> None:
    assert asked(client).content == b"ann@acme.example in acme"


def test_a_stranger_is_sent_to_sign_in_and_from_there_back(db: None, client: Client) -> None:
    assert asked(client)["Location"] == "/sign-in/?next=%2Finbox%2F7%2F%3Ftab%3Da"
    too_late = asked(client, "POST")
    assert (too_late.status_code, "Location" in too_late) == (401, False), "a form is not sent again by a link"
    assert 'href="/sign-in/?next=%2Finbox%2F7%2F%3Ftab%3Da"' in too_late.text


def test_a_deactivated_member_is_out_at_the_next_request(ann: Membership, client: Client) -> None:
    assert asked(client).status_code == 200
    deactivate_member(tenant=ann.tenant, actor="system", member_id=ann.id)
    assert asked(client).status_code == 302


@pytest.mark.parametrize("gone", ["user", "tenant", "membership"])
def test_whatever_ends_a_membership_ends_the_session(ann: Membership, client: Client, gone: str) -> None:
    assert asked(client).status_code == 200
    with unscoped("rows for a test"):
        if gone == "user":
            User.objects.filter(id=ann.user_id).update(is_active=False)
        elif gone == "tenant":
            Tenant.objects.filter(id=ann.tenant_id).update(is_active=False)
        else:
            Membership.objects.filter(id=ann.id).delete()
    assert asked(client).status_code == 302


def test_an_operator_who_is_signed_in_at_the_console_is_no_member(
    acme: Customer, client: Client, admin_user: User
) -> None:
    client.force_login(admin_user)
    assert asked(client).status_code == 302
    assert client.get("/api/v1/me").status_code == 401


def test_another_tenant_in_the_session_opens_nothing(ann: Membership, client: Client, globex: Customer) -> None:
    session = client.session
    session["tenant_id"] = str(globex.tenant.id)
    session.save()
    assert asked(client).status_code == 302
    assert client.get("/api/v1/me").status_code == 401


def test_the_same_is_known_without_a_view(ann: Membership, client: Client) -> None:
    request = HttpRequest()
    request.session = SessionStore(client.cookies["sessionid"].value)
    found = signed_in_member(request)
    assert found is not None
    assert found.id == ann.id
