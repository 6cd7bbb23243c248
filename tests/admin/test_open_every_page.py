"""Every page of the console, from its registry: a page added later is opened here too, or these tests fail."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from foundation.scope import unscoped
from runs.models import ModelPrice, NotificationTarget
from segments.models import PromptTemplate
from tenants.models import ApiKey, Connection, IdentityProvider, Invitation, Membership, Tenant, User
from tests.support.console import World

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
MADE_HERE = {
    Tenant, User, Group, Membership, Invitation, IdentityProvider, ApiKey, ModelPrice, Connection, PromptTemplate,
    NotificationTarget,
}  # fmt: skip
EDITED_HERE = {Tenant, User, Group, Membership, IdentityProvider, Connection, PromptTemplate, NotificationTarget}
DELETED_HERE = {Membership, Connection, NotificationTarget}
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def a_row_of(model: type[Model]) -> Model:
    with unscoped("rows for a test"):
        row = model._default_manager.first()
    assert row is not None, f"tests.support.console.a_world writes no {model._meta.label}"
    return row


def test_something_is_registered() -> None:
    assert {Tenant, User, Membership, ApiKey} <= set(MODELS)
    assert len(MODELS) >= 10


@every_model
def test_the_list_opens(console: Client, acme_world: World, globex_world: World, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.get(page(model, "changelist"))
    assert answer.status_code == 200
    assert page(model, "change", row.pk) in answer.text
    assert str(admin.site._registry[model].list_help) in answer.text.replace("&#x27;", "'")  # type: ignore[attr-defined]  # ours has it


@every_model
def test_an_empty_list_opens(console: Client, model: type[Model]) -> None:
    assert console.get(page(model, "changelist")).status_code == 200


@every_model
def test_the_list_can_be_searched(console: Client, acme_world: World, model: type[Model]) -> None:
    row = a_row_of(model)
    for term in [str(row.pk), "no such % ümlaut '"]:
        assert console.get(page(model, "changelist"), {"q": term}).status_code == 200


@every_model
def test_the_list_can_be_sorted_by_every_column(console: Client, acme_world: World, model: type[Model]) -> None:
    for column, _ in enumerate(admin.site._registry[model].list_display, start=1):
        assert console.get(page(model, "changelist"), {"o": f"-{column}"}).status_code == 200


@every_model
def test_the_add_form_opens_where_rows_are_made(console: Client, acme_world: World, model: type[Model]) -> None:
    answer = console.get(page(model, "add"))
    assert answer.status_code == (200 if model in MADE_HERE else 403)


@every_model
def test_the_row_s_page_opens(console: Client, acme_world: World, globex_world: World, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.get(page(model, "change", row.pk))
    assert answer.status_code == 200
    assert ('name="_save"' in answer.text) == (model in EDITED_HERE)


@every_model
def test_the_row_s_history_opens(console: Client, acme_world: World, model: type[Model]) -> None:
    assert console.get(page(model, "history", a_row_of(model).pk)).status_code == 200


@every_model
def test_rows_are_deleted_only_where_that_is_meant(console: Client, acme_world: World, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.get(page(model, "delete", row.pk))
    assert answer.status_code == (200 if model in DELETED_HERE else 403)


@every_model
def test_rows_only_the_platform_writes_refuse_a_change(console: Client, acme_world: World, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.post(page(model, "change", row.pk), {})
    assert answer.status_code == (200 if model in EDITED_HERE else 403)


@every_model
def test_an_unknown_row_leads_home(console: Client, model: type[Model]) -> None:
    for unknown in ["01890000-0000-7000-8000-000000000000", "7", "nonsense"]:
        answer = console.get(page(model, "change", unknown))
        assert answer.status_code == 302
        assert answer["Location"] == reverse("admin:index")


@every_model
def test_people_without_the_right_are_sent_to_sign_in(client: Client, acme_world: World, model: type[Model]) -> None:
    with unscoped("rows for a test"):
        client.force_login(User.objects.get(username="reader-of-acme"))
    addresses = [page(model, "changelist"), page(model, "add"), page(model, "change", a_row_of(model).pk)]
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


@every_model
def test_staff_without_rights_are_refused(client: Client, acme_world: World, model: type[Model]) -> None:
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    assert client.get(page(model, "changelist")).status_code == 403
    assert client.get(page(model, "change", a_row_of(model).pk)).status_code == 403
