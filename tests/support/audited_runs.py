"""Runs of a tenant that are over, with their entries sealed."""

from typing import Any
from uuid import UUID

from audit.sealing.sealer import seal_entries
from foundation.scope import unscoped
from runs.models import Run
from runs.services import StartRequest, start_run
from tenants.models import Tenant
from tests.support.definitions import steps_in_a_row
from tests.support.engine import wait_until_over
from tests.support.host import running_host


def start(tenant: Tenant, *expressions: str, **more: Any) -> UUID:
    """Start a run of transforms in a row, as callers do."""
    spec = StartRequest(definition=steps_in_a_row(*expressions), input=1, **more)
    return start_run(tenant=tenant, api_key=None, spec=spec, actor="member:m1").run.id


def ended_runs(tenant: Tenant, count: int = 3) -> list[UUID]:
    """Start some runs, execute them and seal what is told of them."""
    run_ids = [start(tenant, "input + 1", "input * 2") for _ in range(count)]
    with running_host():
        wait_until_over(*run_ids)
    seal_entries()
    return run_ids


def stored_run(run_id: UUID) -> Run:
    with unscoped("tests look everywhere"):
        return Run.objects.get(id=run_id)
