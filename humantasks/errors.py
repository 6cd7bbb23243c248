"""Errors about human tasks."""

from kernel.errors import Conflict, Invalid, NotFound, Refused


class TaskNotFound(NotFound):
    """The tenant has no such task, or the caller may not see it."""

    code = "TASK_NOT_FOUND"
    title = "There is no such task"


class TaskRefused(Refused):
    """The caller sees the task, and may not do that with it; ``detail`` says why, ``extra.reason`` names the rule."""

    code = "TASK_REFUSED"
    title = "You may not do that with this task"


class TaskTaken(Conflict):
    """Somebody else has claimed the task; ``extra`` says who and when."""

    code = "TASK_TAKEN"
    title = "Somebody else has claimed this task"


class TaskOver(Conflict):
    """The task is decided, or was closed; ``extra`` says how, by whom and when."""

    code = "TASK_OVER"
    title = "This task is over already"


class TaskChanged(Conflict):
    """The task has changed since the caller saw it; ``extra.content_hash`` is its present hash."""

    code = "TASK_CHANGED"
    title = "The task has changed since it was shown"


class ReportRefused(Refused):
    """A reviewer asked how long all people take."""

    code = "REPORT_REFUSED"
    title = "Reports about everybody's tasks are for admins, auditors and keys"


class AnswerInvalid(Invalid):
    """The answer does not fit the task; ``errors`` say where."""

    code = "ANSWER_INVALID"
    title = "The answer does not fit the task"


class DecisionNotFound(NotFound):
    """The caller has not decided such a task."""

    code = "DECISION_NOT_FOUND"
    title = "You have not decided such a task"
