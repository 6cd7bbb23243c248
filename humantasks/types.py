"""Enumerations of human tasks: types, statuses, priorities, decisions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db import models

from kernel.types import Json

MAX_NAME: Final = 300
"""Characters of a name of people, of a choice, and of the words that sum up who is asked: what their columns hold."""


class TaskType(models.TextChoices):
    """Types of questions to a person."""

    APPROVAL = "approval", "Approval"
    REVIEW = "review", "Review"
    INPUT = "input", "Input"
    CHOICE = "choice", "Choice"


class TaskStatus(models.TextChoices):
    """Statuses of a task. All but the first are final."""

    OPEN = "open", "Open"
    COMPLETED = "completed", "Completed"
    TIMED_OUT = "timed_out", "Timed out"
    CANCELLED = "cancelled", "Cancelled"


class Priority(models.IntegerChoices):
    """A task's place in the inbox."""

    LOW = 0, "low"
    NORMAL = 1, "normal"
    HIGH = 2, "high"
    URGENT = 3, "urgent"


class Decision(StrEnum):
    """Decisions of a person."""

    APPROVED = "approved"
    REJECTED = "rejected"
    MODIFIED = "modified"


DECISIONS: Final = {
    TaskType.APPROVAL: (Decision.APPROVED, Decision.REJECTED),
    TaskType.REVIEW: (Decision.APPROVED, Decision.REJECTED, Decision.MODIFIED),
    TaskType.INPUT: (Decision.APPROVED,),
    TaskType.CHOICE: (Decision.APPROVED,),
}
"""Answers that each type allows."""

MISSING: Final = object()
"""Stands for data that was not sent; null is data."""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """Answer of a person. ``data`` is ``MISSING`` when none was sent."""

    decision: str
    data: object = MISSING
    choice: str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a task: the decision and its data."""

    decision: str
    choice: str | None = None
    data: Json = None
    comment: str = ""
