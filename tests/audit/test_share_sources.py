"""Entries of one person and hour share the row of their source address, and never refer to a row that is not there."""

from datetime import datetime
from itertools import count

import pytest
from django.db import transaction

from audit import known_sources
from audit.erasure import erase_person
from audit.models import Entry, PersonalValue
from audit.services import record
from audit.types import REQUEST, AuditObject, RequestContext
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tests.conftest import Customer
from tests.support.audit_entries import source_address_of

pytestmark = pytest.mark.django_db(transaction=True)
_numbers = count()


def record_from(
    customer: Customer, address: str = "192.0.2.7", actor: str = "member:m1", *, fails: bool = False
) -> Entry:
    token = REQUEST.set(RequestContext(source_address=address))
    try:
        with tenant_scope(customer.tenant.id):
            entry = record(
                "segment.saved", AuditObject("segment", f"s{next(_numbers)}", customer.tenant.id), actor=actor
            )
            if fails:
                raise ZeroDivisionError
            return entry
    finally:
        REQUEST.reset(token)


def rows_of(customer: Customer) -> list[str]:
    with tenant_scope(customer.tenant.id):
        return sorted(PersonalValue.objects.values_list("value", flat=True))


def test_one_row_serves_a_person_s_hour_at_one_address(acme: Customer, globex: Customer) -> None:
    first, second = record_from(acme), record_from(acme)
    assert first.source == second.source
    assert source_address_of(second) == "192.0.2.7"
    assert rows_of(acme) == ["192.0.2.7"]
    others = [record_from(acme, "192.0.2.8"), record_from(acme, actor="member:m2"), record_from(globex)]
    assert len({first.source, *(one.source for one in others)}) == 4
    assert [source_address_of(one) for one in others] == ["192.0.2.8", "192.0.2.7", "192.0.2.7"]


def test_another_hour_has_another_row(acme: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record_from(acme)
    later = datetime.fromtimestamp(utc_now().timestamp() + 3600, tz=utc_now().tzinfo)
    monkeypatch.setattr(known_sources, "utc_now", lambda: later)
    assert record_from(acme).source != first.source
    assert rows_of(acme) == ["192.0.2.7", "192.0.2.7"]


def test_what_was_rolled_back_is_referred_to_by_nobody(acme: Customer) -> None:
    with pytest.raises(ZeroDivisionError):
        record_from(acme, fails=True)
    assert rows_of(acme) == []
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            record_from(acme, fails=True)
        record_from(acme)
    entries = [record_from(acme), record_from(acme)]
    assert [source_address_of(one) for one in entries] == ["192.0.2.7", "192.0.2.7"]
    assert rows_of(acme) == ["192.0.2.7"]


def test_an_address_is_erased_for_all_entries_and_later_ones_have_their_own(acme: Customer) -> None:
    entries, other = [record_from(acme), record_from(acme)], record_from(acme, actor="member:m2")
    assert erase_person(tenant_id=acme.tenant.id, person="member:m1", actor="system") == 1
    assert [source_address_of(one) for one in (*entries, other)] == ["erased", "erased", "192.0.2.7"]
    assert source_address_of(record_from(acme)) == "192.0.2.7"
