"""Rows of the bytes that tenants keep, as hosts add to them."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from runs.engine.store.arrays import bigints, uuids
from runs.engine.store.connection import Database

# In the order of the tenants, as every multi-row lock; a tenant that is gone has nothing.
ADD: Final = """
insert into runs_storagepart as part (tenant_id, source, bytes)
select t.id, %b::uuid, e.bytes from unnest(%b::uuid[], %b::bigint[]) as e(tenant_id, bytes)
join tenants_tenant t on t.id = e.tenant_id order by t.id
on conflict (tenant_id, source) do update set bytes = part.bytes + excluded.bytes
"""


def add_bytes(connection: Database, source: UUID, by_tenant: Mapping[UUID, int]) -> None:
    """Add bytes to the rows of one host, in the open transaction."""
    connection.execute(ADD, [source, uuids(list(by_tenant)), bigints(list(by_tenant.values()))])
