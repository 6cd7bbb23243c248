"""Entries of the audit for tests: sealed ones, and as people see them, with the personal data they commit to."""

from audit.models import Entry
from audit.personal import kept_values, with_values
from audit.sealing.sealer import seal_entries
from audit.services import record
from audit.types import REQUEST, AuditObject, RequestContext
from foundation.scope import tenant_scope, unscoped
from kernel.types import Json
from tests.conftest import Customer


def source_address_of(entry: Entry) -> str | None:
    """Tell where an entry's request came from."""
    return str(shown(entry, entry.source)) or None


def shown(entry: Entry, value: Json) -> Json:
    """Put personal data back into a part of an entry."""
    with unscoped("tests look at everything"):
        return with_values(value, kept_values([entry]))


def make_log(customer: Customer, count: int = 3, actor: str = "member:m1") -> None:
    """Seal some entries of a customer's segments, each with a text and an address that can be erased."""
    token = REQUEST.set(RequestContext(source_address="192.0.2.7"))
    try:
        with tenant_scope(customer.tenant.id):
            for number in range(count):
                thing = AuditObject("segment", f"s{number}", customer.tenant.id)
                record("segment.saved", thing, actor=actor, after={"reason": f"Ann said {number}"}, personal=["reason"])
    finally:
        REQUEST.reset(token)
    seal_entries()
