"""What the audit keeps of persons is what its entries commit to: no value is changed, moved or taken away unseen."""

from typing import Any

import pytest
from django.db import connection, transaction

from audit.erasure import erase_person
from audit.models import Entry
from audit.reading.verification import verify_stored
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import AuditObject
from foundation.scope import tenant_scope, unscoped
from tests.conftest import Customer
from tests.support.audit_entries import make_log, shown

pytestmark = pytest.mark.django_db(transaction=True)

TAMPERINGS = {
    "another value": "update audit_personalvalue set value = 'Bob' where value = 'Ann said 1'",
    "another salt": "update audit_personalvalue set salt = decode(repeat('00', 16), 'hex') where value = 'Ann said 1'",
    "no salt": "update audit_personalvalue set salt = '' where value = 'Ann said 1'",
    "another person": "update audit_personalvalue set person = 'member:m2' where value = 'Ann said 1'",
    "another entry": "update audit_personalvalue set entry_id = gen_random_uuid() where value = 'Ann said 1'",
    "another tenant": "update audit_personalvalue set tenant_id = null where value = 'Ann said 1'",
    "gone": "delete from audit_personalvalue where value = 'Ann said 1'",
    "an address gone": "delete from audit_personalvalue where value = '192.0.2.7'",
    "an address of another": "update audit_personalvalue set person = 'member:m2' where value = '192.0.2.7'",
    "an address of another entry": (
        "update audit_personalvalue set entry_id = (select id from audit_entry where action = 'tenant.created' limit 1)"
        " where value = '192.0.2.7'"
    ),
}


def verdict_with(customer: Customer, statement: str) -> dict[str, Any]:
    """Tamper with what is kept, past the triggers, verify it, and undo that."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement)
        assert cursor.rowcount > 0
        verdict = verify_stored(customer.tenant.id)
        transaction.set_rollback(True)
    return verdict


@pytest.mark.parametrize("statement", TAMPERINGS.values(), ids=TAMPERINGS)
def test_what_was_done_to_a_persons_data_is_found(acme: Customer, statement: str) -> None:
    make_log(acme)
    assert verify_stored(acme.tenant.id)["ok"] is True
    found = verdict_with(acme, statement)["first_bad"]
    assert found is not None
    assert (found["kind"], "a person's data" in found["detail"]) == ("personal", True), found


def test_only_a_persons_erasure_excuses_what_is_gone(acme: Customer) -> None:
    make_log(acme)
    make_log(acme, actor="member:m2")
    assert erase_person(tenant_id=acme.tenant.id, person="member:m1", actor="user:1") > 0
    seal_entries()
    assert verify_stored(acme.tenant.id)["ok"] is True
    found = verdict_with(acme, "delete from audit_personalvalue where person = 'member:m2'")["first_bad"]
    assert (found["kind"], "no entry says it was erased" in found["detail"]) == ("personal", True)
    make_log(acme)
    later = "update audit_entry set created_at = created_at + interval '2 hours' where action = 'segment.saved'"
    assert verdict_with(acme, later)["ok"] is False


def test_a_text_that_looks_like_a_commitment_is_one(acme: Customer) -> None:
    name = "sha256:" + "ab" * 32
    with tenant_scope(acme.tenant.id):
        record("segment.saved", AuditObject("segment", "s1", acme.tenant.id), actor="member:m1", after={"name": name})
    seal_entries()
    verdict = verify_stored(acme.tenant.id)
    assert verdict["ok"] is True, verdict
    with unscoped("tests look at everything"):
        entry = Entry.objects.get(action="segment.saved")
    assert shown(entry, entry.after) == {"name": name}
