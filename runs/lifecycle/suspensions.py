"""Runs of suspended tenants: paused where the suspension says so, and resumed with their tenant."""

from typing import Final
from uuid import UUID

from foundation.scope import tenant_scope, unscoped
from runs.commands import command_run
from runs.models import Run, RunStatus, SignalKind, SuspendedRun
from tenants.models import RunsWhileSuspended, Tenant

ACTOR: Final = "system"
BATCH: Final = 200
MAX_BATCHES: Final = 100
"""Of one call: what is left is found by the next, a minute later."""
_GOING_ON: Final = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)


def settle_suspensions() -> int:
    """Pause what runs of tenants whose suspension pauses, and resume what it had paused of all others.

    May be called any number of times, by several at once: each run is paused, or resumed, in a transaction of its own
    that also notes it, so a call that is killed half way leaves the rest to the next.

    Returns:
        How many runs were told.
    """
    told = 0
    for _ in range(MAX_BATCHES):
        batch = [*((_pause, *found) for found in _to_pause()), *((_resume, *found) for found in _to_resume())]
        if not batch:
            break
        for act, tenant_id, run_id in batch:
            act(tenant_id, run_id)
        told += len(batch)
    return told


def _to_pause() -> list[tuple[UUID, UUID]]:
    with unscoped("suspensions of all tenants are settled together"):
        pausing = list(Tenant.objects.filter(suspended_runs=RunsWhileSuspended.PAUSE).values_list("id", flat=True))
        going_on = Run.objects.filter(tenant__in=pausing, status__in=_GOING_ON, pause_requested=False)
        return list(going_on.order_by("tenant_id", "id").values_list("tenant_id", "id")[:BATCH])


def _to_resume() -> list[tuple[UUID, UUID]]:
    with unscoped("suspensions of all tenants are settled together"):
        noted = SuspendedRun.objects.exclude(tenant__suspended_runs=RunsWhileSuspended.PAUSE)
        return list(noted.order_by("tenant_id", "run_id").values_list("tenant_id", "run_id")[:BATCH])


def _pause(tenant_id: UUID, run_id: UUID) -> None:
    """Pause a run and note it; one that people have paused, or that is over, meanwhile is left alone."""
    with tenant_scope(tenant_id):
        run = Run.objects.select_for_update().filter(id=run_id, status__in=_GOING_ON, pause_requested=False).first()
        tenant = Tenant.objects.get(id=tenant_id)
        if run is None or tenant.suspended_runs != RunsWhileSuspended.PAUSE:
            return
        _command(tenant, run_id, SignalKind.PAUSE, "The tenant is suspended.")
        SuspendedRun.objects.get_or_create(run=run, tenant=tenant)


def _resume(tenant_id: UUID, run_id: UUID) -> None:
    """Resume a run that stands still or is about to; one that is over by now is forgotten."""
    with tenant_scope(tenant_id):
        run = Run.objects.select_for_update().filter(id=run_id).first()
        tenant = Tenant.objects.get(id=tenant_id)
        if tenant.suspended_runs == RunsWhileSuspended.PAUSE:
            return
        if run is not None and (run.pause_requested or run.status == RunStatus.PAUSED):
            reason = "The tenant is resumed."
            command_run(
                tenant=tenant, actor=ACTOR, run_id=run_id, command=SignalKind.RESUME, reason=reason, by_house=True
            )
        SuspendedRun.objects.filter(run_id=run_id).delete()


def _command(tenant: Tenant, run_id: UUID, command: SignalKind, reason: str) -> None:
    command_run(tenant=tenant, actor=ACTOR, run_id=run_id, command=command, reason=reason, by_house=True)
