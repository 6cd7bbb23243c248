"""Operators invite people, end what they may do, and give tenants a sign-in of their own."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from tenants.members.mails import mail_due_invitations
from tenants.models import IdentityProvider, Invitation, Membership, User
from tenants.sealing import open_from
from tests.conftest import Customer
from tests.support.tasks import make_member

PROVIDER = {
    "issuer": "https://login.example.com/acme", "client_id": "us", "new_secret": "a secret of theirs",
    "scopes": "openid email", "groups_claim": "groups", "group_map": '{"fin": "finance"}',
    "role_map": '{"bosses": "admin"}', "allowed_domains": "acme.example, acme.test", "is_active": "on",
}  # fmt: skip


def rows(kind: Any) -> list[Any]:
    with unscoped("looking at what was written"):
        return list(kind.objects.select_related("tenant"))


def invite(console: Client, customer: Customer, **more: str) -> Any:
    asked = {
        "tenant": str(customer.tenant.pk),
        "email": "Ann@Acme.Example",
        "role": "reviewer",
        "groups": "finance, legal",
    }
    return console.post(reverse("admin:tenants_invitation_add"), {**asked, **more}, follow=True)


def test_somebody_is_invited_by_mail(console: Client, acme: Customer) -> None:
    answer = invite(console, acme)
    assert [str(said) for said in answer.context["messages"]] == [
        "The invitation “ann@acme.example” was added successfully."
    ]
    assert mail_due_invitations() == 1
    (row,) = rows(Invitation)
    assert (row.email, row.groups, row.status) == ("ann@acme.example", ["finance", "legal"], "open")
    (sent,) = mail.outbox
    assert (sent.to, "/sign-in/" in sent.body) == (["ann@acme.example"], True)
    page = console.get(reverse("admin:tenants_invitation_change", args=[row.pk])).text
    assert 'name="_save"' not in page


def test_people_are_shown_by_name_and_e_mail(console: Client, acme: Customer) -> None:
    member = make_member(acme.tenant, "ann")
    page = console.get(reverse("admin:tenants_membership_changelist")).text
    assert "Ann &lt;ann@acme.example&gt;" in page
    with unscoped("a person without a name"):
        User.objects.filter(id=member.user_id).update(first_name="", username="idp_4f2a9c")
    page = console.get(reverse("admin:tenants_membership_changelist")).text
    assert "&lt;ann@acme.example&gt;" in page
    assert "idp_4f2a9c" not in page


def test_who_is_a_member_already_is_not_invited_and_the_page_says_so(console: Client, acme: Customer) -> None:
    make_member(acme.tenant, "ann")
    answer = invite(console, acme)
    assert "Somebody with this e-mail is a member already" in answer.text
    assert not rows(Invitation)


def test_a_group_that_cannot_be_one_is_refused(console: Client, acme: Customer) -> None:
    assert "has no comma and no @" in invite(console, acme, groups="a@b").text
    assert not rows(Invitation)


def test_the_last_admin_stays_and_the_page_says_so(console: Client, acme: Customer) -> None:
    boss, ann = make_member(acme.tenant, "boss", role="admin"), make_member(acme.tenant, "ann")
    asked = {"action": "deactivate_members", "_selected_action": [str(boss.id), str(ann.id)], "confirmed": "1"}
    answer = console.post(reverse("admin:tenants_membership_changelist"), asked, follow=True)
    assert "last active admin" in answer.text
    assert {one.user_id: one.deactivated_at is None for one in rows(Membership)} == {
        boss.user_id: True,
        ann.user_id: False,
    }


def test_a_membership_stays_its_person_s_and_its_groups_are_names(
    console: Client, acme: Customer, globex: Customer
) -> None:
    ann, eve = make_member(acme.tenant, "ann", "finance"), make_member(globex.tenant, "eve")
    address = reverse("admin:tenants_membership_change", args=[ann.pk])
    moved = {"tenant": str(globex.tenant.pk), "user": str(eve.user_id), "role": "auditor", "groups": "legal"}
    assert console.post(address, moved).status_code == 302
    (row,) = [one for one in rows(Membership) if one.pk == ann.pk]
    assert (row.user_id, row.tenant_id) == (ann.user_id, acme.tenant.pk)
    assert (row.role, row.groups) == ("auditor", ["legal"]), "what may be changed is"
    answer = console.post(address, {**moved, "groups": "a@b"})
    assert (answer.status_code, "has no comma and no @" in answer.text) == (200, True)


def test_the_last_admin_s_role_stays_until_there_is_another(console: Client, acme: Customer) -> None:
    boss = make_member(acme.tenant, "boss", role="admin")
    address = reverse("admin:tenants_membership_change", args=[boss.pk])
    lower = {"role": "reviewer", "groups": "legal"}
    answer = console.post(address, lower)
    assert (answer.status_code, "last active admin" in answer.text) == (200, True)
    assert console.post(address, {**lower, "role": "admin"}).status_code == 302, "their groups may change"
    assert [(one.role, one.groups) for one in rows(Membership)] == [("admin", ["legal"])]
    make_member(acme.tenant, "other", role="admin")
    assert console.post(address, lower).status_code == 302
    assert {one.role for one in rows(Membership) if one.pk == boss.pk} == {"reviewer"}


def save(console: Client, customer: Customer, row: IdentityProvider | None = None, **more: str) -> Any:
    asked = {"tenant": str(customer.tenant.pk), **PROVIDER, **more}
    name, arguments = ("add", []) if row is None else ("change", [row.pk])
    return console.post(reverse(f"admin:tenants_identityprovider_{name}", args=arguments), asked)


def test_a_tenant_gets_a_provider_whose_secret_nobody_reads(console: Client, acme: Customer) -> None:
    assert save(console, acme).status_code == 302
    (row,) = rows(IdentityProvider)
    assert (row.group_map, row.role_map) == ({"fin": "finance"}, {"bosses": "admin"})
    assert row.allowed_domains == ["acme.example", "acme.test"]
    assert open_from(row, "client_secret") == "a secret of theirs"
    page = console.get(reverse("admin:tenants_identityprovider_change", args=[row.pk])).text
    entries = [str([one.before, one.after]) for one in rows(Entry)]
    assert "a secret of theirs" not in page + "".join(entries)
    assert "/oidc/callback/, post-logout redirect URI http" in page, "what to register there"
    assert save(console, acme, row, new_secret="", client_id="others").status_code == 302
    (row,) = rows(IdentityProvider)
    assert (row.client_id, open_from(row, "client_secret")) == ("others", "a secret of theirs")


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "ftp://login.example.com"},
        {"issuer": "https://login.example.com/?tenant=1"},
        {"issuer": "https://10.0.0.1/"},
        {"new_secret": ""},
        {"group_map": '["finance"]'},
        {"group_map": '{"fin": 1}'},
        {"group_map": '{"fin": "a@b"}'},
        {"role_map": '{"bosses": "owner"}'},
        {"allowed_domains": "@acme.example"},
        {"allowed_domains": "ACME.example"},
    ],
    ids=str,
)
def test_a_provider_that_could_not_work_is_refused(console: Client, acme: Customer, wrong: dict[str, str]) -> None:
    assert save(console, acme, **wrong).status_code == 200
    assert not rows(IdentityProvider)
    assert save(console, acme).status_code == 302
