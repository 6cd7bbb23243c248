"""Task cards: the summary of a task in lists and at the head of its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext

from humantasks import rules
from humantasks.facts import facts_of
from humantasks.inbox import texts
from humantasks.models import HumanTask
from humantasks.people import shown_name
from humantasks.rules import Person, TaskFacts
from humantasks.selectors import workflow_of
from humantasks.types import Decision, Priority, TaskStatus, TaskType

LOOKS = {Decision.APPROVED: "yes", Decision.REJECTED: "no", Decision.MODIFIED: "changed"}


@dataclass(frozen=True, slots=True)
class Card:
    """Summary of a task, wherever it is named.

    Attributes:
        holder: Who holds it, in words; empty when nobody does, or several decide.
        outcome: How it ended, in words; empty while it is open. ``outcome_look`` colours it.
        can_select: Whether it may be decided together with others.
    """

    id: UUID
    title: str
    segment: str
    task_type: str
    priority: str
    due_at: datetime
    ended_at: datetime | None
    is_overdue: bool
    is_flagged: bool
    quorum: str
    holder: str
    outcome: str
    outcome_look: str
    can_select: bool

    @property
    def type_label(self) -> str:
        """The word for what is asked."""
        return str(texts.TYPES[self.task_type])

    @property
    def priority_label(self) -> str:
        """The word for its urgency; blank where that is the usual one."""
        return str(texts.PRIORITIES.get(self.priority, ""))


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the lists; the name of its count is what the live counts call it."""

    label: str
    href: str
    is_current: bool
    count: int | str = 0
    count_name: str = ""


def card_of(task: HumanTask, person: Person) -> Card:
    """Describe a task to somebody. To be called inside the tenant's scope."""
    facts = facts_of(task)
    can_select = task.task_type == TaskType.APPROVAL and rules.may_decide(facts, person) is None
    outcome, look = outcome_of(task)
    return Card(
        id=task.id,
        title=task.title,
        segment=workflow_of(task),
        task_type=task.task_type,
        priority=Priority(task.priority).name.lower(),
        due_at=task.due_at,
        ended_at=task.ended_at,
        is_overdue=task.is_overdue,
        is_flagged=task.is_flagged,
        quorum=quorum_of(facts),
        holder=_holder(task, person),
        outcome=outcome,
        outcome_look=look,
        can_select=can_select,
    )


def outcome_of(task: HumanTask) -> tuple[str, str]:
    """Say how a task ended, and with which look; nothing while it is open."""
    if task.status == TaskStatus.OPEN:
        return "", ""
    if task.status != TaskStatus.COMPLETED:
        return str(texts.ENDS[task.status]), "ended"
    return decided_text(task, task.decision, task.choice), LOOKS.get(Decision(task.decision), "ended")


def decided_text(task: HumanTask, decision: str, choice: str) -> str:
    """Say what was decided about a task, in the words of what it asks."""
    if task.task_type == TaskType.INPUT and decision == Decision.APPROVED:
        return str(texts.SENT)
    return decision_text(decision, choice, task.choices)


def who_decided_text(task: HumanTask, name: str, decision: str, choice: str) -> str:
    """Say who decided what about a task, in the words of what it asks."""
    words = {"name": name, "what": decided_text(task, decision, choice)}
    if task.task_type == TaskType.INPUT and decision == Decision.APPROVED:
        return gettext("%(name)s sent it") % words
    return gettext("%(name)s decided: %(what)s") % words


def how_it_ended(task: HumanTask) -> str:
    """Say in a sentence who ended a task, how and when."""
    what = decided_text(task, task.decision, task.choice)
    words = {"name": task.decided_by_name, "what": what, "when": texts.moment_text(task.ended_at)}
    if not task.decision:
        return gettext("It ended without a decision, %(when)s.") % words
    if task.task_type == TaskType.INPUT:
        return gettext("%(name)s has sent it, %(when)s.") % words
    return gettext("%(name)s has decided: %(what)s, %(when)s.") % words


def asked_names(task: HumanTask) -> list[str]:
    """List who is asked, in words."""
    names = [shown_name(task.assignee)] if task.assignee is not None else []
    names += [gettext("Group %(name)s") % {"name": group} for group in task.candidate_groups]
    return [*names, gettext("Every reviewer")] if task.is_for_all else names


def decision_text(decision: str, choice: str, choices: Sequence[object] = ()) -> str:
    """Say what was decided: what was chosen, where there was a choice."""
    if not choice:
        return str(texts.DECISIONS.get(decision, decision))
    labels = {one["value"]: one.get("label") for one in choices if isinstance(one, dict)}
    return labels.get(choice) or choice


def quorum_of(facts: TaskFacts) -> str:
    """Say how far a task is that takes several people."""
    approvals = sum(vote.decision == Decision.APPROVED for vote in facts.votes)
    return texts.quorum_text(approvals, facts.needed, facts.voters)


def _holder(task: HumanTask, person: Person) -> str:
    if not task.is_open or task.claimed_by is None:
        return ""
    if task.claimed_by_id == person.member_id:
        return gettext("claimed by you")
    return gettext("claimed by %(name)s") % {"name": shown_name(task.claimed_by)}
