"""Human task lifecycle: lock, assign, notify, record, close."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from audit.services import record
from humantasks.metrics import MAILS, OVER_LIMIT, TASKS_ENDED, count_behind_commit
from humantasks.models import HumanTask, Notice, NoticeKind
from humantasks.people import Assignees, mail_recipients
from humantasks.types import MAX_NAME, Outcome, TaskStatus
from kernel.clock import utc_now
from kernel.types import Json
from kernel.values import shortened
from runs.commands import signal_task
from runs.models import Run

SYSTEM: Final = "system"
MAX_WAITING: Final = 2_000
"""Most mails of a tenant that wait; of what comes on top the console tells, and can send it."""
TOO_MANY: Final = "Too many mails of this tenant are waiting."


def lock_run(run_id: UUID) -> Run:
    """Lock a run's row, which comes before its tasks'."""
    return Run.objects.select_for_update(of=("self",), no_key=True).select_related("tenant").get(id=run_id)


def lock_task(run: Run, step_id: str, activation: int) -> HumanTask | None:
    """Lock the task of an activation, if it has one."""
    rows = HumanTask.objects.select_for_update(of=("self",)).select_related("assignee__user", "claimed_by__user")
    return rows.filter(run=run, step_id=step_id, activation=activation).first()


def close(task: HumanTask, status: TaskStatus, *, actor: str, outcome: Outcome | None = None, name: str = "") -> None:
    """End a task for good, and tell the audit."""
    task.status, task.ended_at, task.remind_at = status, utc_now(), None
    task.decided_by, task.decided_by_name = actor, name
    if outcome is not None:
        task.decision, task.choice = outcome.decision, outcome.choice or ""
    task.save()
    count_behind_commit(TASKS_ENDED, status)
    record(f"task.{status}", task, actor=actor, after={"decision": task.decision, "choice": task.choice})


def assign(task: HumanTask, asked: Assignees) -> None:
    """Have a task be somebody else's; whoever had claimed it has not any more. Not saved.

    Who may answer is told by the assignee and the groups; ``asked`` says it in words, as many as are shown.
    """
    task.asked = shortened(asked.ref, MAX_NAME)
    task.assignee, task.candidate_groups = asked.assignee, list(asked.groups)
    task.is_for_all, task.is_flagged = asked.is_for_all, task.is_flagged or asked.is_flagged
    task.claimed_by = task.claimed_at = None


def notify_members(task: HumanTask, kind: NoticeKind, *, but: UUID | None = None) -> None:
    """Have those who are asked be told by mail, while the tenant's mails that wait are not too many already."""
    asked = Assignees(task.asked, task.assignee, tuple(task.candidate_groups), task.is_for_all)
    waiting = Notice.objects.filter(tenant_id=task.tenant_id, next_at__isnull=False)[:MAX_WAITING].count()
    rows = [
        Notice(tenant_id=task.tenant_id, task=task, member=one, kind=kind) for one in mail_recipients(asked, but=but)
    ]
    for row in rows[max(0, MAX_WAITING - waiting) :]:
        row.next_at, row.error = None, TOO_MANY
        count_behind_commit(MAILS, OVER_LIMIT)
    Notice.objects.bulk_create(rows)


def signal_event(task: HumanTask, run: Run, event: str, facts: Mapping[str, Json], **answer: Json) -> None:
    """Have the run's journal tell what became of a task."""
    signal_task(
        run,
        {
            "event": event,
            "step_id": task.step_id,
            "activation": task.activation,
            "told": {"task_id": str(task.id), **facts},
            **answer,
        },
    )


def who_is_asked(task: HumanTask) -> dict[str, Json]:
    """Write who is asked, as the journal has it: by id, and by the words of the segment."""
    return {"asked": task.asked, **asked_by_id(task)}


def asked_by_id(task: HumanTask) -> dict[str, Json]:
    """Write who is asked, as the audit has it: it names nobody by an e-mail address, which could not be erased."""
    return {
        "assignee_id": None if task.assignee_id is None else str(task.assignee_id),
        "candidate_groups": list(task.candidate_groups),
        "is_for_all": task.is_for_all,
        "is_flagged": task.is_flagged,
    }
