"""Hourly recount of the bytes that tenants keep: each tenant in a transaction of its own."""

from typing import Final
from uuid import UUID

from django.db import connection

from foundation.scope import unscoped
from runs.limits.storage import size_of_input
from runs.models import BASE_SOURCE, Run, StoragePart
from tenants.models import Tenant

BATCH: Final = 200
"""Runs of an earlier release whose inputs are measured in one transaction."""

# All parts of the statement see the same moment. What processes add meanwhile stays: of their rows only what was seen
# at that moment is taken away, as the recount has it.
_RECOUNT: Final = """
with kept as (
  select coalesce(sum(journal_bytes + coalesce(input_size, 0)), 0)::bigint as bytes
  from runs_run where tenant_id = %(tenant)s
), seen as (select id, bytes from runs_storagepart where tenant_id = %(tenant)s)
update runs_storagepart part
set bytes = case when part.source = %(base)s then kept.bytes else part.bytes - seen.bytes end
from kept, seen where part.id = seen.id
"""


def recount_storage() -> int:
    """Count anew what each tenant keeps; return how many tenants there are. May be repeated, or cut off anywhere."""
    with unscoped("a recount"):
        tenant_ids = list(Tenant.objects.values_list("id", flat=True))
    for tenant_id in tenant_ids:
        _measure_inputs(tenant_id)
        recount(tenant_id)
    return len(tenant_ids)


def recount(tenant_id: UUID) -> None:
    """Count anew what one tenant keeps."""
    with unscoped("a recount"):
        if not Tenant.objects.filter(id=tenant_id).exists():
            return  # it was removed meanwhile
        base, _ = StoragePart.objects.get_or_create(tenant_id=tenant_id, source=BASE_SOURCE, defaults={"bytes": 0})
        with connection.cursor() as cursor:
            cursor.execute(_RECOUNT, {"tenant": tenant_id, "base": BASE_SOURCE})
        StoragePart.objects.filter(tenant_id=tenant_id, bytes=0).exclude(id=base.id).delete()


def _measure_inputs(tenant_id: UUID) -> None:
    """Note how large inputs are of runs that were started before that was noted."""
    while True:
        with unscoped("a recount"):
            unknown = Run.objects.filter(tenant_id=tenant_id, input_size=None).order_by("created_at")
            runs = list(unknown.select_for_update(skip_locked=True, no_key=True).only("id", "input")[:BATCH])
            for run in runs:
                run.input_size = size_of_input(run.input)
            Run.objects.bulk_update(runs, ["input_size"])
        if len(runs) < BATCH:
            return
