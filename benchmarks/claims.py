"""Claim benchmark: the rate from queues of different length; run by ``python -m benchmarks --only CLAIM``.

A hundred due runs of ten tenants are claimed, twenty at a time, and ended, again and again: alone; at the head of a
queue of 200,000 beside 200,000 finished runs; beside 400,000 parked ones, which wait for a time to come; alone again.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

import django
import psycopg

from benchmarks.figures import against, line, percentile

TENANTS = 10
DUE = 100
MANY = 400_000
ROOM = 20
ROUNDS = 150
SLOWDOWN = 1.2

MAKE_TENANTS = """
insert into tenants_tenant (id, slug, name, is_active, created_at)
select gen_random_uuid(), 'claims-' || n, 'Claims', true, clock_timestamp() from generate_series(1, %s) n
returning id
"""
MAKE_REVISION = """
insert into segments_revision (id, tenant_id, content_hash, definition, step_types, created_at)
values (%s, %s, %s, '{}', '{}', clock_timestamp())
"""
# The columns without a default of the database's own; what differs between the kinds of runs comes from the outside.
MAKE_RUNS = """
insert into runs_run (id, tenant_id, revision_id, segment_id, client_reference, metadata, input, semantics, priority,
  timeout_seconds, status, waiting_for, activations, active, last_seq, journal_bytes, digest, epoch, losses,
  signals_pending, created_at, wake_at, step_types)
select gen_random_uuid(), (%(tenants)s::uuid[])[1 + n %% cardinality(%(tenants)s::uuid[])], %(revision)s, 'claims', '',
  '{}', '{}', %(semantics)s, 0, 300, %(status)s, '[]', 0, 0, 0, 0, '', 0, 0, false,
  now() - make_interval(secs => %(age)s) + make_interval(secs => n * 0.001),
  case %(wake)s when 'due' then now() when 'later' then now() + interval '1 day' end,
  '{http_action@1,parallel_join@1,parallel_split@1,transform@1}'
from generate_series(1, %(count)s) n
"""
FINISH = "update runs_run set owner = null, status = 'completed' where owner = %s"
HOST = """
insert into runs_worker (id, name, started_at, lease_until, step_types)
values (%s, 'claims', clock_timestamp(), clock_timestamp() + interval '1 hour',
  '{condition@1,http_action@1,parallel_join@1,parallel_split@1,transform@1}')
"""

Database = psycopg.Connection[tuple[Any, ...]]


class Queue:
    """The table of runs, filled and emptied by the owner of the database."""

    def __init__(self, database: Database) -> None:
        from segments.plan import SEMANTICS  # noqa: PLC0415 - after Django's setup

        self.database = database
        self.worker_id = uuid.uuid4()
        self._semantics = SEMANTICS
        self._revision = uuid.uuid4()
        self._tenants = [row[0] for row in database.execute(MAKE_TENANTS, [TENANTS]).fetchall()]
        database.execute(MAKE_REVISION, [self._revision, self._tenants[0], "0" * 64])
        database.execute(HOST, [self.worker_id])

    def add(self, count: int, *, status: str, wake: str, age_seconds: float) -> None:
        """Insert runs; ``wake`` is due, later or never."""
        self.database.execute(
            MAKE_RUNS,
            {
                "count": count,
                "tenants": self._tenants,
                "revision": self._revision,
                "semantics": self._semantics,
                "status": status,
                "wake": wake,
                "age": age_seconds,
            },
        )

    def finish_claimed(self) -> None:
        """End what was claimed."""
        self.database.execute(FINISH, [self.worker_id])

    def settle(self) -> None:
        """Bring statistics and indexes into the state an autovacuum leaves."""
        self.database.execute("vacuum analyze runs_run")

    def empty(self) -> None:
        """Remove all runs."""
        self.database.execute("truncate runs_run cascade")


def situations(queue: Queue) -> Iterator[str]:
    """Fill the table in turn for each measurement; yields its name. The due runs are the youngest, so go last."""
    queue.add(DUE, status="queued", wake="due", age_seconds=60)
    yield f"{DUE} queued"
    queue.empty()
    queue.add(MANY // 2, status="queued", wake="due", age_seconds=3600)
    queue.add(MANY // 2, status="completed", wake="never", age_seconds=3600)
    yield f"{MANY // 2} queued, {MANY // 2} finished"
    queue.empty()
    queue.add(MANY, status="waiting", wake="later", age_seconds=3600)
    queue.add(DUE, status="queued", wake="due", age_seconds=60)
    yield f"{DUE} queued, {MANY} parked"
    queue.empty()
    queue.add(DUE, status="queued", wake="due", age_seconds=60)
    yield f"{DUE} queued, again"


def claim_all(queue: Queue) -> list[float]:
    """Claim a hundred runs, end them, queue a hundred more, again and again; return the seconds each hundred took."""
    from runs.engine.store.claims import claim_runs  # noqa: PLC0415 - after Django's setup
    from runs.engine.store.connection import connect  # noqa: PLC0415 - after Django's setup
    from runs.engine.store.shares import ClaimingHost  # noqa: PLC0415 - after Django's setup

    connection, host = connect("benchmark"), ClaimingHost(queue.worker_id)
    taken = []
    try:
        for number in range(ROUNDS + 1):
            began, count = time.perf_counter(), 0
            while count < DUE:
                claimed = claim_runs(connection, host=host, room=ROOM).runs
                if not claimed:
                    raise RuntimeError("there was nothing to claim")
                count += len(claimed)
            if number:  # the first prepares the statements
                taken.append(time.perf_counter() - began)
            queue.finish_claimed()
            queue.add(DUE, status="queued", wake="due", age_seconds=0)
    finally:
        connection.close()
    return taken


def main() -> None:
    """Measure each situation and print."""
    django.setup()
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as database:
        queue = Queue(database)
        measured = []
        for name in situations(queue):
            queue.settle()
            # The lower quartile: what else the machine does only ever adds.
            measured.append((name, percentile(claim_all(queue), 25)))
    short = (measured[0][1] + measured[-1][1]) / 2
    for name, seconds in measured:
        figures = {
            "claims_of": ROOM,
            "rounds": ROUNDS,
            "ms_per_claim": round(seconds * 1000 * ROOM / DUE, 2),
            "runs_per_second": round(DUE / seconds),
            "times_as_long": round(seconds / short, 2),
            **against(round(seconds / short, 2), most=SLOWDOWN),
        }
        print(json.dumps(line(f"CLAIM: {name}", **figures)), flush=True)


if __name__ == "__main__":
    main()
