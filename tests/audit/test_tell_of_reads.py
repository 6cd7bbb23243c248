"""Whoever reads the audit is told of in the audit: once an hour for each caller and kind of read."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest
from rest_framework.test import APIClient

from audit import reads
from audit.models import Entry
from audit.reads import record_read
from foundation.scope import tenant_scope
from kernel.clock import utc_now
from tenants.services import create_api_key
from tests.conftest import Customer
from tests.support.audit_entries import make_log, source_address_of

Api = Callable[[Customer], APIClient]
pytestmark = pytest.mark.django_db(transaction=True)


def told(customer: Customer) -> list[Entry]:
    with tenant_scope(customer.tenant.id):
        return list(Entry.objects.filter(action="audit.read").order_by("created_at"))


def kinds(customer: Customer) -> Counter[str]:
    return Counter(one.after["kind"] for one in told(customer) if isinstance(one.after, dict))


def test_each_kind_is_told_once_and_who_may_not_read_is_not(acme: Customer, globex: Customer, api: Api) -> None:
    make_log(acme)
    for _ in range(3):
        for path in ("entries", "key", "log/checkpoint", "entries/0/proof", "entries/1/proof", "verify"):
            assert api(acme).get(f"/api/v1/audit/{path}").status_code == 200
    every = ("audit_entries", "audit_key", "audit_log_file", "audit_proof", "verify_audit")
    assert kinds(acme) == Counter(every)
    first = told(acme)[0]
    assert first.actor.startswith("key:")
    assert source_address_of(first) == "127.0.0.1"
    other = Customer(acme.tenant, create_api_key(tenant=acme.tenant, name="runs only", scopes=["runs:read"]).text)
    assert api(other).get("/api/v1/audit/entries").status_code == 403
    assert api(other).get("/api/v1/runs").status_code == 200
    assert (kinds(acme), kinds(globex)) == (Counter(every), Counter())
    assert api(globex).get("/api/v1/audit/entries").status_code == 200
    assert (kinds(acme), kinds(globex)) == (Counter(every), Counter(["audit_entries"]))


def test_other_processes_tell_it_no_second_time_and_the_next_hour_does(
    acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        record_read(tenant_id=acme.tenant.id, actor="member:m1", kind="audit_entries")

    read()
    reads._known.clear()
    read()
    assert len(told(acme)) == 1
    later = datetime.fromtimestamp(utc_now().timestamp() + 3600, tz=utc_now().tzinfo)
    monkeypatch.setattr(reads, "utc_now", lambda: later)
    read()
    assert [one.id.version for one in told(acme)] == [7, 7]
