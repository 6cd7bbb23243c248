"""Claimed runs and their journals, for tests of the writer."""

from uuid import UUID

from kernel.ids import new_id
from runs.engine.clock import DatabaseClock
from runs.engine.journal.journal import Journal
from runs.engine.store import workers
from runs.engine.store.claimed import Claimed
from runs.engine.store.claims import claim_runs
from runs.engine.store.connection import connect
from runs.engine.store.shares import ClaimingHost


def register_host(lease_seconds: float = 60) -> UUID:
    worker_id = new_id()
    with connect("test") as connection:
        workers.register(connection, worker_id=worker_id, name=f"host {worker_id}", lease_seconds=lease_seconds)
    return worker_id


def claim(worker_id: UUID, *, room: int = 100, suspects: bool = False) -> list[Claimed]:
    with connect("test") as connection:
        return claim_runs(connection, host=ClaimingHost(worker_id), room=room, suspects=suspects).runs


def open_journal(claimed: Claimed) -> Journal:
    clock = DatabaseClock()
    clock.set(1_800_000_000.0, asked_at=0, answered_at=0)
    return Journal(
        run_id=claimed.run_id,
        tenant_id=claimed.tenant_id,
        epoch=claimed.epoch,
        clock=clock,
        seq=claimed.last_seq,
        size=claimed.journal_bytes,
        digest=claimed.digest,
    )
