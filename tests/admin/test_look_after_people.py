"""Operators invite people, end what they may do, and give tenants a sign-in of their own."""

from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from tenants.entitlements.kept import forget_entitlements
from tenants.entitlements.tiers import FEATURES_OF_TIERS, TIERS
from tenants.limits.room import BOUNDS
from tenants.members.mails import mail_due_invitations
from tenants.models import IdentityProvider, Invitation, Membership, User
from tenants.sealing import open_from
from tenants.sign_in.providers import provider_by_key
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


def test_who_finds_no_room_is_not_invited_and_the_page_says_so(
    console: Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BOUNDS, "members", replace(BOUNDS["members"], most=1))  # type: ignore[arg-type]  # a dict, for this
    assert "was added successfully" in invite(console, acme).text
    assert "A tenant has at most 1 members." in invite(console, acme, email="eve@acme.example").text
    assert len(rows(Invitation)) == 1


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


def test_only_a_tier_that_includes_it_sets_a_provider_and_one_that_is_set_goes_on(
    console: Client, acme: Customer, globex: Customer, settings: Any
) -> None:
    assert save(console, globex).status_code == 302
    (kept,) = rows(IdentityProvider)
    for tier in TIERS:
        settings.DEFAULT_TIER = tier
        for customer in (acme, globex):
            forget_entitlements(customer.tenant.id)
        answer = save(console, acme)
        if "own_identity_provider" in FEATURES_OF_TIERS[tier]:
            assert answer.status_code == 302
            continue
        assert answer.status_code == 402
        assert f"The tier {tier} does not include an identity provider" in unescape(answer.text)
        assert [row.pk for row in rows(IdentityProvider)] == [kept.pk]
        found = provider_by_key(str(kept.pk))
        assert found is not None, "people go on signing in"
        assert found.is_active
        assert save(console, globex, kept, client_id=tier).status_code == 302, "one that is set is looked after"
        assert {row.client_id for row in rows(IdentityProvider)} == {tier}
    assert tier == "enterprise"


def test_a_provider_that_was_turned_off_is_turned_on_again_only_where_the_tier_includes_it(
    console: Client, acme: Customer, settings: Any
) -> None:
    off = {**{name: value for name, value in PROVIDER.items() if name != "is_active"}, "tenant": str(acme.tenant.pk)}
    assert console.post(reverse("admin:tenants_identityprovider_add"), off).status_code == 302
    (row,) = rows(IdentityProvider)
    settings.DEFAULT_TIER = "professional"
    forget_entitlements(acme.tenant.id)
    assert save(console, acme, row, new_secret="").status_code == 402
    settings.DEFAULT_TIER = "enterprise"
    forget_entitlements(acme.tenant.id)
    assert save(console, acme, row, new_secret="").status_code == 302
