"""Several rows in one statement: all of them or none, and as they would be had the ORM inserted each."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection

from audit.models import Entry
from audit.services import new_rows
from audit.types import AuditObject
from foundation.inserts import insert_together
from foundation.scope import tenant_scope
from tenants.models import ApiKey, Tenant
from tests.conftest import Customer


def entry_of(tenant: Tenant, text: str) -> Entry:
    (entry,) = new_rows("tests.done", AuditObject("test", text, tenant.id), actor="system", after={"text": text})
    return entry


def key_of(tenant: Tenant, public_id: str) -> ApiKey:
    return ApiKey(tenant=tenant, name="made here", public_id=public_id, secret_hash=b"\x00\xff", scopes=["a", "b"])


def counts(tenant: Tenant) -> tuple[int, int]:
    with tenant_scope(tenant.id):
        return Entry.objects.filter(action="tests.done").count(), ApiKey.objects.filter(name="made here").count()


def test_rows_are_read_back_as_they_were(acme: Customer) -> None:
    entry, key = entry_of(acme.tenant, "50 % \" ' {}"), key_of(acme.tenant, "one")
    with tenant_scope(acme.tenant.id):
        insert_together(entry, key)
        assert not entry._state.adding
        found, same = Entry.objects.get(id=entry.id), ApiKey.objects.get(id=key.id)
    for row, read in ((entry, found), (key, same)):
        for field in row._meta.concrete_fields:
            ours, theirs = getattr(row, field.attname), getattr(read, field.attname)
            assert (bytes(theirs) if isinstance(theirs, memoryview) else theirs) == ours, field.name


def test_it_is_one_statement(acme: Customer) -> None:
    sent: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with tenant_scope(acme.tenant.id), connection.execute_wrapper(note):
        insert_together(entry_of(acme.tenant, "a"), key_of(acme.tenant, "b"))
    assert len(sent) == 1
    assert counts(acme.tenant) == (1, 1)


def test_one_that_is_refused_takes_the_others_with_it(acme: Customer) -> None:
    with tenant_scope(acme.tenant.id):
        insert_together(key_of(acme.tenant, "taken"))
    with pytest.raises(IntegrityError, match="public_id"), tenant_scope(acme.tenant.id):
        insert_together(entry_of(acme.tenant, "lost"), key_of(acme.tenant, "taken"))
    assert counts(acme.tenant) == (0, 1)
