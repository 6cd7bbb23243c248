"""Every page of the console, from its registry: a page added later is opened here too, or these tests fail."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django.plugin import DjangoDbBlocker

from foundation.scope import unscoped
from runs.models import ModelPrice, NotificationTarget
from segments.models import PromptTemplate
from tenants.models import (
    ApiKey,
    Connection,
    IdentityProvider,
    InstalledLicence,
    Invitation,
    LimitOverride,
    Membership,
    Tenant,
    TenantTrial,
    User,
)
from tests.conftest import make_customer
from tests.support.admin_pages import MODELS, a_row_of, every_model, page
from tests.support.console import a_sealed_log, a_world
from tests.support.kept_rows import kept_rows

pytestmark = pytest.mark.django_db
MADE_HERE = {
    InstalledLicence, TenantTrial, LimitOverride,
    Tenant, User, Group, Membership, Invitation, IdentityProvider, ApiKey, ModelPrice, Connection, PromptTemplate,
    NotificationTarget,
}  # fmt: skip
EDITED_HERE = {Tenant, User, Group, Membership, IdentityProvider, Connection, PromptTemplate, NotificationTarget}
EDITED_HERE |= {LimitOverride}
DELETED_HERE = {Membership, Connection, NotificationTarget, LimitOverride}


@pytest.fixture(scope="module", autouse=True)
def worlds(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Two tenants with a row of every kind, whom each test sees as they were made."""
    with kept_rows(django_db_blocker):
        a_sealed_log(a_world(make_customer("acme", "Acme").tenant).tenant)
        a_sealed_log(a_world(make_customer("globex", "Globex").tenant, name="greet-globex").tenant)
        yield


def test_something_is_registered() -> None:
    assert {Tenant, User, Membership, ApiKey} <= set(MODELS)
    assert len(MODELS) >= 10


@every_model
def test_the_list_opens(console: Client, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.get(page(model, "changelist"))
    assert answer.status_code == 200
    assert page(model, "change", row.pk) in answer.text
    assert str(admin.site._registry[model].list_help) in answer.text.replace("&#x27;", "'")  # type: ignore[attr-defined]  # ours has it


@every_model
def test_the_list_can_be_searched(console: Client, model: type[Model]) -> None:
    row = a_row_of(model)
    for term in [str(row.pk), "no such % ümlaut '"]:
        assert console.get(page(model, "changelist"), {"q": term}).status_code == 200


@every_model
def test_the_list_can_be_sorted_by_every_column(console: Client, model: type[Model]) -> None:
    columns = [f"-{column}" for column, _ in enumerate(admin.site._registry[model].list_display, start=1)]
    assert console.get(page(model, "changelist"), {"o": ".".join(columns)}).status_code == 200


@every_model
def test_the_add_form_opens_where_rows_are_made(console: Client, model: type[Model]) -> None:
    answer = console.get(page(model, "add"))
    assert answer.status_code == (200 if model in MADE_HERE else 403)


@every_model
def test_the_row_s_page_opens(console: Client, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.get(page(model, "change", row.pk))
    assert answer.status_code == 200
    assert ('name="_save"' in answer.text) == (model in EDITED_HERE)


@every_model
def test_the_row_s_history_opens(console: Client, model: type[Model]) -> None:
    assert console.get(page(model, "history", a_row_of(model).pk)).status_code == 200


@every_model
def test_rows_are_deleted_only_where_that_is_meant(console: Client, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.get(page(model, "delete", row.pk))
    assert answer.status_code == (200 if model in DELETED_HERE else 403)


@every_model
def test_rows_only_the_platform_writes_refuse_a_change(console: Client, model: type[Model]) -> None:
    row = a_row_of(model)
    answer = console.post(page(model, "change", row.pk), {})
    assert answer.status_code == (200 if model in EDITED_HERE else 403)


@every_model
def test_people_without_the_right_are_sent_to_sign_in(client: Client, model: type[Model]) -> None:
    with unscoped("rows for a test"):
        client.force_login(User.objects.get(username="reader-of-acme"))
    addresses = [page(model, "changelist"), page(model, "add"), page(model, "change", a_row_of(model).pk)]
    for address in addresses:
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


@every_model
def test_staff_without_rights_are_refused(client: Client, model: type[Model]) -> None:
    client.force_login(User.objects.create(username="clerk", is_staff=True))
    assert client.get(page(model, "changelist")).status_code == 403
    assert client.get(page(model, "change", a_row_of(model).pk)).status_code == 403
