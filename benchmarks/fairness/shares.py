"""Shares of a thousand tenants, held against max-min: run by ``python -m benchmarks --only FAIR``.

Claims alone, no worker: 20,000 places are filled from a backlog that falls by a power law, then weights change and a
third of what executes ends, again and again.
"""

import json
import os
import random
import time
import uuid
from typing import Any

import django
import psycopg

from benchmarks.claims import HOST, MAKE_REVISION
from benchmarks.figures import against, line

TENANTS = 1_000
PLACES = 20_000
LARGEST = 20_000
ROUNDS = 4
SEED = 14
SMALL = 20
"""A share below this is held against one run, as runs are whole, not against 5 %."""

MAKE_TENANTS = """
insert into tenants_tenant (id, slug, name, is_active, created_at)
select gen_random_uuid(), 'shares-' || n, 'Shares', true, clock_timestamp() from generate_series(1, %s) n
returning id
"""
QUEUE = """
insert into runs_run (id, tenant_id, revision_id, segment_id, client_reference, metadata, input, semantics, priority,
  timeout_seconds, status, waiting_for, activations, active, last_seq, journal_bytes, digest, epoch, losses,
  signals_pending, created_at, wake_at)
select gen_random_uuid(), backlog.tenant, %s, 'shares', '', '{}', '{}', %s, 0, 300, 'queued', '[]', 0, 0, 0, 0, '', 0,
  0, false, clock_timestamp(), now()
from unnest(%s::uuid[], %s::int[]) as backlog(tenant, runs) cross join lateral generate_series(1, backlog.runs)
"""
END_A_THIRD = """
update runs_run set owner = null, status = 'completed'
where id in (select id from runs_run where owner is not null order by random() limit %s)
"""
OWNED = "select tenant_id, count(*) from runs_run where owner is not null group by tenant_id"
WEIGH = """
update tenants_tenant t set weight = w.weight from unnest(%s::uuid[], %s::numeric[]) as w(id, weight) where t.id = w.id
"""

Counts = dict[uuid.UUID, int]


class Places:
    """The table of runs, a host with ``PLACES``, and what each tenant has due."""

    def __init__(self, database: "psycopg.Connection[tuple[Any, ...]]") -> None:
        from runs.engine.store.connection import connect  # noqa: PLC0415 - after Django's setup
        from runs.engine.store.shares import ClaimingHost  # noqa: PLC0415 - after Django's setup
        from segments.plan import SEMANTICS  # noqa: PLC0415 - after Django's setup

        self._database = database
        self._host = ClaimingHost(uuid.uuid4())
        self._connection = connect("benchmark")
        self.tenants = [row[0] for row in database.execute(MAKE_TENANTS, [TENANTS]).fetchall()]
        revision = uuid.uuid4()
        database.execute(MAKE_REVISION, [revision, self.tenants[0], "0" * 64])
        database.execute(HOST, [self._host.worker_id])
        counts = [max(1, int(LARGEST / number**1.3)) for number in range(1, TENANTS + 1)]
        random.Random(SEED).shuffle(counts)  # noqa: S311 - the same in every run
        database.execute(QUEUE, [revision, SEMANTICS, self.tenants, counts])
        database.execute("vacuum analyze runs_run")
        self.due: Counts = dict(zip(self.tenants, counts, strict=True))

    def owned(self) -> Counts:
        """Count what each tenant executes."""
        return dict.fromkeys(self.tenants, 0) | dict(self._database.execute(OWNED).fetchall())

    def claim(self) -> float:
        """Fill the places; gives the seconds it took."""
        from runs.engine.store.claims import claim_runs  # noqa: PLC0415 - after Django's setup

        before = self.owned()
        began = time.perf_counter()
        claim_runs(self._connection, host=self._host, room=PLACES - sum(before.values()))
        taken = time.perf_counter() - began
        after = self.owned()
        self.due = {one: self.due[one] - after[one] + before[one] for one in self.tenants}
        return taken

    def end_a_third(self) -> None:
        """End some of what executes, whoever's it is."""
        self._database.execute(END_A_THIRD, [PLACES // 3])

    def weigh(self, weights: dict[uuid.UUID, float]) -> None:
        """Change weights."""
        self._database.execute(WEIGH, [list(weights), list(weights.values())])


def furthest(places: Places, owned: Counts, floors: Counts, due: Counts, weights: dict[uuid.UUID, float]) -> Any:
    """Compare with the water level; gives the largest distance in parts of a share, and in runs of a small one."""
    low, high = 0.0, 1e6
    for _ in range(100):
        level = (low + high) / 2
        shares = {one: max(floors[one], min(floors[one] + due[one], weights[one] * level)) for one in places.tenants}
        low, high = (level, high) if sum(shares.values()) < PLACES else (low, level)
    far = {one: abs(owned[one] - share) for one, share in shares.items()}
    large = max(far[one] / share for one, share in shares.items() if share >= SMALL)
    return large, max((far[one] for one, share in shares.items() if share < SMALL), default=0.0)


def main() -> None:
    """Measure and print."""
    django.setup()
    chance = random.Random(SEED)  # noqa: S311 - the same in every run
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        places = Places(database)
        weights = dict.fromkeys(places.tenants, 1.0)
        floors = dict.fromkeys(places.tenants, 0)
        for number in range(ROUNDS):
            due = places.due
            seconds = places.claim()
            owned = places.owned()
            large, small = furthest(places, owned, floors, due, weights)
            figures = {
                "places": PLACES,
                "owned": sum(owned.values()),
                "furthest_percent": round(large * 100, 2),
                "furthest_small_runs": round(small, 2),
                "claim_seconds": round(seconds, 2),
                **against(round(large * 100, 2), most=5.0),
            }
            name = "at first" if not number else f"after weights changed, {number}"
            print(json.dumps(line(f"FAIR: shares of {TENANTS} tenants {name}", **figures)), flush=True)
            weights |= {one: chance.choice([0.5, 1.0, 2.0, 4.0]) for one in chance.sample(places.tenants, TENANTS // 2)}
            places.weigh(weights)
            places.end_a_third()
            floors = places.owned()
        database.execute("truncate runs_run cascade")


if __name__ == "__main__":
    main()
