"""Task commands: claim, release, delegate, decide. Rules are in ``humantasks.rules``; each is one transaction."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

from audit.services import record
from foundation.scope import reading_scope, tenant_scope
from humantasks import forms, rules
from humantasks.errors import AnswerInvalid, TaskChanged, TaskNotFound, TaskOver, TaskRefused, TaskTaken
from humantasks.facts import facts_of
from humantasks.lifecycle import (
    SYSTEM,
    asked_by_id,
    assign,
    close,
    lock_run,
    notify_members,
    signal_event,
    who_is_asked,
)
from humantasks.models import HumanTask, NoticeKind, TaskComment, TaskDecision
from humantasks.people import Assignees, active_members, person_of, shown_name
from humantasks.rules import Person, Refusal, TaskFacts, Vote
from humantasks.types import Outcome, TaskAnswer, TaskStatus, TaskType
from kernel.actors import key_of
from kernel.canonical import content_hash
from kernel.clock import utc_now
from kernel.errors import ErrorItem
from kernel.types import Json
from runs.models import Run, RunEvent
from tenants.models import Membership, Tenant

_OUTCOMES = ("step.completed", "step.failed", "step.skipped")


def claim_task(*, tenant: Tenant, person: Person, task_id: UUID) -> HumanTask:
    """Hold a task, so that nobody else decides it meanwhile. Claiming it again changes nothing.

    Raises:
        TaskNotFound: There is none, or the caller may not see it.
        TaskOver: It is over.
        TaskTaken: Somebody else holds it.
        TaskRefused: The caller may not.
    """
    with _opened(tenant, task_id, person) as (task, run, facts):
        _allow(task, rules.may_claim(facts, person))
        if task.claimed_by_id != person.member_id:
            task.claimed_by_id, task.claimed_at = person.member_id, utc_now()
            task.first_claimed_at = task.first_claimed_at or task.claimed_at
            task.save(update_fields=["claimed_by", "claimed_at", "first_claimed_at"])
            _signal_assignment(task, run, person, {"claimed_by": _shown(person)})
            record("task.claimed", task, actor=person.full_actor)
        return _again(task)


def release_task(*, tenant: Tenant, person: Person, task_id: UUID) -> HumanTask:
    """Give a claimed task back to those who are asked; raises as ``claim_task``."""
    with _opened(tenant, task_id, person) as (task, run, facts):
        _allow(task, rules.may_release(facts, person))
        task.claimed_by = task.claimed_at = None
        task.save(update_fields=["claimed_by", "claimed_at"])
        _signal_assignment(task, run, person, {"claimed_by": None})
        record("task.released", task, actor=person.full_actor)
        return _again(task)


def delegate_task(*, tenant: Tenant, person: Person, task_id: UUID, to: UUID, note: str = "") -> HumanTask:
    """Hand a task on to one member, who is asked alone from then on; its deadline stays. A note is kept as a comment.

    Raises:
        AnswerInvalid: There is no such active member, or the note cannot be kept.
        TaskNotFound: As ``claim_task``; ``TaskOver``, ``TaskTaken``, ``TaskRefused`` as well.
    """
    with _opened(tenant, task_id, person) as (task, run, facts):
        member = _member(to)
        _allow(task, rules.may_delegate(facts, person, person_of(member)))
        before = who_is_asked(task)
        assign(task, Assignees(ref=shown_name(member), assignee=member))
        task.save()
        notify_members(task, NoticeKind.DELEGATED, but=person.member_id)
        _signal_assignment(task, run, person, {**who_is_asked(task), "before": before})
        record("task.delegated", task, actor=person.full_actor, after=asked_by_id(task))
        if note.strip():
            _keep_remark(task, person, note)
        return _again(task)


def comment_task(*, tenant: Tenant, person: Person, task_id: UUID, text: str) -> HumanTask:
    """Say something about a task that is open; it decides nothing, and its run is not told.

    Raises:
        AnswerInvalid: There is nothing in it, it is too long, or the task has too many comments.
        TaskNotFound: As ``claim_task``; ``TaskOver``, ``TaskRefused`` as well.
    """
    with _opened(tenant, task_id, person) as (task, _, facts):
        _allow(task, rules.may_comment(facts, person))
        _keep_remark(task, person, text)
        return _again(task)


def decide_task(
    *, tenant: Tenant, person: Person, task_id: UUID, answer: TaskAnswer, content_hash: str | None = None
) -> HumanTask:
    """Decide a task. The first decision that ends it wins, and wakes its run.

    The run's row and the task's are locked, so of a decision and another, or a deadline, or a cancel, one wins and
    the others are told.

    Args:
        tenant: Owner.
        person: Who decides.
        task_id: The task.
        answer: What they say.
        content_hash: What they were shown; a task that shows something else by now is not decided.

    Raises:
        TaskNotFound: As ``claim_task``; ``TaskOver``, ``TaskTaken``, ``TaskRefused`` as well.
        TaskChanged: The task shows something else than ``content_hash`` names.
        AnswerInvalid: The answer does not fit; all that is wrong.
        ComputeLimit: The form and the data are too large for each other; other errors of the compute pool as well.
    """
    to_fit = _task_to_fit(tenant, person, task_id, answer)
    violations = [] if to_fit is None else _violations(tenant, *to_fit, answer)
    with _opened(tenant, task_id, person) as (task, run, facts):
        _allow(task, rules.may_decide(facts, person))
        is_as_shown = content_hash in {None, task.content_hash}
        if not is_as_shown or (to_fit is not None and to_fit != (facts.form or {}, task.data)):
            raise TaskChanged(extra={"content_hash": task.content_hash})
        found = rules.problems(facts, answer, violations)
        if found:
            raise AnswerInvalid(errors=found)
        _keep(task, person, answer)
        ended = rules.tally(facts, [*facts.votes, Vote(person.full_actor, answer.decision, answer.choice)])
        if ended is not None:
            _end(task, run, person, answer, ended)
        return _again(task)


def find_problems(*, tenant: Tenant, task: HumanTask, answer: TaskAnswer) -> list[ErrorItem]:
    """Tell everything that keeps an answer from fitting a task as it was read; nothing is decided.

    Raises:
        ComputeLimit: The form and the data are too large for each other; other errors of the compute pool as well.
    """
    with reading_scope(tenant.id):
        facts = facts_of(task)
    brings_data = rules.brings_data(task.task_type, answer)
    violations = _violations(tenant, facts.form or {}, task.data, answer) if brings_data else []
    return rules.problems(facts, answer, violations)


def _violations(tenant: Tenant, form: Mapping[str, Json], shown: Json, answer: TaskAnswer) -> list[ErrorItem]:
    """Tell where an answer's data does not fit the form, or changes what is only shown."""
    data = cast("Json", answer.data)
    return [*forms.check(tenant.id, form, data), *forms.read_only_changes(form, shown, data)]


def _task_to_fit(
    tenant: Tenant, person: Person, task_id: UUID, answer: TaskAnswer
) -> tuple[Mapping[str, Json], Json] | None:
    """Read the form that an answer's data has to fit, and what was shown: it is judged before anything is locked.

    None where the answer brings no data, or is refused whatever it is.
    """
    with reading_scope(tenant.id):
        task = HumanTask.objects.select_related("tenant", "claimed_by__user").filter(id=task_id).first()
        if task is None or not rules.brings_data(task.task_type, answer):
            return None
        facts = facts_of(task)
    return None if rules.may_decide(facts, person) is not None else (facts.form or {}, task.data)


@contextmanager
def _opened(tenant: Tenant, task_id: UUID, person: Person) -> Iterator[tuple[HumanTask, Run, TaskFacts]]:
    """Lock a task and its run, if the caller may see the task; what is done inside is one transaction.

    Raises:
        TaskNotFound: There is none, or the caller may not see it.
        TaskOver: Its activation is over meanwhile; it is closed now.
    """
    with tenant_scope(tenant.id):
        task, run, facts = _open(task_id, person)
        is_past = task.is_open and _is_past(task, run)
        if is_past:
            close(task, TaskStatus.CANCELLED, actor=SYSTEM)
        else:
            yield task, run, facts
    if is_past:
        _allow(task, rules.OVER)


def _open(task_id: UUID, person: Person) -> tuple[HumanTask, Run, TaskFacts]:
    run_id = HumanTask.objects.filter(id=task_id).values_list("run_id", flat=True).first()
    if run_id is None:
        raise TaskNotFound
    run = lock_run(run_id)
    rows = HumanTask.objects.select_for_update(of=("self",)).select_related("tenant", "claimed_by__user", "assignee")
    task = rows.get(id=task_id)
    facts = facts_of(task)
    if not rules.may_see(facts, person):
        raise TaskNotFound
    return task, run, facts


def _is_past(task: HumanTask, run: Run) -> bool:
    """Whether nothing waits for the task any more: its run, or its activation, is over."""
    of_activation = RunEvent.objects.filter(run=run, step_id=task.step_id, activation=task.activation)
    return run.is_over or of_activation.filter(type__in=_OUTCOMES).exists()


def _allow(task: HumanTask, refusal: Refusal | None) -> None:
    if refusal is None:
        return
    if refusal is rules.OVER:
        raise TaskOver(_how_it_ended(task), extra=_ended(task))
    if refusal is rules.NOT_YOURS and task.claimed_by is not None:
        name = shown_name(task.claimed_by)
        raise TaskTaken(
            f"{name} has claimed this task.", extra={"claimed_by": name, "claimed_at": str(task.claimed_at)}
        )
    raise TaskRefused(refusal.detail, extra={"reason": refusal.reason})


def _how_it_ended(task: HumanTask) -> str:
    when = f"{task.ended_at:%Y-%m-%d %H:%M} UTC"
    if task.status == TaskStatus.COMPLETED and task.task_type == TaskType.INPUT:
        return f"{task.decided_by_name} has sent the data of this task, at {when}."
    if task.status == TaskStatus.COMPLETED:
        return f"{task.decided_by_name} has decided this task: {task.choice or task.decision}, at {when}."
    if task.status == TaskStatus.TIMED_OUT:
        return f"Nobody answered in time; the task ended at {when}."
    return f"The run does not wait for this task any more; it was closed at {when}."


def _ended(task: HumanTask) -> dict[str, Json]:
    return {
        "state": task.status,
        "decision": task.decision or None,
        "choice": task.choice or None,
        "decided_by": task.decided_by_name or None,
        "decided_at": None if task.ended_at is None else task.ended_at.isoformat(),
    }


def _member(member_id: UUID) -> Membership:
    found = next((member for member in active_members() if member.id == member_id), None)
    if found is None:
        detail = "There is no active member with this id who can answer."
        raise AnswerInvalid(errors=[ErrorItem(code="MEMBER_UNKNOWN", detail=detail, pointer="/to")])
    return found


def _keep_remark(task: HumanTask, person: Person, text: str) -> None:
    """Keep a comment; the audit has its length only, as its words could not be erased there."""
    found = rules.problems_of_remark(text, count=task.comments.count())
    if found:
        raise AnswerInvalid(errors=found)
    kept = TaskComment.objects.create(
        tenant_id=task.tenant_id,
        task=task,
        member_id=person.member_id,
        actor=person.full_actor,
        name=person.name,
        text=text.strip(),
    )
    told: dict[str, Json] = {"comment_id": str(kept.id), "characters": len(kept.text)}
    record("task.commented", task, actor=person.full_actor, after=told)


def _keep(task: HumanTask, person: Person, answer: TaskAnswer) -> None:
    data = rules.settled_data(task.task_type, None, answer)
    TaskDecision.objects.create(
        tenant_id=task.tenant_id,
        task=task,
        member_id=person.member_id,
        actor=person.full_actor,
        key=key_of(person.full_actor) or "",
        name=person.name,
        decision=answer.decision,
        choice=answer.choice or "",
        data=data,
        comment=answer.comment,
        content_hash=task.content_hash,
    )
    told: dict[str, Json] = {"decision": answer.decision, "choice": answer.choice, "shown": task.content_hash}
    # Hashed with a salt that goes when the person is erased: amounts and the like could be tried out otherwise.
    told["decided"] = None if data is None else content_hash(data)
    record("task.decided", task, actor=person.full_actor, after=told, personal=("decided",))


def _end(task: HumanTask, run: Run, person: Person, answer: TaskAnswer, ended: str) -> None:
    """End a task by a decision, and let its run go on."""
    close(task, TaskStatus.COMPLETED, actor=person.full_actor, name=person.name, outcome=Outcome(ended, answer.choice))
    value: dict[str, Any] = {
        "task_id": str(task.id),
        "decision": ended,
        "data": rules.settled_data(task.task_type, task.data, answer),
        "choice": answer.choice,
        "comment": answer.comment,
        "decided_by": _shown(person),
        "decided_at": task.ended_at.isoformat() if task.ended_at else None,
        "decisions": [_written(decision) for decision in task.decisions.order_by("created_at")],
    }
    facts = {name: value[name] for name in ("decision", "choice", "comment", "decided_by", "decided_at")}
    port = rules.port_of(ended, answer.choice, task.ports)
    signal_event(task, run, "human.task_completed", facts, answer={"port": port, "value": value})


def _written(decision: TaskDecision) -> dict[str, Json]:
    return {
        "decided_by": _person(decision.member_id, decision.name, decision.key),
        "decision": decision.decision,
        "comment": decision.comment,
        "decided_at": decision.created_at.isoformat(),
    }


def _shown(person: Person) -> dict[str, Json]:
    return _person(person.member_id, person.name, key_of(person.full_actor))


def _person(member_id: UUID | None, name: str, key: str | None) -> dict[str, Json]:
    """Write who acted, as the journal has it: the member, and the key that acted for them or for itself, if any."""
    written: dict[str, Json] = {"member_id": None if member_id is None else str(member_id), "name": name}
    return {**written, "key": key} if key else written


def _signal_assignment(task: HumanTask, run: Run, person: Person, facts: dict[str, Json]) -> None:
    signal_event(task, run, "human.task_assigned", {**facts, "by": _shown(person)})


def _again(task: HumanTask) -> HumanTask:
    """Read a task as callers show it."""
    return HumanTask.objects.select_related("tenant", "run", "assignee__user", "claimed_by__user").get(id=task.id)
