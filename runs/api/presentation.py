"""Runs, steps and events as callers see them: what fills the shapes of ``runs.api.serializers``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.urls import reverse
from rest_framework.request import Request

from runs.callbacks.presentation import callback_body
from runs.callbacks.selectors import CallbackRecord, callbacks_of
from runs.events.bodies import error_member
from runs.journals.activations import StepRecord
from runs.models import Run
from runs.selectors import slot_wait
from runs.usage.sums import NOTHING_USED

_LINKS: Final = {
    "self": "run",
    "steps": "run_steps",
    "events": "run_events",
    "snapshot": "run_snapshot",
    "pause": "pause_run",
    "resume": "resume_run",
    "cancel": "cancel_run",
    "replay": "replay_run",
    "deliveries": "run_deliveries",
}


def read_run_body(run: Run, request: Request) -> dict[str, Any]:
    """Fill a ``RunShape`` for who reads one run: one that is due and not executed yet says what it waits for."""
    slot = slot_wait(run)
    if slot is not None:
        run.waiting_for = [*run.waiting_for, slot]
    return run_body(run, request)


def run_body(run: Run, request: Request, callbacks: Mapping[UUID, CallbackRecord] | None = None) -> dict[str, Any]:
    """Fill a ``RunShape``. The run came with its revision; ``callbacks`` with it too where many runs are shown."""
    callback = (callbacks_of([run]) if callbacks is None else callbacks).get(run.id)
    return {
        "run_id": run.id,
        "segment_id": run.segment_id,
        "revision": run.revision.number,
        "status": run.status,
        "pause_requested": run.pause_requested,
        "input": run.input,
        "output": run.output,
        "warnings": run.warnings,
        "waiting_for": [_wait(one, request) for one in run.waiting_for],
        "progress": {"activations": run.activations, "active": run.active},
        "usage": run_usage(run),
        "client_reference": run.client_reference or None,
        "metadata": run.metadata,
        "priority": run.priority,
        "timeout_seconds": run.timeout_seconds,
        "replay_of": run.replay_of,
        "is_test": run.is_test,
        "callback": None if callback is None else callback_body(callback),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "links": run_links(run.id, request),
        **error_member(run.error),
    }


def run_location(run_id: UUID, request: Request) -> str:
    """Say where a run can be read."""
    return request.build_absolute_uri(reverse("run", args=[run_id]))


def runs_location(request: Request) -> str:
    """Say where the caller reads runs."""
    return request.build_absolute_uri(reverse("runs"))


def step_body(step: StepRecord) -> dict[str, Any]:
    """Fill a ``StepShape``."""
    return {
        "step_id": step.step_id,
        "step_type": step.step_type,
        "activation": step.activation,
        "status": step.status,
        "attempts": step.attempts,
        "inputs": step.inputs,
        "output": step.output,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
        "duration_ms": _milliseconds(step.started_at, step.ended_at),
        "usage": step.usage,
        "calls": step.calls,
        **error_member(step.error),
    }


def run_usage(run: Run) -> dict[str, Any]:
    """Tell what a run has taken."""
    return {"activations": run.activations, **(run.usage or NOTHING_USED)}


def run_links(run_id: UUID, request: Request) -> dict[str, str]:
    """Say where to go on from a run."""
    return {name: request.build_absolute_uri(reverse(route, args=[run_id])) for name, route in _LINKS.items()}


def _wait(wait: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """Write a wait with the address of the page where it is ended, if a person can do that."""
    url = wait.get("task_url")
    return dict(wait) if url is None else {**wait, "task_url": request.build_absolute_uri(url)}


def _milliseconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else max(0, round((end - start).total_seconds() * 1000))
