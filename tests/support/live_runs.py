"""Runs whose journal a test writes itself, line by line, as a host would."""

import threading
import time
from typing import Any
from uuid import UUID

import redis
from django.db import connection
from django.db.models.functions import Now

from foundation.scope import unscoped
from runs.bus.advances import CHANNEL, Advance, write_advance
from runs.models import OVER, Run, RunEvent
from tenants.models import Tenant
from tests.support.definitions import steps_in_a_row
from tests.support.engine import queue_run

ENDS = {"segment.completed": "completed", "segment.failed": "failed", "segment.cancelled": "cancelled"}


class LiveRun:
    """One run. Nobody is told of what is written unless the test says so."""

    def __init__(self, tenant: Tenant, *, segment_id: str = "live") -> None:
        self.tenant = tenant
        self.id: UUID = queue_run(tenant, steps_in_a_row("input", segment_id=segment_id), wake_at=None)
        self.seq = 0

    def write(self, *types: str) -> None:
        """Append events, in one transaction."""
        with unscoped("the test is the host"):
            for kind in types:
                self.seq += 1
                step: dict[str, Any] = {}
                if kind.startswith("step."):
                    step = {"step_id": "step_1", "activation": (self.seq + 1) // 2, "attempt": 1}
                RunEvent.objects.create(
                    tenant=self.tenant,
                    run_id=self.id,
                    seq=self.seq,
                    type=kind,
                    payload=_payload(kind, self.seq),
                    **step,
                )
                status = ENDS.get(kind, "running")
                over = {"ended_at": Now()} if status in OVER else {}
                Run.objects.filter(id=self.id).update(last_seq=self.seq, status=status, **over)

    def steps(self, count: int) -> None:
        """Append starts and ends of a step, in turn: each end has a derived record too."""
        for _ in range(count):
            self.write("step.started", "step.completed")

    def write_later(self, seconds: float, *types: str) -> threading.Thread:
        """Append events from a thread of their own, after a while."""

        def write() -> None:
            time.sleep(seconds)
            try:
                self.write(*types)
            finally:
                connection.close()

        thread = threading.Thread(target=write)
        thread.start()
        return thread

    def tell(self, redis_url: str) -> None:
        """Publish how far the run is."""
        with unscoped("the test is the host"):
            status = Run.objects.values_list("status", flat=True).get(id=self.id)
        with redis.Redis.from_url(redis_url) as client:
            client.publish(CHANNEL, write_advance([Advance(self.tenant.id, self.id, self.seq, status)]))


def _payload(kind: str, seq: int) -> dict[str, Any]:
    payloads: dict[str, dict[str, Any]] = {
        "segment.started": {"input": {"n": 1}},
        "step.started": {"inputs": {}},
        "step.completed": {"ports": {"output": seq}, "edges": []},
        "segment.completed": {"output": seq},
        "segment.failed": {"error": {"code": "X", "message": "x"}},
    }
    return payloads.get(kind, {})
