"""A page of entries is read through an index, whatever it is asked by: as fast of a million as of a thousand."""

import re
from typing import Any

import pytest
from django.db import connection

from audit.reading.entries import list_entries
from foundation.scope import tenant_scope
from tests.conftest import Customer
from tests.support.statements import plans_of

MANY = 20_000
FILL = """insert into audit_entry (id, tenant_id, action, actor, object_type, object_id, outcome, request_id, source,
  created_at)
select gen_random_uuid(), %s, 'thing.' || n %% 40, 'member:' || n %% 500, 'kind' || n %% 20, 'o' || n, 'done', '', '',
  now() - n * interval '1 second'
from generate_series(1, %s) n"""


@pytest.fixture
def many(acme: Customer, globex: Customer) -> Customer:
    with connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        for customer in (acme, globex):
            cursor.execute(FILL, [customer.tenant.id, MANY])
        cursor.execute("set local session_replication_role = origin")
        cursor.execute("analyze audit_entry")
    return acme


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "entry_by_tenant"),
        ({"action": "thing.nowhere"}, "entry_by_action"),
        ({"action": "thing.7"}, "entry_by_"),
        ({"actor": "member:7"}, "entry_by_actor"),
        ({"object": "kind7:o7"}, "entry_by_object"),
        ({"object": "nothing"}, "entry_by_object"),
        ({"object": "kind7"}, "entry_by_"),
    ],
)
def test_a_page_is_read_through_an_index(many: Customer, asked: dict[str, Any], index: str) -> None:
    with tenant_scope(many.tenant.id), plans_of("audit_entry") as plans:
        page, _, _ = list_entries(tenant_id=many.tenant.id, cursor=None, limit=100, **asked)
        first = len(plans)
        if page.next_cursor:
            list_entries(tenant_id=many.tenant.id, cursor=page.next_cursor, limit=100, **asked)
    assert first >= 2
    for plan in plans[first:]:
        assert re.search(r"Index Cond: .*created_at <=", plan), f"it begins at the page before: {plan}"
    for plan in plans:
        assert index in plan, plan
        assert "Seq Scan on audit_entry" not in plan, plan
