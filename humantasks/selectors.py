"""Queries of human tasks, for those who may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db.models import Case, Count, Exists, OuterRef, Prefetch, Q, QuerySet, When
from django.urls import reverse

from foundation.pages import bytes_of, newest_page
from foundation.scope import reading_scope
from humantasks import rules
from humantasks.errors import TaskNotFound
from humantasks.facts import facts_of
from humantasks.models import HumanTask, Notice, NoticeKind, TaskDecision
from humantasks.people import shown_name
from humantasks.rules import ADMIN, AUDITOR, PROGRAM, Person
from humantasks.types import Priority, TaskStatus
from kernel.clock import utc_now
from kernel.paging import CursorRefused, Page, Position, read_cursor, write_cursor
from runs.journals.asked_people import MAX_ASKED, AskedPeople
from runs.large_values import VALUE_BYTES, link
from runs.models import RunEvent
from runs.selectors import counting_scope
from segments.selectors import segment_name
from tenants.models import Tenant

MINE: Final = "mine"
GROUPS: Final = "groups"
ALL: Final = "all"
DONE: Final = "done"
MAX_COUNTED: Final = 1_000
"""Tasks that are counted one by one."""
BOXES: Final = (MINE, GROUPS, ALL, DONE)


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Query of tasks: filters add up; empty ones select nothing away.

    Attributes:
        box: ``mine``: asked by name, as a stand-in, or held; ``groups``: asked by a group or as one of all, and nobody
            else holds it; ``done``: over, and decided by oneself or seen by those who see all; ``all``.
        status: Of ``TaskStatus``.
        overdue: Whose deadline has passed, or has not.
        segment_id: Of this segment.
        workflow: Of segments with this id, or with this in their names.
        run_id: Of this run.
        cursor: Where the page starts.
        limit: Rows.
    """

    box: str = ALL
    status: Sequence[str] = ()
    overdue: bool | None = None
    segment_id: str | None = None
    workflow: str | None = None
    run_id: UUID | None = None
    cursor: str | None = None
    limit: int = 100


def count_open_tasks() -> dict[str, int]:
    """Count the tasks of all tenants that are open, and those of them whose deadline has passed.

    Raises:
        DatabaseError: It is away, or takes longer than half a second.
    """
    with counting_scope():
        is_late = Q(due_at__lte=utc_now())
        rows = HumanTask.objects.filter(status=TaskStatus.OPEN)
        counted: dict[str, int] = rows.aggregate(open=Count("id"), overdue=Count("id", filter=is_late))
    return counted


def list_tasks(*, tenant: Tenant, person: Person, query: TaskQuery) -> Page[HumanTask]:
    """Read one page of the tasks somebody may see, newest first; of those that are done, the last to end.

    What is decided about is a link where it is large.

    Raises:
        CursorRefused: Not a cursor of ours.
    """
    with reading_scope(tenant.id):
        rows = _filtered(person, query).defer("data").annotate(data_bytes=bytes_of("data"))
        rows = rows.annotate(small_data=Case(When(data_bytes__lte=VALUE_BYTES, then="data")))
        weight = bytes_of("small_data", "form", "choices", "description")
        by = "ended_at" if query.box == DONE else "created_at"
        page: Page[HumanTask] = newest_page(rows, cursor=query.cursor, limit=query.limit, weight=weight, by=by)
    for task in page.rows:
        size: int = getattr(task, "data_bytes")  # noqa: B009 - the model has no such field
        is_small = size <= VALUE_BYTES
        task.data = getattr(task, "small_data") if is_small else link(size, reverse("human_task", args=[task.id]))  # noqa: B009 - as above
    return page


def list_open_tasks(*, tenant: Tenant, person: Person, query: TaskQuery) -> Page[HumanTask]:
    """Read one page of the open tasks somebody may see, the most urgent first, then those that are due first.

    Without what is decided about; with the decisions so far.

    Raises:
        CursorRefused: Not a cursor of this list.
    """
    with reading_scope(tenant.id):
        rows = _filtered(person, query).filter(status=TaskStatus.OPEN).defer("data")
        rows = rows.select_related(None).select_related("claimed_by__user")
        rows = rows.prefetch_related(Prefetch("decisions", TaskDecision.objects.defer("data", "comment")))
        if query.cursor:
            rows = rows.filter(_less_urgent(query.cursor))
        found = list(rows.order_by("-priority", "due_at", "id")[: query.limit + 1])
    shown = found[: query.limit]
    return Page(shown, _urgency(shown[-1]) if len(found) > query.limit else None)


def count_tasks(*, tenant: Tenant, person: Person) -> dict[str, int]:
    """Count what is open: by name (``mine``), by group (``groups``), and of both what is late (``overdue``).

    Nothing is counted beyond ``MAX_COUNTED`` and one more: every open page of the inbox counts at each change.
    """
    with reading_scope(tenant.id):
        mine, groups = _of_box(person, MINE), _of_box(person, GROUPS)
        wanted = {"mine": mine, "groups": groups, "overdue": (mine | groups) & Q(due_at__lte=utc_now())}
        return {name: HumanTask.objects.filter(of)[: MAX_COUNTED + 1].count() for name, of in wanted.items()}


def shown_count(count: int) -> int | str:
    """Write a count of tasks as people read it: beyond the bound it is only that much."""
    return count if count <= MAX_COUNTED else f"{MAX_COUNTED}+"


def get_task(*, tenant: Tenant, person: Person, task_id: UUID) -> HumanTask:
    """Read one task, with the decisions about it.

    Raises:
        TaskNotFound: There is none, or the caller may not see it.
    """
    with reading_scope(tenant.id):
        task = _rows().prefetch_related("decisions").filter(id=task_id).first()
        if task is None or not rules.may_see(facts_of(task), person):
            raise TaskNotFound
        return task


def find_former_task(*, person: Person, task_id: UUID) -> HumanTask | None:
    """Read a task that was asked of somebody: a mail told them, or the journal says who was asked before.

    None where neither is so. To be called inside the tenant's scope.
    """
    task = _rows().filter(id=task_id).first()
    if task is None or person.member_id is None:
        return None
    was_told = Notice.objects.filter(task=task, member_id=person.member_id).exists()
    before = (event.payload.get("before") for event in history_of(task))
    return task if was_told or any(_was_among(asked, person) for asked in before) else None


def last_move(task: HumanTask) -> str | None:
    """Tell how a task came to those who are asked now: the kind of mail about it; None where it never moved."""
    moves = task.notices.filter(kind__in=[NoticeKind.ESCALATED, NoticeKind.DELEGATED])
    return moves.order_by("-created_at", "-id").values_list("kind", flat=True).first()


def _was_among(asked: object, person: Person) -> bool:
    """Whether somebody is among those the journal names."""
    if not isinstance(asked, dict) or person.role == AUDITOR:
        return False
    by_name = asked.get("assignee_id") == str(person.member_id)
    return by_name or bool(asked.get("is_for_all")) or not person.groups.isdisjoint(asked.get("candidate_groups") or [])


def get_tasks(*, tenant: Tenant, person: Person, task_ids: Sequence[UUID]) -> list[HumanTask]:
    """Read several tasks with the decisions about them, in the order they are named; without those not to be seen."""
    with reading_scope(tenant.id):
        found = {task.id: task for task in _rows().prefetch_related("decisions").filter(id__in=task_ids)}
        named = [found[task_id] for task_id in task_ids if task_id in found]
        return [task for task in named if rules.may_see(facts_of(task), person)]


def history_of(task: HumanTask) -> list[RunEvent]:
    """Read what the journal tells of a task, oldest first. To be called inside the tenant's scope."""
    events = RunEvent.objects.filter(run_id=task.run_id, step_id=task.step_id, activation=task.activation)
    return list(events.filter(type__startswith="human.").order_by("seq"))


def _rows() -> QuerySet[HumanTask]:
    rows = HumanTask.objects.annotate(workflow=segment_name())
    return rows.select_related("tenant", "run", "assignee__user", "claimed_by__user")


def workflow_of(task: HumanTask) -> str:
    """Name the workflow of a task that was read here: by its segment's name, else by its id."""
    return str(getattr(task, "workflow", task.segment_id))


def _filtered(person: Person, query: TaskQuery) -> QuerySet[HumanTask]:
    rows = _rows().filter(_of_box(person, query.box))
    if query.status:
        rows = rows.filter(status__in=query.status)
    if query.overdue is not None:
        late = Q(status=TaskStatus.OPEN, due_at__lte=utc_now())
        rows = rows.filter(late) if query.overdue else rows.exclude(late)
    if query.segment_id is not None:
        rows = rows.filter(segment_id=query.segment_id)
    if query.workflow is not None:
        rows = rows.filter(Q(segment_id=query.workflow) | Q(workflow__icontains=query.workflow))
    return rows if query.run_id is None else rows.filter(run_id=query.run_id)


def _of_box(person: Person, box: str) -> Q:
    is_open = Q(status=TaskStatus.OPEN)
    if box == MINE:
        return is_open & _asked_by_name(person)
    if box == GROUPS:
        free = Q(claimed_by__isnull=True)
        return is_open & free & _asked_among_others(person) & ~Q(_has_decided(person))
    seen = Q() if person.role in {ADMIN, AUDITOR, PROGRAM} else _may_see(person)
    return seen & ~is_open if box == DONE else seen


def _asked_by_name(person: Person) -> Q:
    if person.member_id is None or person.role == AUDITOR:
        return Q(pk__in=[])
    by_name = Q(assignee_id__in=[person.member_id, *person.stands_in_for]) & (
        Q(claimed_by__isnull=True) | Q(claimed_by_id=person.member_id)
    )
    return by_name | Q(claimed_by_id=person.member_id)


def _asked_among_others(person: Person) -> Q:
    if person.role in {AUDITOR, PROGRAM}:
        return Q(pk__in=[])
    return Q(is_for_all=True) | Q(candidate_groups__overlap=sorted(person.groups))


def _may_see(person: Person) -> Q:
    return _asked_by_name(person) | _asked_among_others(person) | Q(_has_decided(person))


def _urgency(task: HumanTask) -> str:
    return f"{task.priority}.{write_cursor(Position(task.due_at, task.id))}"


def _less_urgent(cursor: str) -> Q:
    priority, _, place = cursor.partition(".")
    if priority not in {str(value) for value in Priority.values}:
        raise CursorRefused
    after = read_cursor(place)
    later = Q(due_at__gt=after.at) | Q(due_at=after.at, id__gt=after.id)
    return Q(priority__lt=int(priority)) | (Q(priority=int(priority)) & later)


def _has_decided(person: Person) -> Exists:
    own = Q(actor=person.actor) if person.member_id is None else Q(member_id=person.member_id)
    return Exists(TaskDecision.objects.filter(own, task=OuterRef("pk")))


def count_overdue() -> int:
    """Count the open tasks whose deadline has passed. To be called where rows of all tenants are read."""
    return HumanTask.objects.filter(status=TaskStatus.OPEN, due_at__lte=utc_now()).count()


def asked_in_run(run_id: UUID) -> list[AskedPeople]:
    """Tell what was asked in a run, the latest first. To be called where rows of its tenant are read."""
    rows = HumanTask.objects.filter(run_id=run_id).select_related("assignee__user", "claimed_by__user")
    return [_told(task) for task in rows.defer("data", "form", "description").order_by("-id")[:MAX_ASKED]]


def _told(task: HumanTask) -> AskedPeople:
    return AskedPeople(
        step_id=task.step_id,
        activation=task.activation,
        title=task.title,
        asked=_who(task),
        claimed_by=shown_name(task.claimed_by) if task.claimed_by is not None else "",
        is_open=task.is_open,
        due_at=task.due_at,
        address=reverse("admin:humantasks_humantask_change", args=[task.pk]),
    )


def _who(task: HumanTask) -> str:
    if task.assignee is not None:
        return shown_name(task.assignee)
    if task.is_for_all:
        return "all reviewers"
    return f"group {', '.join(task.candidate_groups)}" if task.candidate_groups else task.asked or "nobody"
