"""Task rules: permissions and the effect of decisions. Pure: one rule set for API, inbox and console."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from humantasks.types import DECISIONS, MISSING, Decision, TaskAnswer, TaskStatus, TaskType
from kernel.actors import acting_through, parties
from kernel.errors import ErrorItem
from kernel.types import Json

ADMIN: Final = "admin"
AUDITOR: Final = "auditor"
REVIEWER: Final = "reviewer"
PROGRAM: Final = "program"
MAX_COMMENT_LENGTH: Final = 10_000
MAX_REMARK_LENGTH: Final = 4_000
"""Longest comment before a decision, and longest note on handing on, in characters."""
MAX_REMARKS: Final = 100
"""Most of them of a task."""


@dataclass(frozen=True, slots=True)
class Person:
    """Acting person: a member of the tenant, or a program with a key of it.

    Attributes:
        actor: Their name in journal and audit: ``member:<id>``, ``key:<public id>``, an operator's ``user:<id>``.
        name: How other people know them.
        role: ``admin``, ``reviewer``, ``auditor``; a key's is ``program``.
        member_id: None for a program.
        groups: The reviewer groups they are in.
        stands_in_for: Members who are away now, and have named them.
        through: The key that acts in their name, ``key:<public id>``; empty where they act themselves.
        aliases: Other names they act under: a member may be an operator as well.
    """

    actor: str
    name: str
    role: str
    member_id: UUID | None = None
    groups: frozenset[str] = frozenset()
    stands_in_for: frozenset[UUID] = frozenset()
    through: str = ""
    aliases: frozenset[str] = frozenset()

    @property
    def full_actor(self) -> str:
        """Both names, where a key acts for a member."""
        return acting_through(self.through, self.actor)

    def is_self(self, actor: str) -> bool:
        """Whether ``actor`` names them, alone or with a key."""
        return not parties(actor).isdisjoint({self.actor, *self.aliases})

    def is_party_to(self, actor: str) -> bool:
        """Whether ``actor`` names them, or the key that acts for them."""
        return self.is_self(actor) or self.through in parties(actor)


@dataclass(frozen=True, slots=True)
class Vote:
    """One decision about a task that still stands."""

    actor: str
    decision: str
    choice: str | None = None


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """Facts of a task that the rules read.

    Attributes:
        status: Of ``TaskStatus``.
        task_type: Of ``TaskType``.
        is_for_all: Every reviewer of the tenant is asked.
        assignee_id: The member who is asked alone.
        candidate_groups: The groups that are asked.
        claimed_by: The member who has claimed it.
        four_eyes: Whoever started the run may not decide, nor may the key it was started through.
        started_by: The actor who started the run.
        needed: How many approvals it takes.
        voters: How many may decide, at most.
        choices: What may be chosen.
        form: The schema of the answer's data.
    """

    status: str
    task_type: str
    is_for_all: bool = False
    assignee_id: UUID | None = None
    candidate_groups: frozenset[str] = frozenset()
    claimed_by: UUID | None = None
    claimed_by_name: str = ""
    claimed_at: datetime | None = None
    four_eyes: bool = False
    started_by: str = ""
    needed: int = 1
    voters: int = 1
    choices: tuple[str, ...] = ()
    form: Mapping[str, Json] | None = None
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refusal by a rule: the rule's stable name and a sentence. ``is_conflict``: another person acted first."""

    reason: str
    detail: str
    is_conflict: bool = False


OVER: Final = Refusal("over", "The task is over already.", is_conflict=True)
AUDITORS_READ: Final = Refusal("auditor", "Auditors read tasks; they do not act on them.")
NOT_ASKED: Final = Refusal("not_asked", "You are not among those who are asked.")
PROGRAMS_HOLD_NOTHING: Final = Refusal("program", "A key cannot hold tasks; use a token that acts for a member.")
STARTED_IT: Final = Refusal("four_eyes", "You started this run, so somebody else has to decide.")
KEY_STARTED_IT: Final = Refusal("four_eyes", "The key that acts for you started this run: somebody else has to decide.")
MANY_DECIDE: Final = Refusal("many_decide", "Several people decide this one, so nobody can claim it.")
NOT_CLAIMED: Final = Refusal("not_claimed", "Nobody has claimed this task.", is_conflict=True)
NOT_YOURS: Final = Refusal("not_yours", "Somebody else has claimed this task.", is_conflict=True)
DECIDED_ALREADY: Final = Refusal("decided_already", "You have decided already.", is_conflict=True)
KEY_DECIDED_ALREADY: Final = Refusal(
    "decided_already", "The key that acts for you has decided already, for itself or another.", is_conflict=True
)
CANNOT_TAKE: Final = Refusal("cannot_take", "That member reads tasks only, and cannot take one.")


def is_asked(facts: TaskFacts, person: Person) -> bool:
    """Whether a task is offered to somebody: by name, by a group, as a stand-in, or because all are asked."""
    if person.role == AUDITOR:
        return False
    if facts.assignee_id is not None and facts.assignee_id in {person.member_id, *person.stands_in_for}:
        return True
    return facts.is_for_all or not person.groups.isdisjoint(facts.candidate_groups)


def may_see(facts: TaskFacts, person: Person) -> bool:
    """Whether somebody sees a task: those who are asked, and whoever watches over the tenant."""
    if person.role in {ADMIN, AUDITOR, PROGRAM} or is_asked(facts, person):
        return True
    return person.member_id == facts.claimed_by is not None or any(person.is_self(vote.actor) for vote in facts.votes)


def may_claim(facts: TaskFacts, person: Person) -> Refusal | None:
    """Say why somebody may not claim a task for themselves; claiming one's own again is allowed."""
    refusal = _may_act(facts, person)
    if refusal is not None:
        return refusal
    if person.role == PROGRAM:
        return PROGRAMS_HOLD_NOTHING
    if facts.voters > 1:
        return MANY_DECIDE
    if facts.claimed_by is not None and facts.claimed_by != person.member_id:
        return NOT_YOURS
    return _four_eyes(facts, person)


def may_release(facts: TaskFacts, person: Person) -> Refusal | None:
    """Say why somebody may not give a claimed task back: it is its holder's, or an admin's, to do."""
    if facts.status != TaskStatus.OPEN:
        return OVER
    if person.role == AUDITOR:
        return AUDITORS_READ
    if facts.claimed_by is None:
        return NOT_CLAIMED
    if person.role in {ADMIN, PROGRAM} or facts.claimed_by == person.member_id:
        return None
    return NOT_YOURS


def may_delegate(facts: TaskFacts, person: Person, to: Person) -> Refusal | None:
    """Say why somebody may not hand a task on to a member."""
    refusal = _may_act(facts, person)
    if refusal is not None:
        return refusal
    if facts.voters > 1:
        return Refusal("many_decide", "Several people decide this one, so it cannot be handed to one.")
    if facts.claimed_by not in {None, person.member_id} and person.role not in {ADMIN, PROGRAM}:
        return NOT_YOURS
    if to.role == AUDITOR:
        return CANNOT_TAKE
    if _four_eyes(facts, to) is not None:
        return Refusal("four_eyes", "That member started this run, so somebody else has to decide.")
    return None


def may_decide(facts: TaskFacts, person: Person) -> Refusal | None:
    """Say why somebody may not decide."""
    refusal = _may_act(facts, person) or _four_eyes(facts, person)
    if refusal is not None:
        return refusal
    if facts.claimed_by is not None and facts.claimed_by != person.member_id:
        return NOT_YOURS
    voted = [vote.actor for vote in facts.votes if person.is_party_to(vote.actor)]
    if not voted:
        return None
    return DECIDED_ALREADY if any(person.is_self(actor) for actor in voted) else KEY_DECIDED_ALREADY


def may_comment(facts: TaskFacts, person: Person) -> Refusal | None:
    """Say why somebody may not comment on a task: whoever is asked may, and whoever started the run as well."""
    return _may_act(facts, person)


def problems_of_remark(text: str, *, count: int) -> list[ErrorItem]:
    """Tell what keeps a comment from being kept on a task that has ``count`` of them."""
    if not text.strip():
        return [ErrorItem(code="REQUIRED", detail="Write something.", pointer="/comment")]
    if len(text) > MAX_REMARK_LENGTH:
        detail = f"This may have at most {MAX_REMARK_LENGTH} characters."
        return [ErrorItem(code="TOO_LONG", detail=detail, pointer="/comment")]
    if count >= MAX_REMARKS:
        detail = f"This task has {MAX_REMARKS} comments already; it takes no more."
        return [ErrorItem(code="TOO_MANY_COMMENTS", detail=detail, pointer="/comment")]
    return []


def brings_data(task_type: str, answer: TaskAnswer) -> bool:
    """Whether an answer has data that its run goes on with, so that it has to fit the form."""
    return answer.data is not MISSING and _needs_data(task_type, answer)


def problems(facts: TaskFacts, answer: TaskAnswer, violations: Sequence[ErrorItem] = ()) -> list[ErrorItem]:
    """Tell everything that keeps an answer from fitting its task.

    Args:
        facts: The task.
        answer: What somebody says.
        violations: Where the answer's data does not fit the form, if it ``brings_data``.
    """
    allowed = DECISIONS[TaskType(facts.task_type)]
    found: list[ErrorItem] = []
    if answer.decision not in set(allowed):
        hint = "One of " + ", ".join(f"`{one}`" for one in allowed) + "."
        found.append(
            ErrorItem(
                code="DECISION_UNKNOWN", detail="This task does not allow that answer.", pointer="/decision", hint=hint
            )
        )
    found += _problems_of_choice(facts, answer)
    found += [*_problems_of_data(facts, answer), *violations]
    if len(answer.comment) > MAX_COMMENT_LENGTH:
        detail = f"This may have at most {MAX_COMMENT_LENGTH} characters."
        found.append(ErrorItem(code="TOO_LONG", detail=detail, pointer="/comment"))
    return found


def tally(facts: TaskFacts, votes: Sequence[Vote]) -> str | None:
    """Say by which decision a task ends with these votes; None while it is open.

    An approval takes as many as are needed. A rejection ends it, unless enough others are left to approve. What
    changes the data ends it at once: the others would have approved something else.
    """
    if any(vote.decision == Decision.MODIFIED for vote in votes):
        return Decision.MODIFIED
    if sum(vote.decision == Decision.APPROVED for vote in votes) >= facts.needed:
        return Decision.APPROVED
    rejections = sum(vote.decision == Decision.REJECTED for vote in votes)
    return Decision.REJECTED if rejections and facts.voters - rejections < facts.needed else None


def settled_data(task_type: str, shown: Json, answer: TaskAnswer) -> Json:
    """Say with which data a task goes on: what was sent, where something could be; else what was shown."""
    return answer.data if brings_data(task_type, answer) else shown  # type: ignore[return-value]  # checked JSON


def port_of(decision: str, choice: str | None, connected: Sequence[str]) -> str:
    """Say by which port a decision leaves: a choice by the port of its name, where an edge leaves by that."""
    return choice if choice is not None and choice in connected else decision


def _may_act(facts: TaskFacts, person: Person) -> Refusal | None:
    if facts.status != TaskStatus.OPEN:
        return OVER
    if person.role == AUDITOR:
        return AUDITORS_READ
    if person.role in {ADMIN, PROGRAM} or is_asked(facts, person):
        return None
    return None if facts.claimed_by is not None and facts.claimed_by == person.member_id else NOT_ASKED


def _four_eyes(facts: TaskFacts, person: Person) -> Refusal | None:
    if not facts.four_eyes or not person.is_party_to(facts.started_by):
        return None
    return STARTED_IT if person.is_self(facts.started_by) else KEY_STARTED_IT


def _problems_of_choice(facts: TaskFacts, answer: TaskAnswer) -> list[ErrorItem]:
    if facts.task_type != TaskType.CHOICE:
        if answer.choice is None:
            return []
        return [ErrorItem(code="NOT_OF_THIS_TYPE", detail="There is nothing to choose here.", pointer="/choice")]
    if answer.choice in facts.choices:
        return []
    code, hint = ("REQUIRED" if answer.choice is None else "ENUM"), "One of " + ", ".join(facts.choices[:20]) + "."
    return [ErrorItem(code=code, detail="Choose one of the values.", pointer="/choice", hint=hint)]


def _problems_of_data(facts: TaskFacts, answer: TaskAnswer) -> list[ErrorItem]:
    needs_data = _needs_data(facts.task_type, answer)
    if answer.data is MISSING:
        return [ErrorItem(code="REQUIRED", detail="This answer brings data.", pointer="/data")] if needs_data else []
    if needs_data:
        return []
    detail = "This answer takes no data; the shown data is passed on unchanged."
    return [ErrorItem(code="NOT_OF_THIS_TYPE", detail=detail, pointer="/data")]


def _needs_data(task_type: str, answer: TaskAnswer) -> bool:
    return task_type == TaskType.INPUT or answer.decision == Decision.MODIFIED
