"""Runs put straight into the database, and what became of them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connections

from foundation.scope import unscoped
from kernel.clock import utc_now
from kernel.ids import new_id
from runs.bus.doorbell import poke_owner
from runs.models import OVER, Run, RunEvent, Signal, SignalKind
from segments.definition import content_hash, read_segment
from segments.models import Revision
from tenants.limits.services import set_limits as change_limits
from tenants.models import Tenant
from tests.support.process_ends import eventually

PATIENCE_SECONDS = 30.0
"""For what is sure to come, on a machine that does much else. A test that promises a time names it."""


def make_tenant(slug: str = "acme", **more: Any) -> Tenant:
    with unscoped("tests look everywhere"):
        return Tenant.objects.create(slug=slug, name=slug, **more)


def set_limits(tenant: Tenant, **limits: int | None) -> None:
    """Set limits as an operator does; they hold at once."""
    change_limits(tenant=tenant, actor="operator", limits=limits)


def make_revision(tenant: Tenant, document: dict[str, Any]) -> Revision:
    """An inline revision; the same document is the same one."""
    segment = read_segment(document).segment
    assert segment is not None
    with unscoped("tests look everywhere"):
        revision, _ = Revision.objects.get_or_create(
            tenant=tenant, segment=None, content_hash=content_hash(segment), defaults={"definition": segment.to_dict()}
        )
    return revision


def queue_run(tenant: Tenant, document: dict[str, Any], **more: Any) -> UUID:
    return queue_runs(tenant, document, 1, **more)[0]


def queue_runs(tenant: Tenant, document: dict[str, Any], count: int, **more: Any) -> list[UUID]:
    revision = make_revision(tenant, document)
    facts = {"timeout_seconds": 300.0, "input": {"n": 1}, **more}
    runs = [
        Run(id=new_id(), tenant=tenant, revision=revision, segment_id=document["segment_id"], **facts)
        for _ in range(count)
    ]
    with unscoped("tests look everywhere"):
        Run.objects.bulk_create(runs)
    return [run.id for run in runs]


def get_run(run_id: UUID) -> Run:
    with unscoped("tests look everywhere"):
        return Run.objects.get(id=run_id)


def events_of(run_id: UUID) -> list[RunEvent]:
    with unscoped("tests look everywhere"):
        return list(RunEvent.objects.filter(run_id=run_id).order_by("seq"))


def event_types(run_id: UUID) -> list[str]:
    return [event.type if event.step_id is None else f"{event.type} {event.step_id}" for event in events_of(run_id)]


def statuses(run_ids: Iterable[UUID]) -> dict[UUID, str]:
    with unscoped("tests look everywhere"):
        return dict(Run.objects.filter(id__in=list(run_ids)).values_list("id", "status"))


def wait_until_over(*run_ids: UUID, seconds: float = PATIENCE_SECONDS) -> list[str]:
    """The statuses once all runs are over; fails with the present ones when time is up."""
    over = {status.value for status in OVER}
    found = eventually(lambda: set(statuses(run_ids).values()) <= over, seconds=seconds)
    now = statuses(run_ids)
    assert found, f"after {seconds} s: {now}"
    return [now[run_id] for run_id in run_ids]


def wait_for(fact: Any, *, seconds: float = PATIENCE_SECONDS, what: str = "") -> float:
    """Wait until a fact holds and return the seconds it took."""
    began = time.monotonic()
    assert eventually(fact, seconds=seconds), what or "it never came true"
    return time.monotonic() - began


def send_cancel(run_id: UUID, *, reason: str = "enough", poke: bool = False) -> None:
    """What the service does: a row in the inbox, under the run's row lock, unless the run is over."""
    with unscoped("tests look everywhere"):
        run = Run.objects.select_for_update().get(id=run_id)
        if run.is_over:
            return
        Signal.objects.create(tenant_id=run.tenant_id, run=run, kind=SignalKind.CANCEL, payload={"reason": reason})
        run.signals_pending = True
        fields = ["signals_pending"]
        if run.owner is None:
            run.wake_at = utc_now() - timedelta(seconds=1)
            fields.append("wake_at")
        run.save(update_fields=fields)
        if poke:
            poke_owner(run_id)


def signals_of(run_id: UUID) -> list[Signal]:
    with unscoped("tests look everywhere"):
        return list(Signal.objects.filter(run_id=run_id).order_by("id"))


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what blocks from inside an event loop; the thread keeps no connection."""

    def call() -> Any:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(call)
