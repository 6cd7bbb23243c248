"""Several rows in one statement: all of them or none, and as they would be had the ORM inserted each."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from audit.models import Entry, SealedEntry
from audit.services import new_rows
from audit.types import AuditObject
from foundation.inserts import insert_many, insert_together
from foundation.scope import tenant_scope, unscoped
from tenants.models import ApiKey, Tenant
from tests.conftest import Customer

SEALER = "leaves are the sealer's"


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


def leaf_of(tenant: Tenant, n: int, entry_id: UUID) -> SealedEntry:
    return SealedEntry(tenant=tenant, log_id=tenant.id, n=n, entry_id=entry_id, hash=b"\x00\xff", data=b'{"a": "\\"}')


def test_many_rows_of_one_model_are_read_back_as_they_were(acme: Customer) -> None:
    rows = [leaf_of(acme.tenant, n, uuid4()) for n in range(3)]
    sent: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return execute(sql, *rest)

    with unscoped(SEALER):
        with connection.execute_wrapper(note):
            insert_many(rows)
            insert_many([])
        found = list(SealedEntry.objects.filter(entry_id__in=[row.entry_id for row in rows]).order_by("id"))
    assert len(sent) == 1
    assert [(row.n, row.tenant_id, bytes(row.hash), bytes(row.data)) for row in found] == [
        (row.n, acme.tenant.id, row.hash, row.data) for row in rows
    ]


def test_of_many_rows_one_that_is_refused_takes_the_others_with_it(acme: Customer) -> None:
    taken = uuid4()
    with unscoped(SEALER):
        insert_many([leaf_of(acme.tenant, 0, taken)])
    with pytest.raises(IntegrityError, match="entry_id"), unscoped(SEALER), transaction.atomic():
        insert_many([leaf_of(acme.tenant, 1, uuid4()), leaf_of(acme.tenant, 2, taken)])
    with unscoped(SEALER):
        assert SealedEntry.objects.filter(n__in=[1, 2], log_id=acme.tenant.id).count() == 0
