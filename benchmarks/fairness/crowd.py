"""Fairness between tenants: how soon a newcomer starts beside a long queue, and what a thousand tenants cost."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from benchmarks import documents
from benchmarks.caller import Caller
from benchmarks.figures import against, percentile
from benchmarks.stack import Stack
from benchmarks.workloads import Figures, save

QUEUED = 5_000
CAPACITY = 100
"""Of the worker that one tenant's queue fills: each of its runs takes a worker's place for ``NAP_SECONDS``."""
NAP_SECONDS = 2.0
NEWCOMERS = 20
TENANTS = 1_000
LARGEST = 500
"""Runs of the tenant with most; the others have less and less, by a power law."""
PATIENCE_SECONDS = 240.0

MAKE_TENANTS = """
insert into tenants_tenant (id, slug, name, is_active, created_at)
select gen_random_uuid(), 'fair-' || gen_random_uuid(), 'Fair', true, clock_timestamp()
from generate_series(1, %s) returning id
"""
# What was started once through the API, again and again: under other tenants, each with a revision of its own.
COPY_REVISIONS = """
insert into segments_revision
select revision.* from unnest(%s::uuid[]) with ordinality as t(tenant, n)
cross join lateral jsonb_populate_record(null::segments_revision, (
  select to_jsonb(s) || jsonb_build_object('id', gen_random_uuid(), 'tenant_id', t.tenant, 'segment_id', null,
    'number', null, 'content_hash', lpad(t.n::text, 64, '0')) from segments_revision s where s.id = %s
)) revision
returning id
"""
COPY_RUNS = """
insert into runs_run
select run.* from unnest(%s::uuid[], %s::uuid[], %s::int[]) as backlog(tenant, revision, runs)
cross join lateral generate_series(1, backlog.runs) n
cross join lateral jsonb_populate_record(null::runs_run, (
  select to_jsonb(r) || jsonb_build_object('id', gen_random_uuid(), 'tenant_id', backlog.tenant,
    'revision_id', backlog.revision, 'created_at', clock_timestamp(), 'wake_at', clock_timestamp())
  from template r where n > 0
)) run
"""
FORGET = (
    "delete from segments_revision where tenant_id in (select id from tenants_tenant where slug like 'fair-%')",
    "delete from runs_storagepart where tenant_id in (select id from tenants_tenant where slug like 'fair-%')",
    "delete from tenants_tenant where slug like 'fair-%'",
)
TEMPLATE = """
create temporary table template as select * from runs_run where id = %s
"""
OPEN = "select count(*) from runs_run where status not in ('completed', 'failed')"
EXECUTED = "select count(*) from runs_run where owner is not null"
WAITED = """
select extract(epoch from r.started_at - r.created_at)::float8 from runs_run r where r.tenant_id = any(%s)
"""
FIRST_SLOTS = """
select extract(epoch from min(started_at) - min(min(started_at)) over ())::float8 from runs_run
where tenant_id = any(%s) group by tenant_id
"""
SPAN = "select extract(epoch from max(ended_at) - min(started_at))::float8 from runs_run"


class Backlogs:
    """Rows of many tenants, copied from a run that was started through the API."""

    def __init__(self, stack: Stack, document: dict[str, Any]) -> None:
        self._stack = stack
        stack.empty()
        run_id = asyncio.run(_start(stack, document))
        stack.database.execute("drop table if exists template")
        stack.database.execute(TEMPLATE, [run_id])
        (self._revision_id,) = stack.database.execute("select revision_id from template").fetchone() or (None,)
        stack.empty()

    def make_tenants(self, count: int) -> list[UUID]:
        """Add tenants."""
        return _ids(self._stack.database.execute(MAKE_TENANTS, [count]).fetchall())

    def make_revisions(self, tenants: Sequence[UUID]) -> list[UUID]:
        """Give each tenant named a revision of its own; one named several times has as many."""
        return _ids(self._stack.database.execute(COPY_REVISIONS, [list(tenants), self._revision_id]).fetchall())

    def queue(self, tenants: Sequence[UUID], revisions: Sequence[UUID], counts: Sequence[int]) -> None:
        """Queue runs: so many of each revision, for the tenant at the same place."""
        self._stack.database.execute(COPY_RUNS, [list(tenants), list(revisions), list(counts)])

    def settle(self) -> None:
        """Bring statistics and indexes into the state an autovacuum leaves."""
        self._stack.database.execute("vacuum analyze runs_run, segments_revision, tenants_tenant")

    def forget(self) -> None:
        """Remove everything that was made."""
        self._stack.empty()
        for statement in FORGET:
            self._stack.database.execute(statement.encode())


def beside_a_long_queue(stack: Stack) -> Figures:
    """Fill a worker from one tenant's long queue, then start single runs of another; gives how long they waited."""
    backlogs = Backlogs(stack, documents.chain("nap", 1, seconds=NAP_SECONDS))
    tenants = backlogs.make_tenants(1)
    backlogs.queue(tenants, backlogs.make_revisions(tenants), [QUEUED])
    with _capacity(stack, CAPACITY), stack.idle_worker():
        _wait_until(stack, lambda: _number(stack, EXECUTED) >= CAPACITY * 0.9)
        most = int(_number(stack, EXECUTED))
        waited = asyncio.run(_newcomers(stack))
    left = int(_number(stack, OPEN))
    backlogs.forget()
    return {
        "queued": QUEUED,
        "left_of_them": left,
        "capacity": CAPACITY,
        "executed_of_the_one": most,
        "newcomers": NEWCOMERS,
        "p50_ms": round(percentile(waited, 50) * 1000, 1),
        "max_ms": round(max(waited) * 1000, 1),
        **against(round(max(waited), 3), most=1.0),
    }


def in_a_crowd(stack: Stack) -> Iterator[tuple[str, Figures]]:
    """Execute the same runs of one tenant and of a thousand, in turns; gives the rates, and waits for a first slot."""
    backlogs = Backlogs(stack, documents.chain("noop", 1))
    counts = [max(1, int(LARGEST / number**0.9)) for number in range(1, TENANTS + 1)]
    rates: dict[str, list[float]] = {"one": [], "many": []}
    first, late = [], []
    for _ in range(2):
        for kind, found in rates.items():
            tenants = backlogs.make_tenants(TENANTS) if kind == "many" else backlogs.make_tenants(1) * TENANTS
            backlogs.queue(tenants, backlogs.make_revisions(tenants), counts)
            backlogs.settle()
            with stack.worker():
                _wait_until(stack, lambda: _number(stack, EXECUTED) > 0)
                newcomers = backlogs.make_tenants(NEWCOMERS) if kind == "many" else []
                for newcomer in newcomers:
                    backlogs.queue([newcomer], backlogs.make_revisions([newcomer]), [1])
                    time.sleep(0.05)
                _wait_until(stack, lambda: _number(stack, OPEN) == 0)
            found.append(sum(counts) / _number(stack, SPAN))
            if kind == "many":
                late += _numbers(stack, WAITED, newcomers)
                first += _numbers(stack, FIRST_SLOTS, tenants)
            backlogs.forget()
    share = sum(rates["many"]) / sum(rates["one"])
    yield (
        f"FAIR: {sum(counts)} runs of {TENANTS} tenants, and of one, in turns",
        {
            "runs_per_second": {kind: [round(rate, 1) for rate in found] for kind, found in rates.items()},
            "share": round(share, 3),
            **against(round(share, 3), least=0.95),
        },
    )
    yield (
        f"FAIR: the wait for a first slot of {TENANTS} tenants, and of {NEWCOMERS} that come later",
        {
            "max_s": round(max(first), 3),
            "late_max_s": round(max(late), 3),
            **against(round(max(*first, *late), 3), most=2.0),
        },
    )


@contextmanager
def _capacity(stack: Stack, capacity: int) -> Iterator[None]:
    stack.environment["WORKER_CAPACITY"] = str(capacity)
    try:
        yield
    finally:
        del stack.environment["WORKER_CAPACITY"]


async def _start(stack: Stack, document: dict[str, Any]) -> str:
    path = await save(stack, document)
    async with Caller(stack.base_url, stack.key) as caller:
        started: Mapping[str, str] = await caller.expect(202, "POST", path, {"input": documents.INPUT})
    return started["run_id"]


async def _newcomers(stack: Stack) -> list[float]:
    """Start runs one after the other; gives how long each waited, by the database's clock."""
    path = await save(stack, documents.chain("noop", 1))
    waits = "select extract(epoch from started_at - created_at)::float8 from runs_run where id = %s"
    waited: list[float] = []
    async with Caller(stack.base_url, stack.key) as caller:
        for _ in range(NEWCOMERS):
            started = await caller.expect(202, "POST", path, {"input": documents.INPUT})
            ask = partial(_numbers, stack, waits, started["run_id"])
            await asyncio.to_thread(_wait_until, stack, ask)
            waited += ask()
    return waited


def _ids(rows: Sequence[tuple[object, ...]]) -> list[UUID]:
    return [UUID(str(row[0])) for row in rows]


def _numbers(stack: Stack, question: str, *values: object) -> list[float]:
    rows = stack.database.execute(question.encode(), values).fetchall()
    return [float(str(row[0])) for row in rows if row[0] is not None]


def _number(stack: Stack, question: str) -> float:
    return _numbers(stack, question)[0]


def _wait_until(stack: Stack, fact: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it never came true; see {stack.logs}")
        time.sleep(0.1)
