"""Entries written at a rate over many tenants, each in a transaction of its own, and how long each waits for its seal.

    python -m benchmarks.audit.entries DSN --rate 1000 --seconds 60 --tenants 50

Prints one JSON object. An entry counts as sealed at the first look at the queue, every 20 ms, that finds nothing of it
or of an older one. The look itself may be late, and an older entry that was committed later holds it up, so the times
are at most too long.
"""

import argparse
import asyncio
import json
import time
from typing import Any, Final
from uuid import UUID

import psycopg

from benchmarks.figures import percentile

WRITERS: Final = 8
LOOK_SECONDS: Final = 0.02
PATIENCE_SECONDS: Final = 120.0
MAKE_TENANTS: Final = """
insert into tenants_tenant (id, slug, name, is_active, created_at)
select gen_random_uuid(), 'sealed-' || gen_random_uuid(), 'Sealed', true, clock_timestamp()
from generate_series(1, %s) returning id
"""
WRITE: Final = """
insert into audit_entry (id, tenant_id, action, actor, object_type, object_id, after, outcome, request_id, source,
  created_at)
values (gen_random_uuid(), %s, 'segment.saved', 'key:0193d2f18f4e', 'segment', gen_random_uuid()::text,
  '{"revision": 2, "content_hash": "c0ffee"}', 'done', replace(gen_random_uuid()::text, '-', ''), '',
  clock_timestamp())
"""
PLACE: Final = "select currval('audit_unsealedentry_id_seq')"
OLDEST: Final = "select min(id) from audit_unsealedentry"


class Writing:
    """The entries so far, with the second each was committed, and the looks at the queue."""

    def __init__(self, dsn: str, tenants: list[UUID]) -> None:
        self._dsn = dsn
        self._tenants = tenants
        self._numbers = iter(range(10**9))
        self._is_written = False
        self.committed: list[tuple[int, float]] = []
        self.looks: list[tuple[float, int | None]] = []

    async def write(self, rate: float, seconds: float) -> None:
        """Write at the rate, and look until all is sealed.

        Raises:
            TimeoutError: It is not, in two minutes.
        """
        looking = asyncio.create_task(self._look())
        began = time.monotonic()
        await asyncio.gather(*(self._write_some(began, rate, seconds) for _ in range(WRITERS)))
        self._is_written = True
        await asyncio.wait_for(looking, PATIENCE_SECONDS)

    def waits(self) -> list[float]:
        """Return the seconds from commit to seal of every entry."""
        waits, at = [], 0
        for place, committed in sorted(self.committed, key=lambda one: one[1]):
            while self.looks[at][0] < committed:
                at += 1
            seen = next(began for began, oldest in self.looks[at:] if oldest is None or oldest > place)
            waits.append(seen - committed)
        return waits

    async def _write_some(self, began: float, rate: float, seconds: float) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as database:
            for number in self._numbers:
                due = began + number / rate
                if due > began + seconds:
                    return
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await database.execute(WRITE, [self._tenants[number % len(self._tenants)]])
                committed = time.monotonic()
                row = await (await database.execute(PLACE)).fetchone()
                self.committed.append((int(row[0]) if row else 0, committed))

    async def _look(self) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as database:
            while not (self._is_written and self.looks and self.looks[-1][1] is None):
                began = time.monotonic()
                row = await (await database.execute(OLDEST)).fetchone()
                self.looks.append((began, row[0] if row else None))
                await asyncio.sleep(LOOK_SECONDS)


def main() -> None:
    """Write, and print how long the entries waited."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dsn")
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--tenants", type=int, required=True)
    arguments = parser.parse_args()
    with psycopg.connect(arguments.dsn, autocommit=True) as database:
        tenants = [row[0] for row in database.execute(MAKE_TENANTS, [arguments.tenants]).fetchall()]
    writing = Writing(arguments.dsn, tenants)
    began = time.monotonic()
    asyncio.run(writing.write(arguments.rate, arguments.seconds))
    waits = writing.waits()
    figures: dict[str, Any] = {
        "entries": len(waits),
        "seconds": round(time.monotonic() - began, 1),
        "entries_per_second": round(len(waits) / arguments.seconds),
        "p50_s": round(percentile(waits, 50), 3),
        "p99_s": round(percentile(waits, 99), 3),
        "max_s": round(max(waits), 3),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
