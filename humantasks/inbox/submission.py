"""Answers from a task's page: read, sent to the service, and kept for their author where refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from django.http import QueryDict
from django.utils.timezone import get_current_timezone

from humantasks import selectors, services
from humantasks.errors import AnswerInvalid, TaskChanged, TaskOver, TaskRefused, TaskTaken
from humantasks.inbox.fields import ABSENT, Absent, Field, Value
from humantasks.inbox.form_builder import form_of
from humantasks.inbox.form_parser import FormReading, Posted, place_problems, problems_in, read_form, recall
from humantasks.models import HumanTask
from humantasks.rules import Person
from humantasks.types import MISSING, Decision, TaskAnswer, TaskType
from kernel.compute.errors import COMPUTE_REFUSALS
from kernel.errors import ErrorItem, LlmteamError
from kernel.schemas.reading import as_schema
from kernel.values import normalise
from tenants.models import Tenant

CHANGES_WITHOUT_MODIFIED: Final = "CHANGES_WITHOUT_MODIFIED"
REFUSALS: Final = (TaskOver, TaskChanged, TaskTaken, TaskRefused, *COMPUTE_REFUSALS)


@dataclass(frozen=True, slots=True)
class Submission:
    """Posted form, as it was typed."""

    decision: str = ""
    choice: str | None = None
    comment: str = ""
    content_hash: str = ""
    fields: Posted = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """Result of a submission. It was accepted when there is neither an error nor a problem.

    Attributes:
        task: The task, as it is now.
        error: Why the task takes no such answer now.
        problems: What is wrong with the answer.
        form: The form with what was typed, and the problems that belong to its fields.
    """

    task: HumanTask
    typed: Submission
    error: LlmteamError | None = None
    problems: Sequence[ErrorItem] = ()
    form: Field | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the result."""
        if self.error is not None:
            return self.error.status
        return 422 if self.problems else 200


def read_typed(post: QueryDict) -> Submission:
    """Read a posted decision.

    Raises:
        ValueRefused: A text holds NUL or half a character.
    """
    fields = {name: [str(text) for text in texts] for name, texts in post.lists()}
    normalise(fields)
    choice = str(post.get("choice", "")) or None
    return Submission(
        str(post.get("decision", "")), choice, read_comment(post), str(post.get("content_hash", "")), fields
    )


def read_comment(post: QueryDict) -> str:
    """Read a comment, its line ends as everywhere.

    Raises:
        ValueRefused: It holds NUL or half a character.
    """
    comment = str(post.get("comment", "")).replace("\r\n", "\n").strip()
    normalise(comment)
    return comment


def task_form(task: HumanTask) -> Field | None:
    """Return the form of a task's answer, filled in with what it begins with; None where nothing is filled in."""
    if task.task_type == TaskType.REVIEW:
        return form_of(task.form, task.data, zone=get_current_timezone())
    if task.task_type == TaskType.INPUT:
        return form_of(task.form, _beginning(task), zone=get_current_timezone())
    return None


def decide(*, tenant: Tenant, person: Person, task_id: UUID, typed: Submission) -> SubmissionResult:
    """Send a decision to the service, and say what became of it.

    Nothing is judged here but what cannot be read at all; whatever the page was shown, the service compares it with
    the task as it is.

    Raises:
        TaskNotFound: There is none, or the person may not see it.
    """
    task = selectors.get_task(tenant=tenant, person=person, task_id=task_id)
    is_current = task.is_open and typed.content_hash == task.content_hash
    form = task_form(task)
    reading = read_form(form, typed.fields) if form is not None and is_current else None
    unread = _unreadable(task, typed, form, reading)
    answer = TaskAnswer(typed.decision, _data(task, typed, reading), typed.choice, typed.comment)
    try:
        if unread:
            found = services.find_problems(tenant=tenant, task=task, answer=answer)
            changed = [item for item in unread if item.code == CHANGES_WITHOUT_MODIFIED]
            return _invalid(task, typed, [*found, *changed], reading)
        services.decide_task(
            tenant=tenant, person=person, task_id=task_id, answer=answer, content_hash=typed.content_hash
        )
    except AnswerInvalid as error:
        return _invalid(task, typed, error.errors, reading)
    except REFUSALS as error:
        task = selectors.get_task(tenant=tenant, person=person, task_id=task_id)
        return SubmissionResult(task, typed, error=error, form=_recalled(task, typed))
    return SubmissionResult(selectors.get_task(tenant=tenant, person=person, task_id=task_id), typed)


def _beginning(task: HumanTask) -> Value:
    """Return what of the data an answer is filled in with: what the form asks for."""
    asked = as_schema(as_schema(task.form).get("properties"))
    if not isinstance(task.data, dict) or not asked:
        return ABSENT
    return {key: value for key, value in task.data.items() if key in asked}


def _needs_data(task: HumanTask, typed: Submission) -> bool:
    return task.task_type == TaskType.INPUT or typed.decision == Decision.MODIFIED


def _unreadable(
    task: HumanTask, typed: Submission, form: Field | None, reading: FormReading | None
) -> Sequence[ErrorItem]:
    """Tell what cannot be read; and what was changed, but would not be sent with this decision."""
    if form is None or reading is None:
        return ()
    if _needs_data(task, typed):
        return reading.problems
    untouched = read_form(form, {})
    if (reading.value, reading.problems) != (untouched.value, untouched.problems):
        return (ErrorItem(CHANGES_WITHOUT_MODIFIED, CHANGES_WITHOUT_MODIFIED, pointer="/data"),)
    return ()


def _data(task: HumanTask, typed: Submission, reading: FormReading | None) -> object:
    if reading is None or not _needs_data(task, typed) or isinstance(reading.value, Absent):
        return MISSING
    return reading.value


def _invalid(
    task: HumanTask, typed: Submission, found: Sequence[ErrorItem], reading: FormReading | None
) -> SubmissionResult:
    """Sort what was found: at the form's fields, or about the answer as a whole. What could not be read is there."""
    if reading is None:
        return SubmissionResult(task, typed, problems=found)
    others = [item for item in found if not _is_of_data(item)]
    of_data = [replace(item, pointer=str(item.pointer).removeprefix("/data")) for item in found if _is_of_data(item)]
    placed, unplaced = place_problems(reading.form, of_data)
    about_all = [replace(item, pointer="/data") for item in unplaced]
    return SubmissionResult(task, typed, problems=[*problems_in(placed), *about_all, *others], form=placed)


def _is_of_data(item: ErrorItem) -> bool:
    return (item.pointer or "").startswith("/data") and item.code != CHANGES_WITHOUT_MODIFIED


def _recalled(task: HumanTask, typed: Submission) -> Field | None:
    """Fill in the form as it is now, with what was typed beside it."""
    form = task_form(task)
    return None if form is None else recall(form, typed.fields)
