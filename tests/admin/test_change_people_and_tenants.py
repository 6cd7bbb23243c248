"""Tenants, people and memberships: made and changed here, each time with an entry in the audit."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from audit.models import Entry
from foundation.scope import unscoped
from tenants.entitlements.effective import EffectiveLimit, LimitSource
from tenants.errors import KeyRefused
from tenants.limits.selectors import read_entitlements
from tenants.models import LimitOverride, Membership, Tenant, User
from tenants.selectors import find_caller
from tests.conftest import Customer

PASSWORD = "correct horse battery"


def entry_of(action: str) -> Entry:
    with unscoped("looking at what was written"):
        return Entry.objects.get(action=action)


def test_a_tenant_is_made(console: Client, operator: User) -> None:
    asked = {"slug": "initech", "name": "Initech", "is_active": "on", "weight": "1"}
    assert console.post(reverse("admin:tenants_tenant_add"), asked).status_code == 302
    made = Tenant.objects.get(slug="initech")
    entry = entry_of("tenant.created")
    assert entry.tenant_id == made.pk
    assert entry.actor == f"user:{operator.pk}"
    assert entry.after == {"slug": "initech", "name": "Initech"}


def test_a_deactivated_tenant_s_keys_are_refused_and_the_audit_says_what_changed(
    console: Client, acme: Customer
) -> None:
    assert find_caller(key_text=acme.key).tenant == acme.tenant
    address = reverse("admin:tenants_tenant_change", args=[acme.tenant.pk])
    console.post(address, {"name": "Acme", "weight": "1"})
    with pytest.raises(KeyRefused):
        find_caller(key_text=acme.key)
    entry = entry_of("tenant.changed")
    assert (entry.before, entry.after) == ({"is_active": True}, {"is_active": False})


@pytest.mark.parametrize(
    ("weight", "is_taken"), [("2.5", True), ("1000", True), ("1000.001", False), ("0", False), ("-1", False)]
)
def test_a_tenant_s_weight_is_above_zero(console: Client, acme: Customer, weight: str, is_taken: bool) -> None:
    address = reverse("admin:tenants_tenant_change", args=[acme.tenant.pk])
    console.post(address, {"name": "Acme", "is_active": "on", "weight": weight})
    acme.tenant.refresh_from_db()
    assert acme.tenant.weight == (Decimal(weight) if is_taken else 1)


def test_the_short_name_of_a_tenant_stays(console: Client, acme: Customer) -> None:
    address = reverse("admin:tenants_tenant_change", args=[acme.tenant.pk])
    console.post(address, {"slug": "other", "name": "Other", "is_active": "on", "weight": "1"})
    acme.tenant.refresh_from_db()
    assert (acme.tenant.slug, acme.tenant.name) == ("acme", "Other")


def test_a_person_is_made_and_can_sign_in_no_password_in_the_audit(console: Client) -> None:
    asked = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert console.post(reverse("admin:tenants_user_add"), asked).status_code == 302
    assert Client().login(username="ada", password=PASSWORD)
    assert PASSWORD not in str(entry_of("user.created").after)


def test_a_member_is_added_with_groups(console: Client, acme: Customer) -> None:
    ada = User.objects.create(username="ada")
    asked = {"tenant": str(acme.tenant.pk), "user": str(ada.pk), "role": "reviewer", "groups": "finance, legal"}
    assert console.post(reverse("admin:tenants_membership_add"), asked).status_code == 302
    with unscoped("looking at what was written"):
        membership = Membership.objects.get()
    assert membership.groups == ["finance", "legal"]
    assert entry_of("membership.created").tenant_id == acme.tenant.pk


def test_another_person_s_password_is_set_and_the_audit_says_so(console: Client) -> None:
    ada = User.objects.create(username="ada")
    fresh = "another battery staple"
    asked = {"password1": fresh, "password2": fresh, "usable_password": "true"}
    address = reverse("admin:auth_user_password_change", args=[ada.pk])
    assert console.get(address).status_code == 200
    assert console.post(address, asked).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(fresh)
    assert entry_of("user.password_changed").object_id == str(ada.pk)


@pytest.fixture
def clerk(client: Client) -> Client:
    person = User.objects.create(username="clerk", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    client.force_login(person)
    return client


def test_staff_who_may_edit_people_cannot_give_rights(db: None, clerk: Client) -> None:
    ada = User.objects.create(username="ada")
    address = reverse("admin:tenants_user_change", args=[ada.pk])
    asked = {"username": "ada", "first_name": "Ada", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert clerk.post(address, asked).status_code == 302
    ada.refresh_from_db()
    assert (ada.first_name, ada.is_staff, ada.is_superuser) == ("Ada", False, False)


def test_staff_cannot_take_a_superuser_s_place(db: None, clerk: Client, operator: User) -> None:
    address = reverse("admin:auth_user_password_change", args=[operator.pk])
    asked = {"password1": "taken over by me", "password2": "taken over by me", "usable_password": "true"}
    before = operator.password
    assert clerk.post(address, asked).status_code == 403
    operator.refresh_from_db()
    assert operator.password == before


def test_a_limit_is_set_changed_and_given_back(console: Client, acme: Customer) -> None:
    add = reverse("admin:tenants_limitoverride_add")
    fields = {"tenant": str(acme.tenant.pk), "limit": "runs_per_day"}
    assert console.post(add, fields).status_code == 200, "neither a number nor unlimited"
    assert console.post(add, {**fields, "value": "3", "unlimited": "on"}).status_code == 200, "both"
    assert console.post(add, {**fields, "value": "3"}).status_code == 302
    assert read_entitlements(acme.tenant.id).limit("runs_per_day") == 3
    with unscoped("looking at what was written"):
        row = LimitOverride.objects.get()
    change = reverse("admin:tenants_limitoverride_change", args=[row.pk])
    assert console.post(change, {}).status_code == 200
    assert console.post(change, {"unlimited": "on"}).status_code == 302
    assert read_entitlements(acme.tenant.id).limits["runs_per_day"] == EffectiveLimit(None, LimitSource.OVERRIDE)
    console.post(reverse("admin:tenants_limitoverride_delete", args=[row.pk]), {"post": "yes"})
    assert read_entitlements(acme.tenant.id).limits["runs_per_day"].source == LimitSource.INSTALLATION
    assert entry_of("limit_override.deleted").before == {"limit": "runs_per_day", "value": None}
