"""A new key takes over: what older ones sealed is sealed anew, wherever it is, and then opens without them."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command

from foundation.scope import unscoped
from tenants.callback_signing.secrets import rotate_callback_secret
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.models import CallbackSecret, Connection
from tenants.sealing import SealedField, key_ring, open_from
from tests.conftest import Customer

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture(autouse=True)
def keys(settings: Any) -> Iterator[None]:
    settings.SECRET_KEYS = {"old": OLD}
    key_ring.cache_clear()
    yield
    key_ring.cache_clear()


def use(settings: Any, **ring: bytes) -> None:
    settings.SECRET_KEYS = ring
    key_ring.cache_clear()


def rotate() -> str:
    told = StringIO()
    call_command("rotate_secrets", stdout=told)
    return told.getvalue()


def sealed_texts() -> list[str]:
    with unscoped("a test reads every row"):
        return [
            getattr(row, field.name)
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if isinstance(field, SealedField)
            for row in model._default_manager.exclude(**{field.name: ""})
        ]


def test_everything_is_sealed_anew_and_the_old_key_may_go(acme: Customer, globex: Customer, settings: Any) -> None:
    for customer in (acme, globex):
        spec = ConnectionSpec(kind="http", base_url="https://crm.example.com", auth="bearer")
        save_connection(tenant=customer.tenant, actor="system", ref="crm", spec=spec, secret=customer.tenant.slug)
        rotate_callback_secret(tenant=customer.tenant)
    assert len(sealed_texts()) >= 4
    assert all(text.startswith("s1.old.") for text in sealed_texts())
    use(settings, new=NEW, old=OLD)
    told = rotate()
    assert "tenants.Connection: 2 sealed anew" in told
    assert all(text.startswith("s1.new.") for text in sealed_texts())
    use(settings, new=NEW)
    with unscoped("a test reads every row"):
        opened = {open_from(row, "secret") for row in Connection.objects.all()}
        assert open_from(CallbackSecret.objects.all()[0], "secret").startswith("whsec_")
    assert opened == {"acme", "globex"}


def test_a_second_time_changes_nothing(acme: Customer, settings: Any) -> None:
    spec = ConnectionSpec(kind="http", base_url="https://crm.example.com", auth="bearer")
    save_connection(tenant=acme.tenant, actor="system", ref="crm", spec=spec, secret="secret")
    use(settings, new=NEW, old=OLD)
    rotate()
    before = sealed_texts()
    assert "tenants.Connection: 0 sealed anew" in rotate()
    assert sealed_texts() == before
