"""The console: no page of it answers a tenant's people and programs, and a page of one tenant shows nothing of another.

It is the operator's, and works for all tenants at once: neither wall stands in it. What keeps its pages of one tenant
to that tenant is what each asks for. The pages come from the URL resolver, the rows from the registry.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from pytest_django.plugin import DjangoDbBlocker

from foundation.scope import unscoped
from tenants.models import Membership, Tenant, User
from tests.conftest import make_customer
from tests.support.admin_pages import MODELS, page
from tests.support.console import a_sealed_log, a_world
from tests.support.inbox import client_of
from tests.support.kept_rows import kept_rows

pytestmark = pytest.mark.django_db
CANARY = "canary-globex"
OPEN = {"login", "logout"}
"""Pages that answer anybody, and show nothing: who signs in is not known yet."""
AT_ONCE = {"try_it"}
"""Does what it says at once: tests/tenants/sign_in/test_try_a_provider.py."""
OF_TENANTS = [model for model in MODELS if any(field.name == "tenant" for field in model._meta.fields)]
every_model_of_tenants = pytest.mark.parametrize("model", OF_TENANTS, ids=lambda model: model._meta.label)


@pytest.fixture(scope="module", autouse=True)
def worlds(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, str]]:
    """Two tenants with a row of every kind; every text of the second one's has its name."""
    with kept_rows(django_db_blocker):
        acme, theirs = make_customer("acme", "Acme"), make_customer(CANARY, CANARY)
        a_world(acme.tenant)
        a_world(theirs.tenant, name=f"greet-{CANARY}")
        a_sealed_log(acme.tenant)
        a_sealed_log(theirs.tenant)
        yield {"acme": acme.key}


def addresses() -> Iterator[tuple[str, str]]:
    """Every page of the console by name, with ids of rows that may be there."""

    def walk(patterns: Any, prefix: str) -> Iterator[tuple[str, str]]:
        for pattern in patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern):
                yield pattern.name or "", path

    yield from walk(admin.site.urls[0], "")


def named(path: str) -> str:
    """The address of a page, of the first row where it is one row's."""
    with unscoped("rows for a test"):
        tenant = Tenant.objects.get(slug="acme")
    text = path.replace("<path:object_id>", str(tenant.pk)).replace("<id>", str(tenant.pk))
    return f"/admin/{text}"


def row_of(model: type[Model], slug: str) -> Model:
    with unscoped("rows for a test"):
        row = model._default_manager.filter(tenant__slug=slug).first()
    assert row is not None, f"tests.support.console.a_world writes no {model._meta.label}"
    return row


def test_no_page_answers_a_tenant_s_people_or_programs(client: Client, worlds: dict[str, str]) -> None:
    with unscoped("rows for a test"):
        member = Membership.objects.select_related("user").get(tenant__slug="acme")
        Membership.objects.filter(pk=member.pk).update(role="admin")
    signed_in, program = client_of(member), Client(headers={"Authorization": f"Bearer {worlds['acme']}"})
    count = 0
    for name, path in addresses():
        if "(?P" in path or name in OPEN:
            continue
        address, count = named(path), count + 1
        for who in (signed_in, program, client):
            answer = who.get(address)
            assert answer.status_code in {302, 404}, address
            assert answer.status_code == 404 or answer["Location"].startswith(reverse("admin:login")), address
            assert CANARY not in answer.content.decode()
    assert count > 150


@every_model_of_tenants
def test_a_list_of_one_tenant_has_no_row_of_another(console: Client, model: type[Model]) -> None:
    ours, theirs = row_of(model, "acme"), row_of(model, CANARY)
    everything = console.get(page(model, "changelist")).context["cl"].result_list
    assert {row.pk for row in everything} >= {ours.pk, theirs.pk}, "an operator sees both"
    tenant_id = ours.tenant_id  # type: ignore[attr-defined]  # chosen for it
    found = console.get(page(model, "changelist"), {"tenant__id__exact": str(tenant_id)}).context["cl"].result_list
    assert {row.tenant_id for row in found} == {tenant_id}


@every_model_of_tenants
def test_a_page_of_one_tenant_s_row_has_no_word_of_another(console: Client, model: type[Model]) -> None:
    ours, theirs = row_of(model, "acme"), row_of(model, CANARY)
    buttons = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=[ours.pk])
        for name in admin.site._registry[model].actions_detail  # type: ignore[attr-defined]  # ours has it
        if name not in AT_ONCE
    ]
    for address in (page(model, "change", ours.pk), page(model, "history", ours.pk), *buttons):
        answer = console.get(address)
        assert answer.status_code in {200, 403}, address
        assert CANARY not in answer.content.decode(), address
    assert CANARY in console.get(page(model, "change", theirs.pk)).content.decode(), "its own shows it"


def test_the_people_of_this_test_are_no_operators() -> None:
    assert not User.objects.filter(is_staff=True).exists()
