"""Backlogs of many tenants, a host of a given size, and what max-min fairness gives each: for tests of claims."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from foundation.scope import unscoped
from runs.engine.store.claims import claim_runs
from runs.engine.store.connection import connect
from runs.engine.store.shares import ClaimingHost
from tenants.models import LimitOverride, Tenant
from tests.support.engine import make_revision
from tests.support.journals import register_host
from tests.support.segments import segment, step

QUEUE = """
insert into runs_run (id, tenant_id, revision_id, segment_id, client_reference, metadata, semantics, priority,
  timeout_seconds, status, waiting_for, activations, active, last_seq, journal_bytes, digest, epoch, wake_at, losses,
  signals_pending, created_at)
select gen_random_uuid(), backlog.tenant, %s, 's', '', '{}', 1, 0, 300, 'queued', '[]', 0, 0, 0, 0, '', 0, now(), 0,
  false, clock_timestamp()
from unnest(%s::uuid[], %s::int[]) as backlog(tenant, runs) cross join lateral generate_series(1, backlog.runs)
"""
END = """
update runs_run set owner = null, status = 'completed' where id in (
  select id from (
    select id, row_number() over (partition by tenant_id order by md5(id::text)) as number from runs_run
    where owner is not null
  ) owned
  where number %% %s = 0
)
"""
OWNED = "select tenant_id, count(*) from runs_run where owner is not null group by tenant_id"


class Crowd:
    """Tenants by their ids, and one host that has ``capacity``."""

    def __init__(self, count: int, *, capacity: int) -> None:
        with unscoped("tests look everywhere"):
            rows = [Tenant(slug=f"crowd-{number}", name="Crowd") for number in range(count)]
            self.tenants = [tenant.id for tenant in Tenant.objects.bulk_create(rows)]
            LimitOverride.objects.bulk_create(LimitOverride(tenant=row, limit="concurrent_runs") for row in rows)
        self.capacity = capacity
        self._revision = make_revision(rows[0], segment(step("one"))).id
        # Nothing renews its lease, however slow the machine.
        self._host = ClaimingHost(register_host(lease_seconds=3_600))
        self._connection = connect("test")

    def close(self) -> None:
        self._connection.close()

    def queue(self, runs: Mapping[UUID, int]) -> None:
        self._execute(QUEUE, [self._revision, list(runs), list(runs.values())])

    def weigh(self, weights: Mapping[UUID, float]) -> None:
        with unscoped("tests look everywhere"):
            for tenant in Tenant.objects.in_bulk(list(weights)).values():
                Tenant.objects.filter(id=tenant.id).update(weight=weights[tenant.id])

    def end_every(self, number: int) -> None:
        """End every so-manieth of the runs that each tenant owns."""
        self._execute(END, [number])

    def owned(self) -> Counter[UUID]:
        with unscoped("tests look everywhere"), connection.cursor() as cursor:
            cursor.execute(OWNED)
            return Counter(dict(cursor.fetchall()))

    def claim(self) -> int:
        """Fill the host, in one claim."""
        room = self.capacity - self.owned().total()
        return len(claim_runs(self._connection, host=self._host, room=room).runs)

    def _execute(self, statement: str, values: Sequence[Any]) -> None:
        with unscoped("tests look everywhere"), connection.cursor() as cursor:
            cursor.execute(statement, values)


def max_min(capacity: float, weights: Sequence[float], floors: Sequence[float], wants: Sequence[float]) -> list[float]:
    """Share ``capacity`` max-min fairly, in fractions, where everybody keeps their floor: by halving the water level.

    ``wants``: what each can use in all, the floor included.
    """
    low, high = 0.0, max(want / weight for want, weight in zip(wants, weights, strict=True))
    for _ in range(100):
        level = (low + high) / 2
        shares = [
            max(floor, min(want, weight * level)) for weight, floor, want in zip(weights, floors, wants, strict=True)
        ]
        low, high = (level, high) if sum(shares) < capacity else (low, level)
    return shares
