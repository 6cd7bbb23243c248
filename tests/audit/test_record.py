"""An audit entry is kept exactly when its change is."""

import pytest

from audit.models import Entry
from audit.services import record
from audit.types import REQUEST, RequestContext
from tenants.context import tenant_scope, unscoped
from tests.conftest import Customer


def record_for(customer: Customer) -> Entry:
    return record(
        tenant=customer.tenant,
        action="segment.saved",
        actor="system",
        object_type="segment",
        object_id="a",
        before={"revision": 1},
        after={"revision": 2},
    )


def test_it_carries_the_request_it_was_made_in(acme: Customer) -> None:
    token = REQUEST.set(RequestContext(request_id="r-1", source_address="192.0.2.7"))
    try:
        with tenant_scope(acme.tenant.id):
            record_for(acme)
            entry = Entry.objects.get(object_type="segment")
    finally:
        REQUEST.reset(token)
    assert (entry.request_id, entry.source_address) == ("r-1", "192.0.2.7")
    assert (entry.before, entry.after, entry.outcome) == ({"revision": 1}, {"revision": 2}, "done")


def test_outside_of_a_request_it_carries_none(acme: Customer) -> None:
    with tenant_scope(acme.tenant.id):
        record_for(acme)
        entry = Entry.objects.get(object_type="segment")
    assert (entry.request_id, entry.source_address) == ("", None)


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
        record(tenant=None, action="installation.set_up", actor="system", object_type="installation", object_id="one")
    with tenant_scope(acme.tenant.id):
        assert not Entry.objects.filter(action="installation.set_up").exists()
