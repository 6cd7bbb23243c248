"""Bulk decisions of approvals: a preview, then each decided on its own, then a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from foundation.scope import reading_scope
from humantasks import rules, selectors, services
from humantasks.errors import AnswerInvalid, TaskChanged, TaskNotFound, TaskOver, TaskRefused, TaskTaken
from humantasks.facts import facts_of
from humantasks.inbox import texts
from humantasks.inbox.cards import Card, card_of
from humantasks.inbox.pages import refusal_text, refused_text
from humantasks.inbox.responses import inbox_page, page, who
from humantasks.inbox.submission import read_comment
from humantasks.inbox.unavailable import why_unavailable
from humantasks.inbox.value_view import Node, show
from humantasks.models import HumanTask
from humantasks.rules import Person
from humantasks.types import Decision, TaskAnswer, TaskType
from kernel.errors import LlmteamError
from kernel.ids import parse_id
from tenants.models import Tenant

MAX_AT_ONCE: Final = 50
REFUSALS: Final = (TaskNotFound, TaskOver, TaskChanged, TaskTaken, TaskRefused, AnswerInvalid)


@dataclass(frozen=True, slots=True)
class SelectedTask:
    """A task that is chosen, and what it showed when it was."""

    task_id: UUID
    content_hash: str

    @property
    def text(self) -> str:
        """The text that is posted for it."""
        return f"{self.task_id}:{self.content_hash}"


@dataclass(frozen=True, slots=True)
class Preview:
    """Preview of one task's decision; ``why_not`` says why it would be refused."""

    card: Card
    pick: SelectedTask
    data: Node
    why_not: str


@dataclass(frozen=True, slots=True)
class Report:
    """Result of one task's decision; ``why_not`` is empty where it was decided."""

    title: str
    task_id: UUID
    why_not: str


@inbox_page("GET", "HEAD", "POST")
def bulk(request: HttpRequest) -> HttpResponse:
    """Show what would be decided; a POST decides it."""
    tenant, person = who(request)
    if request.method == "POST":
        decision = request.POST.get("decision", "")
        comment = read_comment(request.POST)
        selected = read_selected(request.POST.getlist("task"))
        reports = decide_all(
            tenant=tenant, person=person, selected=selected, answer=TaskAnswer(decision, comment=comment)
        )
        return page(request, "bulk_done", {"reports": reports, "place": "bulk", **_counted(reports, decision)})
    ids = [pick.task_id for pick in read_selected(request.GET.getlist("task"))]
    previews = previews_of(tenant=tenant, person=person, task_ids=ids)
    return page(request, "bulk", {"previews": previews, "place": "bulk", "most": MAX_AT_ONCE})


def read_selected(texts: Sequence[str]) -> list[SelectedTask]:
    """Read which tasks are chosen: ids, each with what was shown behind a colon; what is none is left out."""
    parts = (text.partition(":") for text in texts[:MAX_AT_ONCE])
    found = {task_id: shown for text, _, shown in parts if (task_id := parse_id(text)) is not None}
    return [SelectedTask(task_id, shown) for task_id, shown in found.items()]


def previews_of(*, tenant: Tenant, person: Person, task_ids: Sequence[UUID]) -> list[Preview]:
    """Show the tasks that are chosen; those the person may not see are left out."""
    with reading_scope(tenant.id):
        tasks = selectors.get_tasks(tenant=tenant, person=person, task_ids=task_ids)
        return [_preview(task, person) for task in tasks]


def decide_all(*, tenant: Tenant, person: Person, selected: Sequence[SelectedTask], answer: TaskAnswer) -> list[Report]:
    """Decide each task on its own: one that is refused does not keep the others from being decided."""
    return [_decide(tenant, person, pick, answer) for pick in selected]


def _preview(task: HumanTask, person: Person) -> Preview:
    refusal = rules.may_decide(facts_of(task), person)
    why_not = "" if refusal is None else refusal_text(refusal.reason, refusal.detail)
    if task.task_type != TaskType.APPROVAL:
        why_not = gettext("Only approvals can be decided together.")
    return Preview(card_of(task, person), SelectedTask(task.id, task.content_hash), show(task.data, task.form), why_not)


def _decide(tenant: Tenant, person: Person, pick: SelectedTask, answer: TaskAnswer) -> Report:
    try:
        before = selectors.get_task(tenant=tenant, person=person, task_id=pick.task_id)
        if before.task_type != TaskType.APPROVAL:
            return Report(before.title, pick.task_id, gettext("Only approvals can be decided together."))
        task = services.decide_task(
            tenant=tenant, person=person, task_id=pick.task_id, answer=answer, content_hash=pick.content_hash
        )
    except REFUSALS as error:
        return _refused(tenant, person, pick, error)
    return Report(task.title, pick.task_id, "")


def _refused(tenant: Tenant, person: Person, pick: SelectedTask, error: LlmteamError) -> Report:
    if isinstance(error, TaskNotFound):
        gone = why_unavailable(tenant=tenant, person=person, task_id=pick.task_id)
        title, why_not = (gone.title, gone.detail) if gone else (texts.refused_title(error.code, error.title), "")
        return Report(title, pick.task_id, why_not or title)
    task = selectors.get_task(tenant=tenant, person=person, task_id=pick.task_id)
    title = texts.refused_title(error.code, error.title, task.status)
    if isinstance(error, AnswerInvalid):
        return Report(task.title, pick.task_id, texts.problem_text(error.errors[0]))
    return Report(task.title, pick.task_id, f"{title}. {refused_text(task, error)}")


def _counted(reports: Sequence[Report], decision: str) -> dict[str, object]:
    done = sum(not report.why_not for report in reports)
    word = texts.DECISIONS.get(decision, "")
    return {"done": done, "refused": len(reports) - done, "word": word, "rejected": decision == Decision.REJECTED}
