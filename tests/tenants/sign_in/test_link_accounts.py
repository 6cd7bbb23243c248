"""Members whose provider has moved come with a new account, once their tenant lets them; nobody else gets theirs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import unscoped
from tenants.members.services import deactivate_member, invite_member
from tenants.models import Identity, Membership, Tenant, User
from tests.conftest import Customer
from tests.support.issuer import Issuer, give_provider, sign_in

ANN = "ann@acme.example"
Api = Callable[[Customer], APIClient]


@pytest.fixture
def ann(acme: Customer, issuer: Issuer) -> Membership:
    """She has come with her account at the old provider; her tenant has got a new one."""
    invite_member(tenant=acme.tenant, actor="system", email=ANN, role="admin", groups=["finance"])
    assert sign_in(Client(), issuer, "sub-ann", ANN).status_code == 302
    with unscoped("looking at what was written"):
        return Membership.objects.get(user__email=ANN)


@pytest.fixture
def moved(ann: Membership, second_issuer: Issuer) -> Issuer:
    give_provider(ann.tenant, second_issuer)
    return second_issuer


def come(issuer: Issuer, email: str = ANN, subject: str = "sub-new", **more: Any) -> Any:
    return sign_in(Client(), issuer, subject, email, tenant="acme", more=more)


def invite(client: Client, email: str = ANN) -> Any:
    return client.post("/api/v1/invitations", {"email": email})


def test_an_invited_member_comes_with_the_new_account_and_is_the_same(
    acme: Customer, api: Api, ann: Membership, moved: Issuer
) -> None:
    assert "NOT_INVITED" in come(moved).text
    assert invite(api(acme)).status_code == 201
    assert "EMAIL_UNVERIFIED" in come(moved, email_verified=False).text
    assert come(moved, "eve@acme.example").status_code == 403
    assert come(moved).status_code == 302
    with unscoped("looking at what was written"):
        assert {one.issuer for one in Identity.objects.filter(user=ann.user)} == {
            ann.user.identities.first().issuer,
            moved.url,
        }
        member = Membership.objects.get(user=ann.user)
        assert User.objects.filter(email=ANN).count() == 1
        (entry,) = Entry.objects.filter(action="member.account_linked")
    assert (member.id, member.role, member.groups) == (ann.id, "admin", ["finance"]), "the invitation changes neither"
    assert (entry.object_id, entry.after["issuer"]) == (str(ann.id), moved.url)
    assert come(moved).status_code == 302, "it is known now"
    assert come(moved, subject="sub-third").status_code == 403, "the invitation was good for one"


def test_the_old_account_uses_the_invitation_up(acme: Customer, api: Api, issuer: Issuer, moved: Issuer) -> None:
    assert invite(api(acme)).status_code == 201
    assert sign_in(Client(), issuer, "sub-ann", ANN).status_code == 302
    assert come(moved).status_code == 403


def make_deactivated(ann: Membership) -> None:
    Membership.objects.create(tenant=ann.tenant, user=User.objects.create(username="other"), role="admin")
    deactivate_member(tenant=ann.tenant, actor="system", member_id=ann.id)


def make_operator(ann: Membership) -> None:
    User.objects.filter(id=ann.user_id).update(is_staff=True)


def make_member_elsewhere(ann: Membership) -> None:
    elsewhere = Tenant.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(tenant=elsewhere, user=ann.user)


@pytest.mark.parametrize("change", [make_deactivated, make_operator, make_member_elsewhere])
def test_who_has_more_to_lose_gets_no_account_by_an_invitation(
    acme: Customer, api: Api, ann: Membership, moved: Issuer, change: Callable[[Membership], None]
) -> None:
    client = api(acme)
    assert invite(client).status_code == 201, "she herself may be invited"
    with unscoped("rows for a test"):
        change(ann)
        before = [Membership.objects.count(), User.objects.count()]
    again = invite(client)
    assert (again.status_code, again.json()["code"]) == (409, "MEMBER_EXISTS")
    assert come(moved).status_code == 403, "nor by one that is open still"
    with unscoped("looking at what was written"):
        assert [Membership.objects.count(), User.objects.count()] == before
        assert ann.user.identities.count() == 1
