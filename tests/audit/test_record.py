"""An audit entry is kept exactly when its change is."""

import pytest

from audit.models import Entry
from audit.services import object_of, record
from audit.types import REQUEST, AuditObject, RequestContext
from foundation.scope import tenant_scope, unscoped
from segments.models import Segment
from tenants.models import ApiKey, Membership, User
from tests.conftest import Customer
from tests.support.audit_entries import source_address_of


def record_for(customer: Customer) -> Entry:
    segment = AuditObject("segment", "a", customer.tenant.id)
    return record("segment.saved", segment, actor="system", before={"revision": 1}, after={"revision": 2})


def test_it_carries_the_request_it_was_made_in(acme: Customer) -> None:
    token = REQUEST.set(RequestContext(request_id="r-1", source_address="192.0.2.7"))
    try:
        with tenant_scope(acme.tenant.id):
            record_for(acme)
            entry = Entry.objects.get(object_type="segment")
    finally:
        REQUEST.reset(token)
    assert (entry.request_id, source_address_of(entry)) == ("r-1", "192.0.2.7")
    assert (entry.before, entry.after, entry.outcome) == ({"revision": 1}, {"revision": 2}, "done")


def test_outside_of_a_request_it_carries_none(acme: Customer) -> None:
    with tenant_scope(acme.tenant.id):
        record_for(acme)
        entry = Entry.objects.get(object_type="segment")
    assert (entry.request_id, source_address_of(entry)) == ("", None)


def test_rows_are_called_by_their_nouns_and_ids_or_as_their_models_say(acme: Customer) -> None:
    segment = Segment(tenant=acme.tenant, segment_id="a_b", name="A")
    assert object_of(acme.tenant) == AuditObject("tenant", str(acme.tenant.id), acme.tenant.id)
    assert object_of(ApiKey(tenant=acme.tenant)).type == "api_key"
    assert object_of(Membership(tenant=acme.tenant)).type == "member"
    assert object_of(segment) == AuditObject("segment", "a_b", acme.tenant.id)
    assert object_of(User(id=acme.tenant.id)) == AuditObject("user", str(acme.tenant.id), None)


def test_it_goes_with_the_transaction_of_its_change(acme: Customer) -> None:
    def change_that_fails() -> None:
        with tenant_scope(acme.tenant.id):
            record_for(acme)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_that_fails()
    with unscoped("tests look at everything"):
        assert not Entry.objects.filter(object_type="segment").exists()


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_it_is_refused(acme: Customer) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        record_for(acme)


def test_the_installation_has_entries_of_its_own(acme: Customer) -> None:
    with unscoped("the installation's own history"):
        record("installation.set_up", AuditObject("installation", "one", None), actor="system")
    with tenant_scope(acme.tenant.id):
        assert not Entry.objects.filter(action="installation.set_up").exists()
