"""Runs of a tenant that is removed: cancelled first, then gone; and what Redis has of it."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import redis
from django.conf import settings
from django.db.models import Model

from audit.services import record
from foundation.scope import unscoped
from kernel.types import Json
from runs.commands import command_run
from runs.errors import RunAlreadyOver, RunNotFound
from runs.lifecycle.retention import BATCH_RUNS, bounded
from runs.models import OVER, Run, SignalKind
from tenants.models import Tenant

log = logging.getLogger(__name__)

ACTOR: Final = "system"
REASON: Final = "The tenant is being deleted."
REMOVED: Final = "removed"
"""In the place of a status: the run went with its tenant before it was over."""
CANCELLED_AT_ONCE: Final = 500
REDIS_SECONDS: Final = 5.0


class RunsOfTenant:
    """Answers of the app of runs to the removal of a tenant (``TenantWork``)."""

    run_model: type[Model] = Run

    def cancel_runs(self, tenant_id: UUID) -> int:
        """Ask runs that are not over to end for good, those that were not asked before; return how many are left."""
        with unscoped("a removal"):
            tenant = Tenant.objects.get(id=tenant_id)
            live = Run.objects.filter(tenant=tenant).exclude(status__in=OVER)
            asked = live.exclude(signals__kind=SignalKind.CANCEL).order_by("id").values_list("id", flat=True)
            run_ids = list(asked[:CANCELLED_AT_ONCE])
        for run_id in run_ids:
            with suppress(RunAlreadyOver, RunNotFound):
                command_run(
                    tenant=tenant, actor=ACTOR, run_id=run_id, command=SignalKind.CANCEL, reason=REASON, by_house=True
                )
        with unscoped("a removal"):
            return live.count()

    def count_owned(self, tenant_id: UUID) -> int:
        """Count the runs of a tenant that a host executes now."""
        with unscoped("a removal"):
            return Run.objects.filter(tenant_id=tenant_id, owner__isnull=False).count()

    def some_runs(self, tenant_id: UUID) -> list[UUID]:
        """Name some runs that have not too many events together; one at least, if there is any."""
        with unscoped("a removal"):
            runs = Run.objects.filter(tenant_id=tenant_id).order_by("created_at", "id")
            return bounded(list(runs.values_list("id", "last_seq")[:BATCH_RUNS]))

    def record_ends(self, run_ids: Sequence[UUID]) -> None:
        """Tell the audit of runs that no host has ended in time: they end by being removed."""
        for run in Run.objects.filter(id__in=run_ids).exclude(status__in=OVER).order_by("id"):
            after: dict[str, Json] = {"status": REMOVED, "last_seq": run.last_seq, "journal": bytes(run.digest).hex()}
            record("run.ended", run, actor=ACTOR, after=after, outcome=REMOVED)

    def forget(self, tenant_id: UUID) -> None:
        """Remove the keys that name the tenant; while Redis is away they end with their own time."""
        try:
            with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS) as client:
                for key in client.scan_iter(match=f"*{tenant_id}*", count=1000):
                    client.unlink(key)
        except redis.RedisError as error:
            log.warning("what Redis has of tenant %s stays until its time is over: %s", tenant_id, error)
