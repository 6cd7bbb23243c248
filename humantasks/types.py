"""Enumerations of human tasks: types, statuses, priorities, decisions."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db import models

from kernel.types import Json


class TaskType(models.TextChoices):
    """What is asked of a person."""

    APPROVAL = "approval", "Approval"
    REVIEW = "review", "Review"
    INPUT = "input", "Input"
    CHOICE = "choice", "Choice"


class TaskStatus(models.TextChoices):
    """Where a task is. All but the first are for good."""

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
    """How a person answers."""

    APPROVED = "approved"
    REJECTED = "rejected"
    MODIFIED = "modified"


DECISIONS: Final = {
    TaskType.APPROVAL: (Decision.APPROVED, Decision.REJECTED),
    TaskType.REVIEW: (Decision.APPROVED, Decision.REJECTED, Decision.MODIFIED),
    TaskType.INPUT: (Decision.APPROVED,),
    TaskType.CHOICE: (Decision.APPROVED,),
}
"""Which answers each type allows."""

MISSING: Final = object()
"""Stands for data that was not sent; null is data."""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What a person says. ``data`` is ``MISSING`` when none was sent."""

    decision: str
    data: object = MISSING
    choice: str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ends a task: by which decision, with what."""

    decision: str
    choice: str | None = None
    data: Json = None
    comment: str = ""
