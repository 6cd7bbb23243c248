"""Members are invited, changed, deactivated; a tenant keeps an admin; each sees and changes what is theirs."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from rest_framework.test import APIClient

from audit.models import Entry
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tenants.members.errors import LastAdmin
from tenants.members.mails import mail_due_invitations
from tenants.members.services import accept_invitations, deactivate_member
from tenants.models import Invitation, Membership, User
from tests.conftest import Customer
from tests.support.tasks import make_member

Api = Callable[[Customer], APIClient]


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(item["pointer"], item["code"]) for item in answer.json()["errors"]]


def somebody(email: str = "ann@acme.example") -> User:
    return User.objects.create(username=email, email=email)


@pytest.fixture
def mails(settings: Any) -> list[Any]:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []
    return mail.outbox


def test_who_is_invited_joins_with_the_role_and_groups(acme: Customer, api: Api, mails: list[Any]) -> None:
    client = api(acme)
    made = client.post("/api/v1/invitations", {"email": "Ann@Acme.example", "groups": ["finance"]})
    assert (mail_due_invitations(), mail_due_invitations()) == (1, 0)
    assert (made.status_code, made.json()["status"], made.json()["email"]) == (201, "open", "ann@acme.example")
    (message,) = mails
    assert message.to == ["ann@acme.example"]
    assert "/sign-in/" in message.body
    assert client.get("/api/v1/invitations").json()["data"][0]["mailed_at"] is not None
    (member,) = accept_invitations(user=somebody(), email="ANN@acme.example")
    read = client.get(f"/api/v1/members/{member.id}").json()
    assert (read["role"], read["groups"], read["is_active"]) == ("reviewer", ["finance"], True)
    assert client.get("/api/v1/invitations").json()["data"][0]["status"] == "accepted"
    assert accept_invitations(user=somebody("other"), email="ann@acme.example") == [], "it is used"


def test_a_mail_that_nobody_takes_is_told_and_the_invitation_stays(acme: Customer, api: Api, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "django.core.mail.backends.smtp.EmailBackend", "127.0.0.1"
    settings.EMAIL_PORT = 1
    assert api(acme).post("/api/v1/invitations", {"email": "ann@acme.example"}).status_code == 201
    assert (mail_due_invitations(), mail_due_invitations()) == (1, 0)
    (row,) = api(acme).get("/api/v1/invitations").json()["data"]
    assert (row["status"], row["mailed_at"]) == ("open", None)
    assert "ConnectionRefusedError" in row["mail_error"]


def test_an_address_no_sign_in_could_prove_is_not_invited(acme: Customer, api: Api) -> None:
    asked = {"email": "ken@acme.example", "role": "reviewer"}
    assert api(acme).post("/api/v1/invitations", asked).status_code == 201
    for email in ("\u212aen@acme.example", "ken@\u00e4cme.example"):
        answer = api(acme).post("/api/v1/invitations", {**asked, "email": email})
        assert codes(answer) == [("/email", "EMAIL_NOT_ASCII")]


def test_inviting_again_renews_and_a_member_is_not_invited(acme: Customer, api: Api) -> None:
    client = api(acme)
    first = client.post("/api/v1/invitations", {"email": "ann@acme.example"}).json()
    again = client.post("/api/v1/invitations", {"email": "ann@acme.example", "role": "admin"}).json()
    assert (again["invitation_id"], again["role"]) == (first["invitation_id"], "admin")
    make_member(acme.tenant, "bob")
    refused = client.post("/api/v1/invitations", {"email": "bob@acme.example"})
    assert (refused.status_code, refused.json()["code"]) == (409, "MEMBER_EXISTS")


@pytest.mark.parametrize("how", ["revoked", "expired", "another_mail"])
def test_only_an_open_invitation_of_ones_own_lets_in(acme: Customer, api: Api, how: str) -> None:
    client = api(acme)
    made = client.post("/api/v1/invitations", {"email": "ann@acme.example"}).json()
    if how == "revoked":
        assert client.delete(f"/api/v1/invitations/{made['invitation_id']}").status_code == 204
        assert client.delete(f"/api/v1/invitations/{made['invitation_id']}").status_code == 409
    with tenant_scope(acme.tenant.id):
        if how == "expired":
            Invitation.objects.update(expires_at=utc_now() - timedelta(seconds=1))
    email = "eve@acme.example" if how == "another_mail" else "ann@acme.example"
    assert accept_invitations(user=somebody(email), email=email) == []
    with tenant_scope(acme.tenant.id):
        assert not Membership.objects.exists()


def test_an_invitation_of_one_tenant_lets_into_no_other(acme: Customer, globex: Customer, api: Api) -> None:
    api(acme).post("/api/v1/invitations", {"email": "ann@acme.example"})
    user = somebody()
    assert accept_invitations(user=user, email="ann@acme.example", tenant=globex.tenant) == []
    (member,) = accept_invitations(user=user, email="ann@acme.example", tenant=acme.tenant)
    assert member.tenant_id == acme.tenant.id


def test_role_and_groups_are_changed_and_told(acme: Customer, api: Api) -> None:
    member = make_member(acme.tenant, "ann", "finance")
    changed = api(acme).patch(f"/api/v1/members/{member.id}", {"role": "auditor", "groups": ["legal", "legal"]})
    assert (changed.json()["role"], changed.json()["groups"]) == ("auditor", ["legal"])
    wrong = api(acme).patch(f"/api/v1/members/{member.id}", {"groups": ["ok", "a@b"]})
    assert codes(wrong) == [("/groups/1", "GROUP_NAME")]
    assert api(acme).patch(f"/api/v1/members/{member.id}", {"role": "auditor"}).status_code == 200, "nothing is changed"
    with tenant_scope(acme.tenant.id):
        told = Entry.objects.get(action="member.changed")
    assert (told.before["role"], told.after["role"]) == ("reviewer", "auditor")


def test_the_last_admin_stays(acme: Customer, api: Api) -> None:
    first, second = (make_member(acme.tenant, name, role="admin") for name in ("ann", "bob"))
    client = api(acme)
    assert client.post(f"/api/v1/members/{second.id}/deactivate").status_code == 200, "not the last"
    for call in (
        client.post(f"/api/v1/members/{first.id}/deactivate"),
        client.patch(f"/api/v1/members/{first.id}", {"role": "reviewer"}),
    ):
        assert (call.status_code, call.json()["code"]) == (409, "LAST_ADMIN")
    assert client.post(f"/api/v1/members/{second.id}/reactivate").json()["is_active"]
    assert client.patch(f"/api/v1/members/{first.id}", {"role": "reviewer"}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_admins_who_end_each_other_one_stays(acme: Customer) -> None:
    pair = [make_member(acme.tenant, name, role="admin") for name in ("ann", "bob")]
    start = threading.Barrier(2, timeout=30)

    def end(member: Membership) -> bool:
        start.wait()
        try:
            deactivate_member(tenant=acme.tenant, actor="user:1", member_id=member.id)
        except LastAdmin:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(end, pair)) == [False, True]


def test_an_absence_is_said_and_taken_back(acme: Customer, api: Api) -> None:
    ann, bob = make_member(acme.tenant, "ann"), make_member(acme.tenant, "bob")
    client, path = api(acme), f"/api/v1/members/{ann.id}/absence"
    until = (utc_now() + timedelta(days=3)).isoformat()
    away = {"away_from": utc_now().isoformat(), "away_until": until, "stands_in": str(bob.id)}
    assert client.put(path, away).json()["absence"]["stands_in"] == str(bob.id)
    for change, code in (
        ({"away_until": "2020-01-01T00:00:00Z"}, "ENDS_TOO_EARLY"),
        ({"stands_in": str(ann.id)}, "ONESELF"),
        ({"stands_in": str(make_member(acme.tenant, "eve", role="auditor").id)}, "MEMBER_UNKNOWN"),
    ):
        assert [found for _, found in codes(client.put(path, {**away, **change}))] == [code]
    assert client.delete(path).json()["absence"] is None


def test_a_stand_in_of_another_tenant_is_unknown(acme: Customer, globex: Customer, api: Api) -> None:
    ann, gil = make_member(acme.tenant, "ann"), make_member(globex.tenant, "gil")
    away = {"away_from": utc_now().isoformat(), "stands_in": str(gil.id)}
    assert codes(api(acme).put(f"/api/v1/members/{ann.id}/absence", away)) == [("/stands_in", "MEMBER_UNKNOWN")]
