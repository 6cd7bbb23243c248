"""Human tasks as their step and the clock move them: open, remind, escalate, expire, withdraw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from audit.services import record
from foundation.scope import tenant_scope
from humantasks.lifecycle import (
    SYSTEM,
    asked_by_id,
    assign,
    close,
    lock_run,
    lock_task,
    notify_members,
    signal_event,
    who_is_asked,
)
from humantasks.metrics import TASKS_OPENED, count_behind_commit
from humantasks.models import HumanTask, NoticeKind
from humantasks.people import resolve_assignees
from humantasks.schedule import Escalate, at_deadline, first_reminder, next_look_at
from humantasks.types import Priority, TaskStatus
from kernel.canonical import content_hash
from kernel.clock import utc_now
from kernel.types import Json
from runs.models import Run

TIMED_OUT: Final = "HUMAN_TASK_TIMED_OUT"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """Question of a step to people. ``timeout_seconds`` is the time of each person asked, one after the other."""

    task_type: str
    title: str
    description: str
    data: Json
    form: Mapping[str, Json]
    choices: Sequence[Json]
    ports: Sequence[str]
    assignee_ref: str | None
    candidate_groups: Sequence[str]
    needed: int
    voters: int
    four_eyes: bool
    priority: Priority
    timeout_seconds: float
    reminder_seconds: float | None
    chain: Sequence[str] = ()
    on_timeout: str = ""


def open_task(*, tenant_id: UUID, run_id: UUID, step_id: str, activation: int, spec: TaskSpec) -> HumanTask:
    """Open the task of an activation, once however often the step is tried.

    When the step is tried again and shows something else, the open task shows that, and the decisions about what was
    shown before are dropped.

    Args:
        tenant_id: Owner.
        run_id: The run.
        step_id: The step.
        activation: Its activation.
        spec: What is asked.
    """
    with tenant_scope(tenant_id):
        run = Run.objects.select_related("tenant").get(id=run_id)
        task = HumanTask.objects.select_for_update().filter(run=run, step_id=step_id, activation=activation).first()
        if task is None:
            return _new_task(run, step_id, activation, spec)
        if task.is_open and task.content_hash != _hash(run, spec):
            _show_anew(task, run, spec)
    return task


def act_on_deadlines(*, tenant_id: UUID, run_id: UUID, step_id: str, activation: int) -> datetime | None:
    """Do what a task's time asks for: remind, ask the next of the chain, end it without an answer.

    Returns:
        When to look again; None when the task is over.
    """
    with tenant_scope(tenant_id):
        run = lock_run(run_id)
        task = lock_task(run, step_id, activation)
        if task is None or not task.is_open:
            return None
        now = utc_now()
        if task.due_at <= now:
            _at_deadline(task, run, now)
        elif task.remind_at is not None and task.remind_at <= now:
            _remind(task, now)
        return next_look_at(task.due_at, task.remind_at) if task.is_open else None


def withdraw_task(*, tenant_id: UUID, run_id: UUID, step_id: str, activation: int) -> None:
    """Close the task of an activation that is cancelled; one that is over stays as it is."""
    with tenant_scope(tenant_id):
        run = lock_run(run_id)
        task = lock_task(run, step_id, activation)
        if task is not None and task.is_open:
            close(task, TaskStatus.CANCELLED, actor=SYSTEM)


def _new_task(run: Run, step_id: str, activation: int, spec: TaskSpec) -> HumanTask:
    now = utc_now()
    due_at = now + timedelta(seconds=spec.timeout_seconds)
    task = HumanTask(
        tenant=run.tenant,
        run=run,
        segment_id=run.segment_id,
        step_id=step_id,
        activation=activation,
        started_by=run.started_by_actor,
        needed=spec.needed,
        voters=spec.voters,
        four_eyes=spec.four_eyes,
        priority=spec.priority,
        timeout_seconds=spec.timeout_seconds,
        reminder_seconds=spec.reminder_seconds,
        chain=list(spec.chain),
        on_timeout=spec.on_timeout,
        due_at=due_at,
        remind_at=_first_reminder(now, due_at, spec.reminder_seconds),
        created_at=now,
    )
    _show(task, run, spec)
    assign(task, resolve_assignees(tenant=run.tenant, ref=spec.assignee_ref, groups=spec.candidate_groups))
    task.save(force_insert=True)
    notify_members(task, NoticeKind.ASKED)
    count_behind_commit(TASKS_OPENED, task.task_type)
    record("task.created", task, actor=SYSTEM, after={"run_id": str(run.id), "step_id": step_id, **asked_by_id(task)})
    return task


def _show(task: HumanTask, run: Run, spec: TaskSpec) -> None:
    task.task_type, task.title, task.description = spec.task_type, spec.title, spec.description
    task.data, task.form, task.choices, task.ports = spec.data, dict(spec.form), list(spec.choices), list(spec.ports)
    task.content_hash = _hash(run, spec)


def _show_anew(task: HumanTask, run: Run, spec: TaskSpec) -> None:
    _show(task, run, spec)
    task.decisions.all().delete()
    task.save()
    record("task.changed", task, actor=SYSTEM, after={"content_hash": task.content_hash})


def _hash(run: Run, spec: TaskSpec) -> str:
    """Name what is shown: the revision, the texts, the data, the form."""
    shown: dict[str, Json] = {
        "revision": str(run.revision_id),
        "task_type": spec.task_type,
        "title": spec.title,
        "description": spec.description,
        "data": spec.data,
        "form": dict(spec.form),
        "choices": list(spec.choices),
    }
    return content_hash(shown)


def _first_reminder(now: datetime, due_at: datetime, every_seconds: float | None) -> datetime | None:
    return first_reminder(now, due_at, None if every_seconds is None else every_seconds / 3600)


def _remind(task: HumanTask, now: datetime) -> None:
    task.remind_at = _first_reminder(now, task.due_at, task.reminder_seconds)
    task.save(update_fields=["remind_at"])
    notify_members(task, NoticeKind.REMINDED)
    record("task.reminded", task, actor=SYSTEM, after={"next": None if task.remind_at is None else str(task.remind_at)})


def _at_deadline(task: HumanTask, run: Run, now: datetime) -> None:
    step = at_deadline(level=task.level, chain=task.chain, on_timeout=task.on_timeout, connected=task.ports)
    if isinstance(step, Escalate):
        _escalate(task, run, step, now)
        return
    close(task, TaskStatus.TIMED_OUT, actor=SYSTEM)
    facts: dict[str, Json] = {"decision": None, "timed_out": True}
    if step.port is None:
        message = "Nobody answered in time."
        signal_event(
            task, run, "human.task_completed", facts, answer={"error": {"code": TIMED_OUT, "message": message}}
        )
    else:
        value = {"task_id": str(task.id), "decision": "timeout", "data": task.data, "decisions": []}
        signal_event(task, run, "human.task_completed", facts, answer={"port": step.port, "value": value})


def _escalate(task: HumanTask, run: Run, step: Escalate, now: datetime) -> None:
    before = who_is_asked(task)
    assign(task, resolve_assignees(tenant=task.tenant, ref=step.ref))
    task.level = step.level
    task.due_at = now + timedelta(seconds=task.timeout_seconds)
    task.remind_at = _first_reminder(now, task.due_at, task.reminder_seconds)
    task.save()
    notify_members(task, NoticeKind.ESCALATED)
    facts = {"level": task.level, **who_is_asked(task), "before": before, "until": _written(task)}
    signal_event(task, run, "human.task_escalated", facts)
    record("task.escalated", task, actor=SYSTEM, after={"level": task.level, **asked_by_id(task)})


def _written(task: HumanTask) -> str:
    """Write when a task is looked at next, as the journal has it."""
    return next_look_at(task.due_at, task.remind_at).isoformat()
