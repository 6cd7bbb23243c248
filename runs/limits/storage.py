"""Bytes that tenants keep in runs: counted where they are written, held against the limit at the start of a run.

What is counted is the journals (values, outputs and errors are in them) and the inputs. No row is written by two
processes, so nobody waits for another's: each has a row for each tenant, and what is used is their sum. An hourly
recount puts right what a killed process had not written yet, and what was removed.
"""

import threading
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from foundation.scope import reading_scope
from kernel.bounded_cache import BoundedCache
from kernel.ids import new_id
from kernel.types import Json
from kernel.values import dump_json
from runs.models import StoragePart
from tenants.limits.errors import used_up
from tenants.limits.selectors import entitlements_of
from tenants.models import Tenant

STORAGE_BYTES: Final = "storage_bytes"
WRITTEN_BYTES: Final = 16 * 1024
WRITTEN_SECONDS: Final = 5.0
"""Bytes, or time, after which a process writes what it has counted of a tenant, with its next start."""
COMMIT_SECONDS: Final = 5.0
"""Time after which a transaction that has not committed counts as rolled back."""
MAX_TENANTS: Final = 10_000

ADD: Final = """
insert into runs_storagepart as part (tenant_id, source, bytes) values (%s, %s, %s)
on conflict (tenant_id, source) do update set bytes = part.bytes + excluded.bytes
"""


@dataclass(slots=True)
class _Counted:
    """Bytes of one tenant that this process has counted and not written, and those it is writing."""

    written_at: float
    waiting: int = 0
    on_the_way: int = 0


class CountedBytes:
    """Counts what starts of this process bring. May be used from any thread."""

    def __init__(self) -> None:
        self._source = new_id()
        self._lock = threading.Lock()
        self._by_tenant: BoundedCache[UUID, _Counted] = BoundedCache(MAX_TENANTS)

    def waiting(self, tenant_id: UUID) -> int:
        """Tell how many bytes of a tenant no row has yet."""
        found = self._by_tenant.get(tenant_id)
        return 0 if found is None else found.waiting

    def add(self, tenant_id: UUID, size: int) -> None:
        """Count bytes that the open transaction writes; now and then write the row of this process in it."""
        with self._lock:
            now, counted = time.monotonic(), self._by_tenant.get(tenant_id)
            if counted is None:
                counted = _Counted(now)
                self._by_tenant.put(tenant_id, counted)
            counted.waiting += size
            if counted.on_the_way and now - counted.written_at > COMMIT_SECONDS:
                counted.waiting, counted.on_the_way = counted.waiting + counted.on_the_way, 0
            is_due = counted.waiting >= WRITTEN_BYTES or now - counted.written_at > WRITTEN_SECONDS
            if counted.on_the_way or not is_due:
                return
            counted.written_at, counted.on_the_way, counted.waiting = now, counted.waiting, 0
        with connection.cursor() as cursor:
            cursor.execute(ADD, [tenant_id, self._source, counted.on_the_way])
        transaction.on_commit(lambda: self._note_commit(counted))

    def _note_commit(self, counted: _Counted) -> None:
        with self._lock:
            counted.on_the_way = 0


_counted: Final = CountedBytes()


def size_of_input(value: Json) -> int:
    """Tell how many bytes an input takes."""
    return 0 if value is None else len(dump_json(value).encode())


def storage_used(tenant_id: UUID) -> int:
    """Tell how many bytes a tenant keeps, as far as they are counted."""
    with reading_scope(tenant_id):
        written = StoragePart.objects.aggregate(bytes=Sum("bytes", default=0))["bytes"]
    return max(0, int(written) + _counted.waiting(tenant_id))


def count_stored(tenant: Tenant, size: int) -> None:
    """Count what a start brings, in its transaction, before the run is inserted.

    Raises:
        LimitUsedUp: The tenant has no room for it.
    """
    most = entitlements_of(tenant.id).limit(STORAGE_BYTES)
    if most is not None:
        used = storage_used(tenant.id)
        if used >= most or used + size > most:
            raise used_up(
                f"The tenant keeps {used} of {most} bytes of inputs and journals, and this start brings {size} more. "
                "There is room again when data is deleted; that is counted once an hour. Runs under way finish.",
                limit=STORAGE_BYTES,
                used=used,
                cap=most,
            )
    _counted.add(tenant.id, size)
