"""The page of one task, for one person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils.translation import gettext

from foundation.scope import reading_scope
from humantasks import rules, selectors
from humantasks.facts import facts_of
from humantasks.inbox import texts
from humantasks.inbox.cards import LOOKS, Card, asked_names, card_of, decided_text, how_it_ended
from humantasks.inbox.fields import Field, FieldKind
from humantasks.inbox.history import HistoryLine, history_lines
from humantasks.inbox.material.word_diff import ChangedPlace, changed_places
from humantasks.inbox.submission import SubmissionResult, task_form
from humantasks.inbox.value_view import Node, show
from humantasks.models import HumanTask, TaskComment, TaskDecision
from humantasks.people import active_members, candidate, shown_name
from humantasks.receipts import receipt_numbers
from humantasks.rules import Person, TaskFacts
from humantasks.types import DECISIONS, Decision, TaskType
from kernel.errors import ErrorItem, LlmteamError
from tenants.models import Membership, Tenant

TARGETS: Final[Mapping[str, str]] = {"/choice": "choice", "/comment": "comment", "/data": "form"}
MAX_MEMBERS: Final = 500
MAX_OF_GROUP: Final = 20
BUTTONS: Final = (Decision.APPROVED, Decision.MODIFIED, Decision.REJECTED)


@dataclass(frozen=True, slots=True)
class PageNotice:
    """Something the person has to be told first.

    Attributes:
        look: ``good`` or ``bad``.
        title: In a few words.
        text: In a sentence.
        typed: What they had typed that has no other place any more: labels and texts.
    """

    look: str
    title: str
    text: str = ""
    typed: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem with an answer, and the id of its field."""

    text: str
    label: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """One way to decide."""

    decision: str
    label: str
    look: str


@dataclass(frozen=True, slots=True)
class ShownVote:
    """Decision of one person, as shown."""

    name: str
    text: str
    look: str
    at: datetime
    comment: str
    data: Node | None
    changes: Sequence[ChangedPlace]


@dataclass(frozen=True, slots=True)
class AskedGroup:
    """Group that is asked, with its members who can answer; ``more`` of them are not named."""

    name: str
    members: Sequence[str]
    more: int


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The form in which a person decides."""

    content_hash: str
    buttons: Sequence[Button]
    choices: Sequence[Mapping[str, str]]
    choice: str
    choice_problem: str
    comment: str
    comment_problem: str
    form: Field | None
    form_is_optional: bool
    form_is_open: bool


@dataclass(frozen=True, slots=True)
class TaskPage:
    """A task's page. Where the person may not decide now, ``answer`` is None and ``why_not`` says why.

    ``has_receipt``: the person's own decision is sealed, so there is a receipt.
    """

    card: Card
    title: str
    description: str
    run_id: UUID
    data: Node | None
    asked: Sequence[str]
    asked_groups: Sequence[AskedGroup]
    four_eyes: bool
    members: Sequence[Mapping[str, str]]
    holding: str
    held_since: datetime | None
    can_claim: bool
    can_release: bool
    votes: Sequence[ShownVote]
    comments: Sequence[TaskComment]
    can_comment: bool
    longest_remark: int
    history: Sequence[HistoryLine]
    answer: AnswerForm | None
    why_not: str
    has_receipt: bool
    notices: Sequence[PageNotice]
    problems: Sequence[Problem]


def task_page(
    *,
    tenant: Tenant,
    person: Person,
    task: HumanTask,
    tried: SubmissionResult | None = None,
    messages: Sequence[str] = (),
) -> TaskPage:
    """Gather what the page shows.

    Args:
        tenant: Whose.
        person: Who looks.
        task: The task, with its decisions.
        tried: What they have just tried in vain.
        messages: What they have just done.
    """
    with reading_scope(tenant.id):
        facts = facts_of(task)
        members = list(active_members())
        refusal = rules.may_decide(facts, person)
        answer = _answer(task, tried) if refusal is None else None
        return TaskPage(
            card=card_of(task, person),
            title=task.title,
            description=task.description,
            run_id=task.run_id,
            data=_data(task),
            asked=asked_names(task),
            asked_groups=_asked_groups(task, members),
            four_eyes=task.four_eyes,
            members=_members(facts, person, members),
            holding=_holding(task, facts, person),
            held_since=task.claimed_at if task.is_open else None,
            can_claim=_can_claim(task, facts, person),
            can_release=rules.may_release(facts, person) is None,
            votes=[_vote(decision, task) for decision in task.decisions.all()],
            comments=list(task.comments.order_by("created_at")[: rules.MAX_REMARKS]),
            can_comment=rules.may_comment(facts, person) is None,
            longest_remark=rules.MAX_REMARK_LENGTH,
            history=history_lines(task, selectors.history_of(task), task.decisions.all()),
            answer=answer,
            why_not="" if refusal is None or not task.is_open else refusal_text(refusal.reason, refusal.detail),
            has_receipt=receipt_numbers([task], person).get(task.id) is not None,
            notices=[*_notices(tried, has_form=answer is not None), *(PageNotice("good", text) for text in messages)],
            problems=_problems(tried, answer),
        )


def refusal_text(reason: str, detail: str) -> str:
    """Say a rule's sentence in the reader's language."""
    return str(texts.REASONS.get(reason, detail))


def _data(task: HumanTask) -> Node | None:
    """Show what it is about, unless there is nothing, or all of it stands in the form."""
    if task.data in (None, {}, [], ""):
        return None
    form = task_form(task) if task.is_open and task.task_type == TaskType.INPUT else None
    return None if form is not None and form.original == task.data else show(task.data, task.form)


def _answer(task: HumanTask, tried: SubmissionResult | None) -> AnswerForm:
    form = tried.form if tried is not None and tried.form is not None else task_form(task)
    problems = {problem.pointer: problem for problem in (tried.problems if tried else ()) if problem.pointer}
    typed = tried.typed if tried is not None else None
    is_optional = task.task_type == TaskType.REVIEW
    return AnswerForm(
        content_hash=task.content_hash,
        buttons=[Button(one, *_button(task, one)) for one in BUTTONS if one in DECISIONS[TaskType(task.task_type)]],
        choices=[{"value": one["value"], "label": one.get("label") or one["value"]} for one in task.choices],
        choice=(typed.choice or "") if typed else "",
        choice_problem=_problem_text("/choice", problems),
        comment=typed.comment if typed else "",
        comment_problem=_problem_text("/comment", problems),
        form=form if form is not None and (form.fields or form.kind != FieldKind.GROUP) else None,
        form_is_optional=is_optional,
        form_is_open=bool(typed and (typed.decision == Decision.MODIFIED or (tried and tried.problems))),
    )


def _button(task: HumanTask, decision: Decision) -> tuple[str, str]:
    label, look = texts.BUTTONS[(task.task_type, decision.value)]
    return str(label), look


def _problem_text(pointer: str, problems: Mapping[str, ErrorItem]) -> str:
    return _text(problems[pointer]) if pointer in problems else ""


def _text(item: ErrorItem) -> str:
    return texts.problem_text(replace(item, code="NOT_A_CHOICE") if item.pointer == "/choice" else item)


def _problems(tried: SubmissionResult | None, answer: AnswerForm | None) -> list[Problem]:
    """List what is wrong, each with the place where it can be put right."""
    if tried is None:
        return []
    fields = {} if answer is None or answer.form is None else _by_problem(answer.form)
    return [_problem(item, fields.get(id(item))) for item in tried.problems]


def _by_problem(form: Field) -> dict[int, Field]:
    found = {id(problem): form for problem in form.problems}
    for inner in form.fields:
        found |= _by_problem(inner)
    return found


def _problem(item: ErrorItem, field: Field | None) -> Problem:
    if field is not None:
        return Problem(texts.problem_text(item, field), field.label, f"field-{field.place}")
    return Problem(_text(item), target=TARGETS.get(item.pointer or "", ""))


def _notices(tried: SubmissionResult | None, *, has_form: bool) -> list[PageNotice]:
    if tried is None or tried.error is None:
        return []
    title = texts.refused_title(tried.error.code, tried.error.title, tried.task.status, tried.task.task_type)
    return [PageNotice("bad", title, refused_text(tried.task, tried.error), () if has_form else _typed_texts(tried))]


def _typed_texts(tried: SubmissionResult) -> list[tuple[str, str]]:
    """List what somebody had typed, for a page that has no form for it any more."""
    typed = [(gettext("Choose one"), tried.typed.choice)] if tried.typed.choice else []
    typed += [] if tried.form is None else _recalled_texts(tried.form)
    return [*typed, (gettext("Comment"), tried.typed.comment)] if tried.typed.comment else typed


def _recalled_texts(form: Field) -> list[tuple[str, str]]:
    own = [(form.label, form.recalled)] if form.recalled else []
    return [*own, *(text for inner in form.fields for text in _recalled_texts(inner))]


def refused_text(task: HumanTask, error: LlmteamError) -> str:
    """Say why a task took no answer: who was first, or what has changed."""
    if error.code == "TASK_OVER":
        return f"{how_it_ended(task)} {gettext('Your answer was not accepted.')}"
    if error.code == "TASK_CHANGED":
        return gettext("Nothing was decided. Look at it again: what you typed is kept.")
    if error.code == "TASK_TAKEN" and task.claimed_by is not None:
        return gettext("%(name)s has claimed it.") % {"name": shown_name(task.claimed_by)}
    return refusal_text(str(error.extra.get("reason", "")), error.detail)


def _asked_groups(task: HumanTask, members: Sequence[Membership]) -> list[AskedGroup]:
    groups = [(group, [shown_name(one) for one in members if group in one.groups]) for group in task.candidate_groups]
    return [AskedGroup(name, found[:MAX_OF_GROUP], len(found[MAX_OF_GROUP:])) for name, found in groups]


def _members(facts: TaskFacts, person: Person, members: Sequence[Membership]) -> Sequence[Mapping[str, str]]:
    """List the members the person may hand the task on to; whom those stand in for does not matter."""
    return [
        {"id": str(member.id), "name": shown_name(member)}
        for member in members
        if member.id != person.member_id and rules.may_delegate(facts, person, candidate(member)) is None
    ][:MAX_MEMBERS]


def _holding(task: HumanTask, facts: TaskFacts, person: Person) -> str:
    if not task.is_open or facts.voters > 1:
        return ""
    if task.claimed_by is None:
        return gettext("Nobody has claimed it yet.") if rules.may_claim(facts, person) is None else ""
    if task.claimed_by_id == person.member_id:
        return gettext("You have claimed it: nobody else can decide it meanwhile.")
    return gettext("%(name)s has claimed it.") % {"name": shown_name(task.claimed_by)}


def _can_claim(task: HumanTask, facts: TaskFacts, person: Person) -> bool:
    return task.claimed_by_id is None and rules.may_claim(facts, person) is None


def _vote(decision: TaskDecision, task: HumanTask) -> ShownVote:
    has_own = decision.data is not None
    return ShownVote(
        name=decision.name,
        text=decided_text(task, decision.decision, decision.choice),
        look=LOOKS.get(Decision(decision.decision), "ended"),
        at=decision.created_at,
        comment=decision.comment,
        data=show(decision.data, task.form) if has_own else None,
        changes=changed_places(task.data, decision.data, task.form) if decision.decision == Decision.MODIFIED else [],
    )
